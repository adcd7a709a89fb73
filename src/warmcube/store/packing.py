"""Commands as protocol bytes (RESP2 arrays of bulk strings), for whoever makes very many.

A warm packs its commands where it makes them, in a thread beside the event loop.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["pack_expiries", "pack_set_until", "pack_words"]


def pack_words(words: Sequence[bytes]) -> bytes:
    """One command."""
    return b"*%d\r\n" % len(words) + b"".join(
        [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    )


def pack_set_until(key: bytes, seal: bytes, body: bytes, expires_ms: int) -> bytes:
    """``SET key seal+body PXAT expires_ms``; nothing is joined twice."""
    return b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b%b\r\n$4\r\nPXAT\r\n$%d\r\n%d\r\n" % (
        len(key),
        key,
        len(seal) + len(body),
        seal,
        body,
        len(str(expires_ms)),
        expires_ms,
    )


def pack_expiries(keys: Sequence[bytes], at_ms: int) -> list[bytes]:
    """One ``PEXPIREAT`` for each key."""
    at = b"%d" % at_ms
    form = b"*3\r\n$9\r\nPEXPIREAT\r\n$%%d\r\n%%b\r\n$%d\r\n%b\r\n" % (len(at), at)
    return [form % (len(key), key) for key in keys]
