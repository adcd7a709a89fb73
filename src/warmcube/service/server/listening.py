"""The sockets that the service listens on."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from warmcube.errors import ServeError

__all__ = ["bound", "is_loopback", "url_of"]

_HAS_BALANCE: Final = sys.platform == "linux"
"""Whether the kernel spreads connections over the sockets of one port."""

_HINTS: Final = {
    errno.EADDRINUSE: "something else listens there; stop it, or choose another with --port",
    errno.EACCES: "the system doesn't permit it; ports below 1024 need a privilege: choose one "
    "above with --port",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another with --host",
}


@contextmanager
def bound(host: str, port: int, count: int) -> Iterator[list[socket.socket]]:
    """Sockets bound to an address, one for each process; closed in the end.

    Each process has a queue of its own for connections, so that none takes them all; and since the
    socket outlives the process, those that wait while a process is replaced aren't lost. Where the
    kernel can't spread connections, all share one socket.

    Args:
        host: an address or a name.
        port: 0 for any free one.
        count: how many processes.

    Raises:
        ServeError: it can't be.
    """
    family, address = _resolved(host, port)
    sockets: list[socket.socket] = []
    try:
        # Without SO_REUSEPORT, or a second service would share the port without a word.
        first = _bind(family, address)
        sockets.append(first)
        if _HAS_BALANCE and count > 1:
            address = (address[0], first.getsockname()[1], *address[2:])
            sockets.clear()
            first.close()
            sockets.extend(_bind(family, address, is_shared=True) for _ in range(count))
        yield [sockets[number % len(sockets)] for number in range(count)]
    finally:
        for each in sockets:
            each.close()


def _resolved(host: str, port: int) -> tuple[int, tuple[str, int] | tuple[str, int, int, int]]:
    """IPv4 where a name has both: what "localhost" means to most clients."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ServeError(
            f"the service can't listen on {host!r}: it is no address or name of this machine; "
            "choose another with --host"
        ) from None
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, address  # type: ignore[return-value]  # no other families with this host


def _bind(family: int, address: tuple[str | int, ...], *, is_shared: bool = False) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(address)
    except OSError as error:
        opened.close()
        hint = _HINTS.get(error.errno or 0, error.strerror or "the system refused")
        raise ServeError(f"the service can't listen on {_shown(address)}: {hint}") from None
    opened.setblocking(False)
    return opened


def _shown(address: tuple[str | int, ...]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def url_of(listening: socket.socket) -> str:
    """Under which URL a socket can be reached from this machine."""
    return f"http://{_shown(listening.getsockname())}"


def is_loopback(listening: socket.socket) -> bool:
    """Whether a socket can be reached from this machine only."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback
