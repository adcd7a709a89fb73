"""Commands as they go over the wire: arrays of bulk strings of the Redis protocol (RESP2).

Packing a word takes longer than sending it. So what is asked again and again, such as the keys of
entries that are known, is packed once and kept (`pack_words`, `PackedCommand`); and a warm packs
its commands where it makes them, in a thread beside the event loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Self

from warmcube.store.api import Command

__all__ = [
    "PackedCommand",
    "pack",
    "pack_command",
    "pack_expiries",
    "pack_set_until",
    "pack_words",
]

_WORD: Final = b"$%d\r\n%b\r\n"


class PackedCommand(tuple[bytes | int, ...]):  # noqa: SLOT001 (a tuple can have no slots with values)
    """A command that is packed already, and still the tuple of its words.

    Attributes:
        wire: its bytes.
    """

    wire: bytes

    @classmethod
    def of(cls, first: bytes, words: Sequence[bytes], packed: Iterable[bytes]) -> Self:
        """A command of one word and many that are packed.

        Args:
            first: the command's name.
            words: the others.
            packed: the same, as `pack_words` has them, in any number of pieces.
        """
        command = cls((first, *words))
        command.wire = b"".join(
            (b"*%d\r\n$%d\r\n%b\r\n" % (1 + len(words), len(first), first), *packed)
        )
        return command


def pack_words(words: Iterable[bytes]) -> bytes:
    """Words of a command, without what stands before the first."""
    return b"".join([_WORD % (len(word), word) for word in words])


def pack(commands: Iterable[Command | bytes]) -> bytes:
    """Whole commands, those that are bytes already as they are."""
    parts: list[bytes] = []
    for command in commands:
        if isinstance(command, bytes):
            parts.append(command)
            continue
        if isinstance(command, PackedCommand):
            parts.append(command.wire)
            continue
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            raw = word if isinstance(word, bytes) else b"%d" % word
            parts.append(_WORD % (len(raw), raw))
    return b"".join(parts)


def pack_command(words: Sequence[bytes]) -> bytes:
    """One whole command."""
    return b"*%d\r\n%b" % (len(words), pack_words(words))


def pack_set_until(key: bytes, seal: bytes, body: bytes, expires_ms: int) -> bytes:
    """``SET key seal+body PXAT expires_ms``; nothing is joined twice.

    Args:
        key: to be set.
        seal: what the value begins with.
        body: the rest of it.
        expires_ms: when the key expires, in milliseconds since 1970.
    """
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
    """One ``PEXPIREAT`` for each key.

    Args:
        keys: that shall expire.
        at_ms: when, in milliseconds since 1970.
    """
    at = b"%d" % at_ms
    form = b"*3\r\n$9\r\nPEXPIREAT\r\n$%%d\r\n%%b\r\n$%d\r\n%b\r\n" % (len(at), at)
    return [form % (len(key), key) for key in keys]
