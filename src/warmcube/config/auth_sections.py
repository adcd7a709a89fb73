"""``[auth]``: how people and programs prove who they are."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from warmcube.config.sections import Name, Section, listed

__all__ = ["AuthSection", "LocalSection", "OidcSection", "SessionsSection"]


def _issuer(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("a URL whose host and port can be read") from None
    is_loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if (
        not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback))
        or not parts.hostname
        or parts.username is not None
        or parts.query
        or parts.fragment
    ):
        raise ValueError("a URL with https://, without a query; http:// is for loopback only")
    return url


def _scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in scopes:
        raise ValueError('a list of scopes with "openid" among them')
    return scopes


class SessionsSection(Section):
    """``[auth.sessions]``: how long somebody stays signed in."""

    idle: int = Field(
        default=1800,
        ge=60,
        le=10**8,
        description="after which an unused session is over",
        json_schema_extra={"unit": "seconds"},
    )
    life: int = Field(
        default=43200,
        ge=60,
        le=10**8,
        description="after which every session is over",
        json_schema_extra={"unit": "seconds"},
    )


class LocalSection(Section):
    """``[auth.local]``: users whose passwords are kept here."""

    path: Name = Field(
        default="credentials.toml",
        description="the file of hashed passwords, relative to the configuration file; "
        "`warmcube password` writes it",
    )


class OidcSection(Section):
    """``[auth.oidc]``: an identity provider where people sign in."""

    issuer: Annotated[Name, AfterValidator(_issuer)] = Field(
        description="the provider, exactly as its discovery document names it"
    )
    client_id: Name = Field(description="what the provider calls this service")
    client_secret_file: Name | None = Field(
        default=None,
        description="a file with the secret that the provider gave this service, relative to the "
        "configuration file",
    )
    claim: Name = Field(default="sub", description="the claim that names the user")
    prefix: str = Field(
        default="", description="put before the claim to make the user's id in the directory"
    )
    scopes: Annotated[tuple[Name, ...], BeforeValidator(listed), AfterValidator(_scopes)] = Field(
        default=("openid",), description="what is asked of the provider"
    )


class AuthSection(Section):
    """``[auth]``: each of its tables is a way to prove who one is."""

    sessions: SessionsSection = Field(
        default=SessionsSection(), description="how long somebody stays signed in"
    )
    local: LocalSection | None = Field(
        default=None, description="users whose passwords are kept here"
    )
    oidc: OidcSection | None = Field(
        default=None, description="an identity provider where people sign in"
    )
