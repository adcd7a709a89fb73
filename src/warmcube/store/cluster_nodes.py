"""The nodes of a cluster: an adapter for each, for as long as the cluster has it."""

from __future__ import annotations

from collections.abc import Collection

from warmcube.store.api import Down
from warmcube.store.cluster_url import ClusterUrl
from warmcube.store.redis import RedisStore
from warmcube.store.topology import Address

__all__ = ["Nodes"]


class Nodes:
    """Makes adapters when they are asked for.

    Args:
        url: of the cluster.
        timeout: seconds for a trip that says nothing else.
    """

    def __init__(self, url: ClusterUrl, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._masters: dict[Address, RedisStore] = {}
        self._replicas: dict[Address, RedisStore] = {}

    def at(self, address: Address) -> RedisStore:
        """The node at an address, which answers for those slots only whose master it is."""
        node = self._masters.get(address)
        if node is None:
            place = f"{self._url.scheme}://{address}"
            node = RedisStore(self._url.of(address), place=place, timeout=self._timeout)
            self._masters[address] = node
        return node

    def replica_at(self, address: Address) -> RedisStore:
        """The same node, which answers reads of its master's slots too, as far as it has got."""
        node = self._replicas.get(address)
        if node is None:
            node = self._replicas[address] = self.at(address).of_replica()
        return node

    def down(self, addresses: Collection[Address]) -> list[Down]:
        """Those of some nodes that are given up until they answer again."""
        found = [node.down() for address, node in self._masters.items() if address in addresses]
        return [down for each in found for down in each]

    async def keep(self, addresses: Collection[Address]) -> None:
        """Drop all others: no connection to them is kept, and nobody looks whether they are back.

        Trips that are under way end in peace.
        """
        for adapters in (self._masters, self._replicas):
            for address in adapters.keys() - addresses:
                await adapters.pop(address).retire()

    async def close(self) -> None:
        """Close all connections."""
        for node in (*self._replicas.values(), *self._masters.values()):
            await node.close()
