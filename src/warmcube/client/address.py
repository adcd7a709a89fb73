"""Where a service is, and with which token to go there."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeAlias

import httpx

from warmcube.errors import ConfigError

__all__ = ["Token", "TokenSource", "is_loopback", "service_url", "token_source", "usable_token"]

Token: TypeAlias = str | Callable[[], str] | Callable[[], Awaitable[str]]
"""A token, or what gives one whenever it is asked."""

TokenSource: TypeAlias = Callable[[], str | Awaitable[str]]
"""Gives the token for each request."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # RFC 6750


def service_url(text: str, *, allow_plain_http: bool) -> httpx.URL:
    """The address of a service.

    Args:
        text: ``https://host[:port][/prefix]``; ``http://`` on loopback.
        allow_plain_http: whether ``http://`` may go anywhere.

    Raises:
        ConfigError: it is none, holds credentials, or would send the token in plain text.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ConfigError("the service's URL can't be read; expected https://host") from None
    if url.userinfo:
        raise ConfigError(f"the URL of {url.host} holds credentials; give a token instead")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"the service's URL is {text!r}; expected https://host")
    if url.query or url.fragment:
        raise ConfigError(f"the URL of {url.host} has a query or a fragment; leave it out")
    if url.scheme == "http" and not is_loopback(url.host) and not allow_plain_http:
        raise ConfigError(
            f"http://{url.host} would send the token in plain text; use https://, or say "
            "allow_plain_http=True where the network is trusted"
        )
    return url.copy_with(path=url.path.rstrip("/") + "/")


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine, whatever resolves names."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_source(token: Token | None, file: str | Path | None) -> str | TokenSource | None:
    """The token, or what gives it for each request; None where there is none.

    Args:
        token: the token itself, or what gives one.
        file: a file with the token alone, read anew for each request.

    Raises:
        ConfigError: there are two, or it is no token.
    """
    if token is not None and file is not None:
        raise ConfigError("there are a token and a token_file; give one of them")
    if file is not None:
        path = Path(file)
        return lambda: _read(path)
    return usable_token(token) if isinstance(token, str) else token


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"no token can be read from {path}: {type(error).__name__}; "
            "expected a file that holds nothing but the token"
        ) from None


def usable_token(token: object) -> str:
    """The token, if it can stand in a header.

    Raises:
        ConfigError: it can't; the message doesn't hold it.
    """
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ConfigError(
            "the token holds characters that no token has, or nothing; give a bearer token alone, "
            "without spaces or line ends"
        )
    return token
