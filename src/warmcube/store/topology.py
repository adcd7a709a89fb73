"""Who holds which slots of a Redis Cluster, as one of its nodes says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from warmcube.store.slots import SLOTS

__all__ = ["Address", "Shard", "Topology"]

_NO_HOST: Final = frozenset({"", "?"})
"""What nodes write for a host that they don't know: that at which they were asked."""
_ADDRESS: Final = b"ip"


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, asked: Address) -> Address:
        """An address as nodes write it, which leave out their host where they don't know it.

        Args:
            text: ``host:port``; an IPv6 address may stand in it as it is.
            asked: the node that wrote it.
        """
        host, _, port = text.rpartition(":")
        host = host.strip("[]")
        return cls(asked.host if host in _NO_HOST else host, int(port))


class Shard(NamedTuple):
    """A master and its replicas."""

    master: Address
    replicas: tuple[Address, ...] = ()


@dataclass(slots=True)
class Topology:
    """All shards.

    Attributes:
        shards: by slot; None where nobody holds it.
        is_whole: whether the node that said so finds the cluster well.
        epoch: a later one knows more.
    """

    shards: list[Shard | None] = field(default_factory=lambda: [None] * SLOTS)
    is_whole: bool = True
    epoch: int = 0

    @classmethod
    def read(cls, slots: Iterable[Sequence[Any]], info: bytes, asked: Address) -> Topology:
        """What a node's replies say.

        Args:
            slots: its reply to ``CLUSTER SLOTS``.
            info: its reply to ``CLUSTER INFO``.
            asked: where it listens.
        """
        facts = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
        topology = cls(
            is_whole=facts.get("cluster_state") == "ok",
            epoch=int(facts.get("cluster_current_epoch", 0)),
        )
        for first, last, *nodes in slots:
            if not nodes:
                continue
            master, *replicas = (_address(node, asked) for node in nodes)
            held = Shard(master, tuple(replicas))
            topology.shards[first : last + 1] = [held] * (last + 1 - first)
        return topology

    @property
    def masters(self) -> list[Address]:
        """All masters that hold slots, those of lower slots first."""
        return list(dict.fromkeys(shard.master for shard in self.shards if shard is not None))

    @property
    def nodes(self) -> set[Address]:
        """All masters that hold slots, and their replicas."""
        shards = {shard for shard in self.shards if shard is not None}
        return {node for shard in shards for node in (shard.master, *shard.replicas)}

    def move(self, slot: int, master: Address) -> None:
        """A slot has moved, as the master says that had it."""
        known = next((s for s in self.shards if s is not None and s.master == master), None)
        self.shards[slot] = known or Shard(master)


def _address(node: Sequence[Any], asked: Address) -> Address:
    host, port, *more = node
    named = "" if host is None else host.decode()
    if named in _NO_HOST:
        # A node whose name isn't known may have an address all the same.
        facts = list(more[1]) if len(more) > 1 else []
        told = dict(zip(facts[::2], facts[1::2], strict=False)).get(_ADDRESS) or b""
        named = told.decode() or asked.host
    return Address(named, int(port))
