"""The one way from a table to a published snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from warmcube.entry.dictionary import pack_chunks, packed_digest
from warmcube.entry.keys import Keys
from warmcube.entry.manifest import (
    ChunkRef,
    Dictionary,
    Manifest,
    fingerprint,
)
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot, format_item
from warmcube.entry.seal import Seal, seal
from warmcube.entry.sums import sums_form
from warmcube.errors import (
    StoreError,
    WarmMismatch,
)
from warmcube.model.schema import Datasource
from warmcube.source.api import Source, SourceSnapshot
from warmcube.store.api import Store
from warmcube.warm.ahead import one_ahead
from warmcube.warm.capacity import (
    check_policy,
    free_bytes,
    predict_bytes,
    predict_sums_bytes,
)
from warmcube.warm.cleanup import remove_items
from warmcube.warm.commands import Target, Written, write_commands
from warmcube.warm.gather import Gathered
from warmcube.warm.lease import LEASE_SECONDS, Lease
from warmcube.warm.memory import give_back
from warmcube.warm.publish import publish, read_previous, retire
from warmcube.warm.report import Phase, ProgressCallback, Reporter, WarmReport
from warmcube.warm.reservation import Reservation
from warmcube.warm.residue import remove_residue
from warmcube.warm.verify import check_counts, check_loss, verify

__all__ = ["WarmSettings", "Warmer"]

MANY_ROWS: Final = 2_000_000
"""Beyond them memory is given back half-way too, which takes some milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmSettings:
    """What a warm needs of the configuration.

    Attributes:
        ttl: seconds that a snapshot is fresh.
        stale_for: seconds beyond that for which it may be served.
        batch_size: entries per write, at most.
        grace: seconds that readers of a superseded snapshot may still need it.
        allow_eviction: whether a server that may evict the live snapshot is acceptable.
        folder: for the spill file; None for the system's.
        lease_seconds: how long a dead warmer keeps others out.
        with_sums: whether practice-level sums are written.
    """

    ttl: int = 14_400
    stale_for: int = 3_600
    batch_size: int = 5_000
    grace: float = 16.0
    allow_eviction: bool = False
    folder: Path | None = None
    lease_seconds: float = LEASE_SECONDS
    with_sums: bool = True


class Warmer:
    """Warms one data source at a time into one store.

    Args:
        store: the store.
        namespace: in front of every key.
        seal: what its values bear.
        settings: see `WarmSettings`.
    """

    def __init__(self, store: Store, namespace: str, seal: Seal, settings: WarmSettings) -> None:
        self._store = store
        self._namespace = namespace
        self._seal = seal
        self._settings = settings

    async def warm(
        self,
        datasource: Datasource,
        source: Source,
        *,
        force: bool = False,
        progress: ProgressCallback | None = None,
    ) -> WarmReport:
        """Read the whole table and publish it as the live snapshot.

        Args:
            datasource: what to warm.
            source: where its table is.
            force: publish although most rows are gone.
            progress: told as it happens, from the event loop.

        Raises:
            WarmInProgress: somebody else is warming it.
            WarmError: see the tree; whatever is raised, the old snapshot goes on serving.
            SourceError: the database.
            StoreError: the store.
        """
        check_policy(await self._store.memory(), allow_eviction=self._settings.allow_eviction)
        keys = Keys(self._namespace, datasource.id)
        async with Lease(self._store, keys, seconds=self._settings.lease_seconds) as lease:
            run = _Run(self._store, keys, self._seal, self._settings, datasource, lease, progress)
            try:
                return await run.warm(source, force=force)
            except BaseException as error:
                await run.undo(error)
                raise
            finally:
                give_back()


class _Run:
    """One warm, from its lease to its report."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        using: Seal,
        settings: WarmSettings,
        datasource: Datasource,
        lease: Lease,
        progress: ProgressCallback | None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._seal = using
        self._settings = settings
        self._datasource = datasource
        self._lease = lease
        self._reservation = Reservation(store, keys)
        self._progress = Reporter(progress)
        self._written = Written()
        self._chunks: list[Chunks] = []
        self._published = False

    async def warm(self, source: Source, *, force: bool) -> WarmReport:
        previous = await read_previous(self._store, self._keys, self._seal)
        await remove_residue(self._store, self._keys, previous, self._settings.lease_seconds)
        async with source.snapshot(self._datasource) as snapshot:
            self._progress.enter(Phase.COUNTING)
            counted = {c.name: c.rows for c in await snapshot.count_by_partition()}
            self._progress.total_rows = sum(counted.values())
            self._progress.enter(Phase.READING)
            gathered = await self._gather(snapshot)
            as_of = snapshot.as_of
            schema = snapshot.schema
        if gathered.rows > MANY_ROWS:
            give_back()  # what reading needed, before encoding asks for more
        try:
            check_counts(counted, gathered)
            check_loss(previous, gathered.rows, force=force)
            await self._reserve(gathered)
            now = await self._store.now_ms()
            fresh_until = now + self._settings.ttl * 1000
            serve_until = fresh_until + self._settings.stale_for * 1000
            target = Target(
                self._keys,
                self._lease.version,
                serve_until,
                self._seal,
                self._settings.batch_size,
                self._settings.with_sums,
            )
            self._progress.enter(Phase.WRITING)
            await self._write(gathered, target, int(as_of.timestamp() * 1000))
            dictionaries = await self._write_dictionaries(gathered, target)
        finally:
            gathered.spill.close()
        manifest = Manifest(
            version=self._lease.version,
            source=self._datasource.source,
            table=self._datasource.table,
            fingerprint=fingerprint(self._datasource, schema),
            schema=schema,
            roles=self._datasource.roles,
            layouts=(gathered.layout(),),
            partitions=self._written.partitions,
            dictionaries=dictionaries,
            seal=self._seal.name,
            warmed_ms=now,
            fresh_until_ms=fresh_until,
            serve_until_ms=serve_until,
            practices=self._written.owners["practice"].count,
            providers=self._written.owners["provider"].count,
        )
        if manifest.rows != gathered.rows:
            raise WarmMismatch(
                f"{gathered.rows:,} rows were read but {manifest.rows:,} written; nothing was "
                "published; please report this as a defect"
            )
        self._progress.enter(Phase.VERIFYING)
        await verify(self._store, self._keys, self._seal, self._lease, manifest, self._progress)
        self._progress.enter(Phase.PUBLISHING)
        report = self._report(manifest, as_of)
        await publish(self._store, self._keys, self._seal, self._lease, manifest, report)
        self._published = True
        self._progress.enter(Phase.CLEANING)
        with contextlib.suppress(StoreError):  # then the next warm removes them
            await self._reservation.release()
            await retire(self._store, self._keys, previous, self._settings.grace)
        self._progress.enter(Phase.DONE)
        return self._report(manifest, as_of)

    async def undo(self, error: BaseException) -> None:
        """Unlink what an unpublished warm wrote, as far as that can be done now."""
        if self._published:
            return
        items: list[MasterItem] = [
            PartitionVersion(name, self._lease.version) for name in self._written.started
        ]
        items += [*self._chunks, Snapshot(self._lease.version)]

        async def remove() -> None:
            (current,) = await self._store.run([(b"GET", self._keys.current)])
            if current == str(self._lease.version).encode():
                await self._reservation.release()  # only the reply to its publication was lost
                return
            now = await self._store.now_ms()
            await self._store.run(
                [
                    (
                        *(b"XADD", self._keys.history, b"MAXLEN", b"~", 500, b"*"),
                        *(b"event", b"failed", b"version", str(self._lease.version).encode()),
                        *(b"at", now, b"error", type(error).__name__.encode()),
                    )
                ]
            )
            await self._reservation.release()
            await remove_items(self._store, self._keys, items)

        with contextlib.suppress(StoreError, TimeoutError):  # its keys expire by themselves
            await asyncio.wait_for(asyncio.shield(remove()), timeout=30)

    async def _gather(self, snapshot: SourceSnapshot) -> Gathered:
        count_entries = free_bytes(await self._store.memory()) is not None
        gathered = Gathered(
            snapshot.schema,
            self._datasource.roles,
            folder=self._settings.folder,
            count_entries=count_entries,
        )
        stop = threading.Event()

        def read() -> None:
            for batch in snapshot.batches():
                if stop.is_set():
                    return
                gathered.add(batch)

        task = asyncio.ensure_future(asyncio.to_thread(read))
        try:
            while not task.done():
                await asyncio.wait([task], timeout=0.1)
                self._progress.update(rows=gathered.rows)
                await self._lease.ensure()
            await task
        except BaseException:
            stop.set()
            with contextlib.suppress(BaseException):
                await asyncio.shield(task)
            gathered.spill.close()
            raise
        return gathered

    async def _reserve(self, gathered: Gathered) -> None:
        memories = await self._store.memory()
        if free_bytes(memories) is None or gathered.entries is None:
            return
        label = len(self._keys.manifest(str(self._lease.version))) + 40
        predicted = predict_bytes(
            gathered.rows, gathered.layout().width, gathered.text_bytes, gathered.entries, label
        )
        form = sums_form(gathered.layout(), gathered.roles) if self._settings.with_sums else None
        if form is not None and gathered.practices is not None:
            predicted += predict_sums_bytes(
                gathered.rows, form.layout.width, gathered.entries, gathered.practices, label
            )
        rows = dict(zip(gathered.partitions, gathered.rows_of.tolist(), strict=True))
        seconds = 10 * self._settings.lease_seconds
        await self._reservation.take(memories, predicted, rows, seconds)

    async def _write(self, gathered: Gathered, target: Target, as_of_ms: int) -> None:
        commands = write_commands(gathered, target, self._written, as_of_ms)
        async for chunk in one_ahead(commands):
            await self._lease.ensure()
            await self._store.write(chunk)
            written = self._written
            self._progress.update(rows=written.rows, entries=written.entries, bytes=written.bytes)

    async def _write_dictionaries(
        self, gathered: Gathered, target: Target
    ) -> dict[str, Dictionary]:
        dictionaries: dict[str, Dictionary] = {}
        carried = {column.name for column in gathered.carried}
        for column, text in gathered.texts.items():
            if column not in carried or text.overflowed:
                continue
            chunks = pack_chunks(text.values)
            item = Chunks(column, target.version, len(chunks))
            self._chunks.append(item)
            await self._store.write([(b"SADD", self._keys.master, format_item(item))])
            for number, chunk in enumerate(chunks):
                await self._lease.ensure()
                key = self._keys.dictionary(column, str(target.version), number)
                value = seal(self._seal, key, chunk)
                await self._store.write([(b"SET", key, value, b"PXAT", target.expires_ms)])
            dictionaries[column] = Dictionary(
                (ChunkRef(target.version, len(chunks)),), len(text.values), packed_digest(chunks)
            )
        return dictionaries

    def _report(self, manifest: Manifest, as_of: datetime) -> WarmReport:
        partitions = manifest.partitions.values()
        return WarmReport(
            datasource=self._datasource.id,
            snapshot=str(manifest.version),
            rows=manifest.rows,
            entries=manifest.entries,
            partitions=len(manifest.partitions),
            bytes=sum(p.entry_bytes for p in partitions),
            index_bytes=sum(p.index_bytes for p in partitions),
            sums_bytes=sum(p.sums_bytes for p in partitions),
            seconds=round(self._progress.seconds, 3),
            phases=self._progress.phases(),
            as_of=as_of.astimezone(UTC).isoformat(),
            fresh_until=_instant(manifest.fresh_until_ms),
            serve_until=_instant(manifest.serve_until_ms),
        )


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
