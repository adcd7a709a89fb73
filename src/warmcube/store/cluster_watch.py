"""Finding out who holds what in a cluster: when somebody wants to know, and while it isn't well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final

from warmcube.errors import StoreError, StoreUnavailable
from warmcube.store.api import Command
from warmcube.store.cluster_nodes import Nodes
from warmcube.store.cluster_url import ClusterUrl
from warmcube.store.topology import Address, Topology

__all__ = ["Watch"]

WATCH_EVERY: Final = 0.25
"""Seconds between two looks at who holds what, while something is wrong."""
LOOK_SECONDS: Final = 0.5
"""What a node may take to say who holds what."""


class Watch:
    """What is known of a cluster, and who in it is in trouble.

    Args:
        url: of the cluster.
        nodes: its nodes; those that it turns out not to have any more are dropped.
    """

    def __init__(self, url: ClusterUrl, nodes: Nodes) -> None:
        self._url = url
        self._nodes = nodes
        self._looking: asyncio.Task[Topology] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_over = False
        self.topology: Topology | None = None
        self.troubled: set[Address] = set()
        """Nodes that didn't answer, and haven't since."""

    async def known(self) -> Topology:
        """Who holds what, as far as is known; at first somebody has to be asked.

        Raises:
            StoreUnavailable: nobody says.
        """
        topology = self.topology
        return await asyncio.shield(self.look()) if topology is None else topology

    def look(self) -> asyncio.Task[Topology]:
        """Have it found out who holds what; many that want to know it are one look."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._find_out())
            self._looking.add_done_callback(_heed)
        return self._looking

    def note(self, node: Address) -> None:
        """A node didn't answer, or said that the cluster is down."""
        self.troubled.add(node)
        self._watch()

    async def close(self) -> None:
        """Look no more, whatever happens."""
        self._is_over = True
        for task in (self._looking, self._watching):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, StoreError):
                    await task

    async def _find_out(self) -> Topology:
        known = set() if self.topology is None else self.topology.nodes
        said = await self._ask_all(known)
        if not any(isinstance(each, Topology) and each.is_whole for each in said):
            # Those that the URL names may know of others, or are the same by another name.
            said += await self._ask_all(dict.fromkeys(self._url.seeds).keys() - known)
        found = [each for each in said if isinstance(each, Topology)]
        if not found:
            failures = [each for each in said if isinstance(each, StoreError)]
            for each in said:
                if not isinstance(each, StoreError | Topology):
                    raise each
            raise StoreUnavailable(
                f"can't reach the cluster {self._url.place}: of {len(said)} nodes none says who "
                f"holds which slots ({failures[0]})"
            )
        # A node that was cut off may believe what was true before.
        best = max(found, key=lambda each: (each.is_whole, each.epoch))
        self.topology = best
        await self._nodes.keep(best.nodes)
        if not best.is_whole:
            self._watch()
        return best

    async def _ask_all(self, addresses: Iterable[Address]) -> list[Topology | BaseException]:
        return await asyncio.gather(*map(self._ask, addresses), return_exceptions=True)

    async def _ask(self, address: Address) -> Topology:
        commands: list[Command] = [(b"CLUSTER", b"INFO"), (b"CLUSTER", b"SLOTS")]
        info, slots = await self._nodes.at(address).run(commands, seconds=LOOK_SECONDS)
        return Topology.read(slots, info, address)

    def _watch(self) -> None:
        if not self._is_over and (self._watching is None or self._watching.done()):
            self._watching = asyncio.ensure_future(self._until_well())

    async def _until_well(self) -> None:
        """Look at who holds what until the cluster is whole and its nodes answer."""
        while True:
            await asyncio.sleep(WATCH_EVERY)
            with contextlib.suppress(StoreError):
                topology = await asyncio.shield(self.look())
                await asyncio.gather(*map(self._is_well, self.troubled & topology.nodes))
                self.troubled &= topology.nodes
                if topology.is_whole and not self.troubled:
                    return

    async def _is_well(self, address: Address) -> None:
        with contextlib.suppress(StoreError):
            await self._nodes.at(address).run([(b"PING",)], seconds=LOOK_SECONDS)
            self.troubled.discard(address)


def _heed(task: asyncio.Task[Topology]) -> None:
    """Whoever waits for it gets its failure, too; perhaps nobody waits."""
    if not task.cancelled():
        task.exception()
