"""Reading from replicas first, which may lag, and from the masters where one does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from warmcube.entry.keys import PartitionName
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.schema import Datasource
from warmcube.model.scope import Scope
from warmcube.query.known import KnownIndex
from warmcube.query.prepared import PreparedQuery
from warmcube.query.read import Reading
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.query.sums_reader import SumsReader
from warmcube.query.together import Need
from warmcube.store.api import Store

__all__ = ["LaggingReader"]

T = TypeVar("T")


class LaggingReader(SumsReader):
    """Asks replicas, and the masters again where a replica's answer doesn't prove itself.

    Only what the masters can't prove is damage. Exports and whole partitions are read from the
    masters: they take many trips, and would begin anew if a replica lacked the end.

    Args:
        store: of the masters.
        replicas: the same with reads on replicas.
        snapshots: what is known of live snapshots.
        seal: what values bear.
        known: what is known of the index.
        with_sums: whether sums are read at all.
    """

    def __init__(
        self,
        store: Store,
        replicas: Store,
        snapshots: Snapshots,
        seal: Seal,
        known: KnownIndex,
        *,
        with_sums: bool,
    ) -> None:
        super().__init__(store, snapshots, seal, known, with_sums=with_sums)
        self._on_replicas = SumsReader(replicas, snapshots, seal, known, with_sums=with_sums)

    async def read_query(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        name: PartitionName,
        scope: Scope,
        prepared: PreparedQuery,
    ) -> Reading:
        return await _either(
            lambda: self._on_replicas.read_query(datasource, live, name, scope, prepared),
            lambda: super(LaggingReader, self).read_query(datasource, live, name, scope, prepared),
        )

    async def read_together(
        self, datasource: Datasource, live: LiveSnapshot, needs: Sequence[Need]
    ) -> list[Reading]:
        return await _either(
            lambda: self._on_replicas.read_together(datasource, live, needs),
            lambda: super(LaggingReader, self).read_together(datasource, live, needs),
        )

    async def read_ids(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        name: PartitionName,
        scope: Scope,
        column: str,
    ) -> Reading:
        return await _either(
            lambda: self._on_replicas.read_ids(datasource, live, name, scope, column),
            lambda: super(LaggingReader, self).read_ids(datasource, live, name, scope, column),
        )

    async def read_partitions(
        self, datasource: Datasource, live: LiveSnapshot, scope: Scope
    ) -> tuple[tuple[PartitionName, ...], Reading]:
        return await _either(
            lambda: self._on_replicas.read_partitions(datasource, live, scope),
            lambda: super(LaggingReader, self).read_partitions(datasource, live, scope),
        )


async def _either(
    of_replicas: Callable[[], Awaitable[T]], of_masters: Callable[[], Awaitable[T]]
) -> T:
    try:
        return await of_replicas()
    except Damage:
        return await of_masters()
