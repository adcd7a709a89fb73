"""Commands as they go over the wire: arrays of bulk strings of the Redis protocol (RESP2).

What is asked again and again, such as the keys of entries that are known, is packed once and kept
(`pack_words`, `Packed`): packing a word takes longer than sending it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Self

from warmcube.store.api import Command

__all__ = ["Packed", "pack", "pack_words"]


class Packed(tuple[bytes | int, ...]):  # noqa: SLOT001 (a tuple can have no slots with values)
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


_WORD: Final = b"$%d\r\n%b\r\n"


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
        if isinstance(command, Packed):
            parts.append(command.wire)
            continue
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            raw = word if isinstance(word, bytes) else b"%d" % word
            parts.append(_WORD % (len(raw), raw))
    return b"".join(parts)
