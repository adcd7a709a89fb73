"""``[auth]``: how people and programs prove who they are."""

from __future__ import annotations

from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from warmcube.config.sections import Name, Section, listed

__all__ = [
    "ALGORITHMS",
    "AuthSection",
    "EmbedSection",
    "KeysSection",
    "LocalSection",
    "OidcSection",
    "SessionsSection",
]


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


ALGORITHMS: Final = ("HS256", "RS256", "ES256")


def _algorithms(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not set(names) <= set(ALGORITHMS) or ("HS256" in names and len(names) > 1):
        raise ValueError('["HS256"], or a list of "RS256" and "ES256"')
    return names


def _keys_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("a URL whose host and port can be read") from None
    is_loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    is_private = parts.scheme == "https" or (parts.scheme == "http" and is_loopback)
    if not is_private or not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError("a URL with https://; http:// is for loopback only")
    return url


class KeysSection(Section):
    """``[[auth.keys]]``: whose bearer tokens count, and with which keys they are signed."""

    issuer: Name = Field(description="who makes the tokens, exactly as their iss says")
    audience: Name = Field(description="what their aud has to name")
    algorithms: Annotated[
        tuple[Name, ...], BeforeValidator(listed), AfterValidator(_algorithms)
    ] = Field(description='with which they may be signed: ["HS256"], or some of "RS256", "ES256"')
    key_file: Name | None = Field(
        default=None,
        description="the file of the one key: a public key as PEM, or for HS256 a secret of at "
        "least 32 bytes that only its owner can read",
    )
    jwks_file: Name | None = Field(
        default=None, description="a file of public keys (JWKS) instead, read again when it changes"
    )
    jwks_url: Annotated[str, AfterValidator(_keys_url)] | None = Field(
        default=None, description="the URL of public keys (JWKS) instead"
    )
    claim: Name = Field(default="sub", description="the claim that names the user")
    prefix: str = Field(
        default="", description="put before the claim to make the user's id in the directory"
    )
    leeway: int = Field(
        default=30,
        ge=0,
        le=300,
        description="how far the clocks may differ",
        json_schema_extra={"unit": "seconds"},
    )

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if sum(each is not None for each in (self.key_file, self.jwks_file, self.jwks_url)) != 1:
            raise ValueError("exactly one of key_file, jwks_file and jwks_url")
        if "HS256" in self.algorithms and self.key_file is None:
            raise ValueError("HS256 with a key_file, since a shared secret is no public key")
        return self


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


class EmbedSection(Section):
    """``[auth.embed]``: tokens that show one dashboard in another site."""

    key_file: Name = Field(
        description="the file of the secret that these tokens are signed with, of at least 32 "
        "bytes that only its owner can read; all processes share it, and nothing else uses it"
    )


class AuthSection(Section):
    """``[auth]``: each of its tables is a way to prove who one is."""

    keys: Annotated[tuple[KeysSection, ...], BeforeValidator(listed)] = Field(
        default=(), description="whose bearer tokens count"
    )
    shares_users: bool = Field(
        default=False,
        description="several issuers may name the same users, who are then the same people",
    )
    sessions: SessionsSection = Field(
        default=SessionsSection(), description="how long somebody stays signed in"
    )
    local: LocalSection | None = Field(
        default=None, description="users whose passwords are kept here"
    )
    oidc: OidcSection | None = Field(
        default=None, description="an identity provider where people sign in"
    )
    embed: EmbedSection | None = Field(
        default=None, description="dashboards may be embedded in other sites"
    )
