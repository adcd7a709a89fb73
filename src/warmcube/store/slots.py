"""Which slot of a Redis Cluster a command belongs to, and how one may be cut into smaller ones.

A slot follows from the part of a key between the first ``{`` and the next ``}``
(https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from warmcube.store.api import Command

__all__ = ["SLOTS", "cut", "key_of", "key_slot", "tag_in"]

SLOTS: Final = REDIS_CLUSTER_HASH_SLOTS

_KEYLESS: Final = frozenset(
    {b"CLIENT", b"CONFIG", b"DBSIZE", b"DEBUG", b"ECHO", b"INFO", b"PING", b"TIME", b"WAIT"}
)
_END: Final = b"\r\n"


def key_of(command: Command | bytes) -> bytes | None:
    """The key that says where a command goes; None if it has none.

    Args:
        command: its words, or packed (`warmcube.store.wire`).
    """
    if isinstance(command, bytes):
        return _second_word(command)
    name = command[0]
    if name in _KEYLESS or len(command) < 2:
        return None
    at = 3 if name == b"EVAL" else 2 if name == b"MEMORY" else 1
    key = command[at]
    return key if isinstance(key, bytes) else b"%d" % key


def _second_word(packed: bytes) -> bytes | None:
    name_at = packed.index(_END, packed.index(_END) + 2) + 2
    name_end = packed.index(_END, name_at)
    if packed[name_at:name_end] in _KEYLESS or name_end + 2 == len(packed):
        return None
    key_at = packed.index(_END, name_end + 2) + 2
    return packed[key_at : key_at + int(packed[name_end + 3 : key_at - 2])]


def tag_in(holds: Callable[[int], bool]) -> bytes:
    """A hash tag whose slot is one of those wanted, of which there is at least one."""
    number = 0
    while not holds(key_slot(b"{%d}" % number)):
        number += 1
    return b"%d" % number


def cut(command: Command) -> tuple[list[Command], Callable[[Sequence[Any]], Any]] | None:
    """A command of several keys as several of one key each, and what joins their replies.

    While a slot moves from one master to another, its keys are on either of them, and a command
    of keys on both can't be answered by any.

    Returns:
        None if the command has one key, or can't be cut.
    """
    name = command[0]
    found = _CUT.get(name) if isinstance(name, bytes) else None
    if found is None or len(command) == 2:
        return None
    smaller, join = found
    return [(smaller, key) for key in command[1:]], join


def _union(replies: Sequence[Sequence[bytes]]) -> list[bytes]:
    return list({member for members in replies for member in members})


_CUT: Final[dict[bytes, tuple[bytes, Callable[[Sequence[Any]], Any]]]] = {
    b"MGET": (b"GET", list),
    b"SUNION": (b"SMEMBERS", _union),
    b"EXISTS": (b"EXISTS", sum),
    b"UNLINK": (b"UNLINK", sum),
    b"DEL": (b"DEL", sum),
}
