"""The one way from a table to a published snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.layout import Layout
from warmcube.entry.manifest import Manifest, Partition, fingerprint
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot
from warmcube.entry.seal import Seal
from warmcube.entry.sums import sums_form
from warmcube.errors import (
    StoreError,
    WarmMismatch,
)
from warmcube.model.schema import Datasource
from warmcube.source.api import PartitionCount, Source, SourceSnapshot
from warmcube.store.api import Command, Store
from warmcube.store.paced import WatchedStore
from warmcube.warm.ahead import one_ahead
from warmcube.warm.capacity import (
    check_policy,
    free_bytes,
    predict_bytes,
    predict_sums_bytes,
)
from warmcube.warm.carry import carry_partitions
from warmcube.warm.carrying import begin_carrying, end_carrying
from warmcube.warm.cleanup import expire_items, remove_items
from warmcube.warm.clearing import Clearing
from warmcube.warm.commands import Target, Written, write_commands
from warmcube.warm.dictionaries import CarriedDictionary, carry_dictionaries, write_dictionaries
from warmcube.warm.gather import Gathered
from warmcube.warm.lease import LEASE_SECONDS, Lease
from warmcube.warm.memory import give_back
from warmcube.warm.named import read_named
from warmcube.warm.publish import items_of, publish, retire
from warmcube.warm.refresh import (
    TOO_WIDE,
    Plan,
    Refresh,
    check_names,
    join_layouts,
    plan_refresh,
    plan_whole,
    why_whole,
)
from warmcube.warm.report import Phase, ProgressCallback, Reporter, WarmReport
from warmcube.warm.reservation import Reservation
from warmcube.warm.residue import remove_residue
from warmcube.warm.verify import check_counts, check_loss, verify

__all__ = ["WarmSettings", "Warmer"]

MANY_ROWS: Final = 2_000_000
"""Beyond them memory is given back half-way too, which takes some milliseconds."""

MOST_NAMES: Final = 100
"""Of so many refreshed and dropped partitions a report has the names."""

_LOST_DICTIONARY: Final = "a dictionary of the snapshot isn't whole any more"
_NO_ROOM: Final = "a text column has got more values than its dictionary has room for"


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
        keep_snapshots: how many superseded snapshots stay until their own end.
    """

    ttl: int = 14_400
    stale_for: int = 3_600
    batch_size: int = 5_000
    grace: float = 16.0
    allow_eviction: bool = False
    folder: Path | None = None
    lease_seconds: float = LEASE_SECONDS
    with_sums: bool = True
    keep_snapshots: int = 0

    def clearing(self, store: Store, keys: Keys, using: Seal) -> Clearing:
        """How is cleared up.

        Args:
            store: where.
            keys: of the data source.
            using: the seal.
        """
        life = float(self.ttl + self.stale_for)
        return Clearing(store, keys, using, self.grace, self.lease_seconds, life)


@dataclass(frozen=True, slots=True)
class _Life:
    """How long a snapshot will live, Unix milliseconds by the store's clock.

    Attributes:
        begun_ms: since when.
        fresh_until_ms: until then it is fresh.
        serve_until_ms: until then it may be served.
        least_ms: what it has carried over has to be there until then.
    """

    begun_ms: int
    fresh_until_ms: int
    serve_until_ms: int
    least_ms: int = 0

    @property
    def expires_ms(self) -> int:
        """When what is carried over expires."""
        return max(self.serve_until_ms, self.least_ms)


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

    @property
    def settings(self) -> WarmSettings:
        """What it needs of the configuration."""
        return self._settings

    def clearing(self, keys: Keys) -> Clearing:
        """Where and how is cleared up of a data source.

        Args:
            keys: of the data source.
        """
        return self._settings.clearing(self._store, keys, self._seal)

    @property
    def seal(self) -> Seal:
        """What the store's values bear."""
        return self._seal

    async def warm(
        self,
        datasource: Datasource,
        source: Source,
        *,
        force: bool = False,
        refresh: Refresh | None = None,
        progress: ProgressCallback | None = None,
        is_automatic: bool = False,
    ) -> WarmReport:
        """Read a table and publish it as the live snapshot.

        Args:
            datasource: what to warm.
            source: where its table is.
            force: publish although most rows are gone.
            refresh: what to read anew, while the rest is carried over; None for everything.
            progress: told as it happens, from the event loop.
            is_automatic: whether nobody asked for it, so that a pin forbids it.

        Raises:
            WarmInProgress: somebody else is warming it.
            WarmPinned: the data source is pinned, and nobody asked for this.
            UnknownPartition: the refresh names what is nowhere.
            WarmError: see the tree; whatever is raised, the old snapshot goes on serving.
            SourceError: the database.
            StoreError: the store.
        """
        check_policy(await self._store.memory(), allow_eviction=self._settings.allow_eviction)
        keys = Keys(self._namespace, datasource.id)
        seconds = self._settings.lease_seconds
        async with Lease(self._store, keys, seconds=seconds, is_automatic=is_automatic) as lease:
            run = _Run(self._store, keys, self._seal, self._settings, datasource, lease, progress)
            try:
                return await run.warm(source, force=force, refresh=refresh)
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
        self._store = WatchedStore(store)
        self._keys = keys
        self._seal = using
        self._settings = settings
        self._datasource = datasource
        self._lease = lease
        self._clearing = settings.clearing(store, keys, using)
        self._reservation = Reservation(store, keys)
        self._progress = Reporter(progress)
        self._written = Written()
        self._chunks: list[Chunks] = []
        self._base: Manifest | None = None
        self._published = False

    async def warm(
        self, source: Source, *, force: bool, refresh: Refresh | None = None
    ) -> WarmReport:
        await remove_residue(self._clearing)
        previous = (await read_named(self._store, self._keys, self._seal)).live
        async with source.snapshot(self._datasource) as snapshot:
            self._progress.enter(Phase.COUNTING)
            plan = await self._plan(snapshot, previous, refresh)
            plan, life, known = await self._carry(snapshot, plan)
            gathered = await self._read(snapshot, plan, known)
            if plan.base is not None and gathered.has_overflowed(known):
                gathered.spill.close()
                plan, life, known = await self._whole(snapshot, plan, _NO_ROOM)
                gathered = await self._read(snapshot, plan, known)
            as_of = snapshot.as_of
            schema = snapshot.schema
        if gathered.rows > MANY_ROWS:
            give_back()  # what reading needed, before encoding asks for more
        as_of_ms = int(as_of.timestamp() * 1000)
        try:
            check_counts(plan.counted, gathered)
            rows = gathered.rows + sum(each.rows for each in plan.carried.values())
            check_loss(previous, rows, force=force)
            await self._reserve(gathered)
            life = life or await self._new_life()
            target = Target(
                self._keys,
                self._lease.version,
                life.serve_until_ms,
                self._seal,
                self._settings.batch_size,
                self._settings.with_sums,
            )
            self._progress.enter(Phase.WRITING)
            await self._write(gathered, target, as_of_ms)
            dictionaries = await write_dictionaries(
                self._store,
                self._keys,
                self._seal,
                self._lease,
                gathered,
                known,
                life.expires_ms,
                self._chunks,
            )
        finally:
            gathered.spill.close()
        partitions, layouts = self._join(plan, gathered, as_of_ms)
        manifest = Manifest(
            version=self._lease.version,
            source=self._datasource.source,
            table=self._datasource.table,
            fingerprint=fingerprint(self._datasource, schema),
            schema=schema,
            roles=self._datasource.roles,
            layouts=layouts,
            partitions=partitions,
            dictionaries=dictionaries,
            seal=self._seal.name,
            warmed_ms=life.begun_ms,
            fresh_until_ms=life.fresh_until_ms,
            serve_until_ms=life.serve_until_ms,
            practices=self._written.owners["practice"].count,
            providers=self._written.owners["provider"].count,
        )
        if manifest.rows != rows:
            raise WarmMismatch(
                f"{rows:,} rows were read or carried over but {manifest.rows:,} written; nothing "
                "was published; please report this as a defect"
            )
        self._progress.enter(Phase.VERIFYING)
        await verify(self._store, self._keys, self._seal, self._lease, manifest, self._progress)
        self._progress.enter(Phase.PUBLISHING)
        report = self._report(manifest, as_of, plan)
        await publish(self._store, self._keys, self._seal, self._lease, manifest, report, plan.base)
        self._published = True
        self._progress.enter(Phase.CLEANING)
        with contextlib.suppress(StoreError):  # then the next warm removes them
            await self._reservation.release()
            await retire(self._clearing, self._settings.keep_snapshots)
            if self._base is not None:  # also where everything was read after all
                await end_carrying(self._store, self._keys, self._lease.version)
        self._progress.enter(Phase.DONE)
        return self._report(manifest, as_of, plan)

    async def _plan(
        self, snapshot: SourceSnapshot, previous: Manifest | None, refresh: Refresh | None
    ) -> Plan:
        """What to read, and what to carry over."""
        counted = await self._count(snapshot, previous, refresh)
        if refresh is None:
            return plan_whole(counted)
        check_names(
            refresh, {*(c.name for c in counted), *(previous.partitions if previous else ())}
        )
        because = why_whole(
            previous,
            self._datasource,
            snapshot.schema,
            self._seal.name,
            await self._store.now_ms(),
            refresh,
        )
        if because or previous is None:
            return plan_whole(counted, because)
        return plan_refresh(previous, counted, refresh)

    async def _count(
        self, snapshot: SourceSnapshot, previous: Manifest | None, refresh: Refresh | None
    ) -> list[PartitionCount]:
        """All partitions; with fingerprints where they are wanted, now or by the next warm."""
        if (
            (refresh is not None and refresh.changed)
            or self._datasource.change_column is not None
            or (previous is not None and previous.has_fingerprints)
        ):
            return await snapshot.fingerprint_by_partition()
        return await snapshot.count_by_partition()

    async def _carry(
        self, snapshot: SourceSnapshot, plan: Plan
    ) -> tuple[Plan, _Life | None, dict[str, CarriedDictionary]]:
        """Let what is carried over live on; what can't be is read with the rest.

        Returns:
            what is left to do, how long the snapshot will live (None: to be settled later), and
            the dictionaries that go on.
        """
        if plan.base is None:
            return plan, None, {}
        self._progress.enter(Phase.CARRYING)
        life = await self._new_life()
        if plan.lasts_as_before:
            life = _Life(plan.base.warmed_ms, plan.base.fresh_until_ms, plan.base.serve_until_ms)
        # Never less than now: the live snapshot needs these keys if this warm fails, and those that
        # are kept may have been made to last longer than it.
        named = await read_named(self._store, self._keys, self._seal)
        life = replace(life, least_ms=max(plan.base.serve_until_ms, named.needed_until_ms))
        self._base = plan.base
        await begin_carrying(self._store, self._keys, self._lease.version, plan.base.version)
        known = await carry_dictionaries(
            self._store, self._keys, self._seal, plan.base, life.expires_ms
        )
        if known is None:
            return await self._whole(snapshot, plan, _LOST_DICTIONARY)
        lost = await carry_partitions(
            self._store,
            self._keys,
            self._seal,
            self._lease,
            plan.carried,
            life.expires_ms,
            self._written,
            self._progress,
        )
        if lost:
            counted = await snapshot.count_by_partition()
            plan = plan.without(lost, [each for each in counted if each.name in lost])
        if plan.is_too_wide:
            return await self._whole(snapshot, plan, TOO_WIDE)
        return plan, life, known

    async def _whole(
        self, snapshot: SourceSnapshot, plan: Plan, because: str
    ) -> tuple[Plan, None, dict[str, CarriedDictionary]]:
        """Read everything after all."""
        self._written = Written()
        counted = await snapshot.count_by_partition()
        found = plan_whole(counted, because)
        return replace(found, fingerprints=plan.all_fingerprints), None, {}

    async def _new_life(self) -> _Life:
        now = await self._store.now_ms()
        fresh_until = now + self._settings.ttl * 1000
        return _Life(now, fresh_until, fresh_until + self._settings.stale_for * 1000)

    def _join(
        self, plan: Plan, gathered: Gathered, as_of_ms: int
    ) -> tuple[dict[PartitionName, Partition], tuple[Layout, ...]]:
        """All partitions of the new snapshot, and the layouts that they are of."""
        fresh = gathered.layout() if gathered.rows or not plan.carried else None
        layouts, carried, place = join_layouts(plan.base, plan.carried, fresh)
        if plan.is_proven:  # they were found to be what the source holds now
            carried = {name: replace(each, as_of_ms=as_of_ms) for name, each in carried.items()}
        written = {
            name: replace(each, layout=place, fingerprint=plan.fingerprints.get(name))
            for name, each in self._written.partitions.items()
        }
        return {**carried, **written}, layouts

    async def undo(self, error: BaseException) -> None:
        """Unlink what an unpublished warm wrote, as far as that can be done now."""
        if self._published:
            return
        items: list[MasterItem] = [
            PartitionVersion(name, self._lease.version) for name in self._written.started
        ]
        items += [*self._chunks, Snapshot(self._lease.version)]

        is_sure = not self._store.unanswered

        async def remove() -> None:
            await self._reservation.release()
            # A publication that is still under way somewhere must find the lease gone.
            await self._store.script("release", [self._keys.lock], [self._lease.value])
            named = await read_named(self._store, self._keys, self._seal)
            if named.has(Snapshot(self._lease.version)):
                return  # only the reply to its publication was lost
            now = await self._store.now_ms()
            await self._note_failure(error, now)
            # If it was published unnoticed and superseded, a later one may have carried some over.
            own = named.without(items)
            await remove_items(self._clearing, own, may_be_written=not is_sure)
            if self._base is not None and is_sure:
                # What was rolled back meanwhile goes after all, though it has just got more life.
                carried = named.without(items_of(self._base))
                at_ms = now + int(self._settings.grace * 1000)
                await expire_items(self._clearing, carried, at_ms, self._base)
                await end_carrying(self._store, self._keys, self._lease.version)

        with contextlib.suppress(StoreError, TimeoutError):  # its keys expire by themselves
            await asyncio.wait_for(asyncio.shield(remove()), timeout=30)

    async def _note_failure(self, error: BaseException, now_ms: int) -> None:
        """Have it in the history, once: a write is never repeated."""
        event: Command = (
            *(b"XADD", self._keys.history, b"MAXLEN", b"~", 500, b"*"),
            *(b"event", b"failed", b"version", str(self._lease.version).encode()),
            *(b"at", now_ms, b"error", type(error).__name__.encode()),
        )
        with contextlib.suppress(StoreError):
            await self._store.write([event])

    async def _read(
        self,
        snapshot: SourceSnapshot,
        plan: Plan,
        known: Mapping[str, CarriedDictionary],
    ) -> Gathered:
        """What a plan says, encoded by column."""
        self._progress.total_rows = sum(plan.counted.values())
        self._progress.enter(Phase.READING)
        only = None if plan.base is None else frozenset(plan.counted)
        count_entries = free_bytes(await self._store.memory()) is not None
        gathered = Gathered(
            snapshot.schema,
            self._datasource.roles,
            folder=self._settings.folder,
            count_entries=count_entries,
            known=None if plan.base is None else {name: d.values for name, d in known.items()},
        )
        stop = threading.Event()

        def read() -> None:
            for batch in snapshot.batches(only):
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

    def _report(self, manifest: Manifest, as_of: datetime, plan: Plan) -> WarmReport:
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
            refreshed=len(plan.counted),
            carried=len(plan.carried),
            dropped=len(plan.dropped),
            names=_names(self._written.partitions if plan.base else (), plan.dropped),
            because=plan.because,
        )


def _names(
    refreshed: Iterable[PartitionName], dropped: Iterable[PartitionName]
) -> dict[str, list[list[str | None]]]:
    """The names of some partitions, those of too many left out."""
    return {
        what: [[name.measure, name.frequency] for name in islice(names, MOST_NAMES)]
        for what, names in (("refreshed", refreshed), ("dropped", dropped))
    }


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
