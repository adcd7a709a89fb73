"""Who may read metrics: nobody from elsewhere without a token, or a port of its own."""

from __future__ import annotations

import hmac
import ipaddress
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from warmcube.config import Settings
from warmcube.errors import ConfigError, Unauthenticated

__all__ = ["MetricsDoor", "is_loopback"]

_SHORTEST: Final = 16
_FORWARDED: Final = (b"forwarded", b"via", b"x-forwarded-", b"x-real-ip")
"""What headers begin with that a proxy adds."""


class MetricsDoor:
    """Decides by ``[service]`` who may read metrics.

    Args:
        settings: the configuration.

    Raises:
        ConfigError: the file of the token can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        section = settings.service
        named = section.metrics_token_file
        self._token_file = None if named is None else settings.base / named
        self._is_elsewhere = section.metrics_port is not None
        public = urlsplit(section.public_url or "http://localhost").hostname
        self._is_local = is_loopback(section.host) and is_loopback(public or "")
        if self._token_file is not None:
            _read_token(self._token_file)

    def is_shown(self, client: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether there are metrics at the service's own port, for this request.

        Without a token they are for this machine only, and not for what a proxy on it lets in, nor
        for a page whose name its owner had lead here.

        Args:
            client: the address that the request came from.
            headers: of the request, their names in lower case.
        """
        if self._is_elsewhere:
            return False
        if self._token_file is not None:
            return True
        if not self._is_local or not is_loopback(client or ""):
            return False
        return not any(
            name.startswith(_FORWARDED) or (name == b"host" and not _names_loopback(value))
            for name, value in headers
        )

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """That a request bears the token, where one is asked for.

        Raises:
            Unauthenticated: it doesn't.
            ConfigError: the file of the token can't be used any more.
        """
        if self._token_file is None:
            return
        given = [value for name, value in headers if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        wanted = _read_token(self._token_file)
        if scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), wanted):
            return
        raise Unauthenticated(
            "metrics need the bearer token that [service] metrics_token_file holds",
            code="invalid" if given else "missing",
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, for this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names_loopback(host: bytes) -> bool:
    """Whether the header ``Host`` names this machine as only itself can."""
    try:
        return is_loopback(urlsplit(f"//{host.decode('ascii')}").hostname or "")
    except ValueError:
        return False


def _read_token(path: Path) -> bytes:
    """The token; read each time, so that it can be changed while the service runs."""
    where = f"[service] metrics_token_file {path}"
    try:
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise ConfigError(f"{where} can be read or written by anybody; chmod 600 it")
        token = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{where} can't be read: {error.strerror}") from error
    if len(token) < _SHORTEST:
        raise ConfigError(
            f"{where} holds {len(token)} characters; expected a token of at least {_SHORTEST}, "
            "like that of: openssl rand -hex 32"
        )
    return token
