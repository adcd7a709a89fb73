"""What the rest of warmcube may ask of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

__all__ = ["Command", "Down", "Memory", "Reply", "Store", "pairs_of"]

Command: TypeAlias = tuple[bytes | int, ...]
"""A command's words; the second one is the key that says where it goes. All keys of a command lie
in one cluster slot. What has no key goes to any one server."""

Reply: TypeAlias = Any
"""bytes, int, None, or lists of these."""


def pairs_of(reply: Reply) -> dict[bytes, bytes]:
    """The fields and values of a hash, of all that a command gave of it."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of one master, in bytes; `limit` 0 is none."""

    node: str
    used: int
    limit: int
    policy: str


@dataclass(frozen=True, slots=True)
class Down:
    """A server whose breaker is open, and why."""

    node: str
    why: str


class Store(Protocol):
    """One server or cluster, speaking only commands that Redis 6.2 and any Valkey have."""

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        """Run commands in one trip, in order per slot; idempotent ones only.

        They may run twice if the connection breaks.

        Args:
            commands: what to run.
            seconds: at most; None takes the store's own.

        Raises:
            StoreUnavailable: no connection, or no answer in time.
            StoreRefused: a command was answered with an error.
            Damage: a key holds another type than the command is for.
        """
        ...

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        """Run many writing commands in one trip without keeping their replies.

        Every reply is read; the first error fails the whole.

        Args:
            commands: each as its words, or packed already (`warmcube.store.wire`).

        Raises:
            StoreUnavailable: no connection, or no answer in time.
            StoreRefused: a command was answered with an error.
            StoreTooSmall: the server is out of memory.
        """
        ...

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        """Run one of the scripts in ``store/scripts``, at most once; all keys lie in one slot.

        Raises:
            StoreUnavailable: no connection, or no answer in time; it may or may not have run.
            StoreRefused: it was answered with an error.
        """
        ...

    def down(self) -> list[Down]:
        """The servers that are given up until a probe finds them well; asks nobody."""
        ...

    async def now_ms(self) -> int:
        """The store's clock, Unix milliseconds; of a cluster it is one master's as long as that
        answers.
        """
        ...

    async def memory(self) -> list[Memory]:
        """Used memory, limit and eviction policy of each master."""
        ...

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        """Which master holds each key, by the name that its `Memory` has.

        Raises:
            StoreUnavailable: nobody can be asked, or nobody holds one of them.
        """
        ...

    async def await_replicas(self, key: bytes, seconds: float, *, everywhere: bool = False) -> None:
        """Wait until the replicas of the master that has `key` hold what was written before.

        Args:
            key: says which master; what begins so may be written and removed.
            seconds: at most.
            everywhere: the replicas of all other masters too.

        Raises:
            StoreUnavailable: if one of them doesn't within so many seconds.
        """
        ...

    async def close(self) -> None: ...
