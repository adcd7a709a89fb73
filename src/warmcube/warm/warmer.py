"""The one way from a table to a published snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from warmcube.entry.counts import TOTAL, unpack_total
from warmcube.entry.dictionary import pack_chunks, packed_digest
from warmcube.entry.keys import Keys, PartitionName, Version
from warmcube.entry.manifest import (
    ChunkRef,
    Dictionary,
    Manifest,
    fingerprint,
    pack_manifest,
    unpack_manifest,
)
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot, format_item
from warmcube.entry.seal import Seal, seal, unseal
from warmcube.errors import (
    Damage,
    StoreError,
    WarmFenced,
    WarmMismatch,
    WarmRefused,
)
from warmcube.model.schema import Datasource
from warmcube.source.api import Source, SourceSnapshot
from warmcube.store.api import Command, Store
from warmcube.warm.capacity import check_policy, free_bytes, predict_bytes, too_small
from warmcube.warm.cleanup import expire_items, is_named, master_items, remove_items
from warmcube.warm.commands import Target, Written, write_commands
from warmcube.warm.gather import Gathered
from warmcube.warm.lease import LEASE_SECONDS, Lease
from warmcube.warm.report import Phase, ProgressCallback, Reporter, WarmReport

__all__ = ["WarmSettings", "Warmer"]

MAX_LOSS: Final = 0.5
"""A snapshot that holds less than this share of the previous one's rows needs ``--force``."""

VERIFY_CHUNK: Final = 300

T = TypeVar("T")


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
    """

    ttl: int = 14_400
    stale_for: int = 3_600
    batch_size: int = 5_000
    grace: float = 16.0
    allow_eviction: bool = False
    folder: Path | None = None
    lease_seconds: float = LEASE_SECONDS


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
        self._progress = Reporter(progress)
        self._written = Written()
        self._chunks: list[Chunks] = []
        self._published = False

    async def warm(self, source: Source, *, force: bool) -> WarmReport:
        previous = await self._previous()
        await self._clean_up(previous)
        async with source.snapshot(self._datasource) as snapshot:
            self._progress.enter(Phase.COUNTING)
            counted = {c.name: c.rows for c in await snapshot.count_by_partition()}
            self._progress.total_rows = sum(counted.values())
            self._progress.enter(Phase.READING)
            gathered = await self._gather(snapshot)
            as_of = snapshot.as_of
            schema = snapshot.schema
        try:
            self._compare(counted, gathered)
            self._check_loss(previous, gathered, force=force)
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
        await self._verify(manifest)
        self._progress.enter(Phase.PUBLISHING)
        report = self._report(manifest, as_of)
        await self._publish(manifest, report)
        self._progress.enter(Phase.CLEANING)
        await self._retire(previous)
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
            await self._unreserve()
            await remove_items(self._store, self._keys, items)

        with contextlib.suppress(StoreError, TimeoutError):  # its keys expire by themselves
            await asyncio.wait_for(asyncio.shield(remove()), timeout=30)

    async def _previous(self) -> Manifest | None:
        (current,) = await self._store.run([(b"GET", self._keys.current)])
        if current is None:
            return None
        key = self._keys.manifest(current.decode("ascii", "replace"))
        (value,) = await self._store.run([(b"GET", key)])
        with contextlib.suppress(Damage):
            return unpack_manifest(unseal(self._seal, key, value, "the manifest"))
        return None

    async def _clean_up(self, previous: Manifest | None) -> None:
        """Remove what crashed warms left behind and cross off what has expired."""
        dead_below = await self._dead_below()
        items = [
            item
            for item in await master_items(self._store, self._keys)
            if not is_named(item, previous) and item.version.fence < dead_below
        ]
        versions = {item.version for item in items}
        in_grace: set[Version] = set()
        for version in versions:
            (held,) = await self._store.run([(b"EXISTS", self._keys.retired(str(version)))])
            if held:
                in_grace.add(version)
        gone = [item for item in items if item.version not in in_grace]
        await remove_items(self._store, self._keys, gone)

    async def _dead_below(self) -> int:
        """The fencing number below which every warm lost its lease at least a lease ago."""
        now, (events,) = (
            await self._store.now_ms(),
            await self._store.run([(b"XREVRANGE", self._keys.history, b"+", b"-", b"COUNT", 100)]),
        )
        for _, pairs in events:
            facts = dict(zip(pairs[::2], pairs[1::2], strict=True))
            if facts.get(b"event") not in (b"begin", b"invalidate"):
                continue
            if int(facts[b"at"]) <= now - self._settings.lease_seconds * 1000:
                return Version.parse(facts[b"version"]).fence
        return 0

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

    def _compare(self, counted: dict[PartitionName, int], gathered: Gathered) -> None:
        read = dict(zip(gathered.partitions, gathered.rows_of.tolist(), strict=True))
        if read == counted:
            return
        differing = [
            name for name in counted.keys() | read.keys() if counted.get(name) != read.get(name)
        ]
        name = min(differing, key=lambda n: (n.measure or "", n.frequency or ""))
        raise WarmMismatch(
            f"{len(differing)} partitions were read with another number of rows than the source "
            f"counts, among them measure {name.measure!r}, frequency {name.frequency!r}: "
            f"{read.get(name, 0):,} rows read, {counted.get(name, 0):,} counted; nothing was "
            "published; warm again, and if it happens again check the table for corruption"
        )

    def _check_loss(self, previous: Manifest | None, gathered: Gathered, *, force: bool) -> None:
        if previous is None or force or gathered.rows >= previous.rows * MAX_LOSS:
            return
        raise WarmRefused(
            f"the table holds {gathered.rows:,} rows where the live snapshot holds "
            f"{previous.rows:,}; that looks like a load that is half done; if it is right, warm "
            "with --force"
        )

    async def _reserve(self, gathered: Gathered) -> None:
        memories = await self._store.memory()
        free = free_bytes(memories)
        if free is None or gathered.entries is None:
            return
        label = len(self._keys.manifest(str(self._lease.version))) + 40
        predicted = predict_bytes(
            gathered.rows, gathered.layout().width, gathered.text_bytes, gathered.entries, label
        )
        now = await self._store.now_ms()
        until = now + int(10 * self._settings.lease_seconds * 1000)
        outcome = await self._store.script(
            "reserve",
            [self._keys.reservations],
            [str(self._datasource.id).encode(), predicted, until, now, max(0, free)],
        )
        if outcome != b"ok":
            raise too_small(memories, predicted, int(outcome))

    async def _unreserve(self) -> None:
        field = str(self._datasource.id).encode()
        await self._store.run([(b"HDEL", self._keys.reservations, field)])

    async def _write(self, gathered: Gathered, target: Target, as_of_ms: int) -> None:
        commands = write_commands(gathered, target, self._written, as_of_ms)
        async for chunk in _ahead(commands):
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

    async def _verify(self, manifest: Manifest) -> None:
        """Read back, for every partition, that all of it is there and proves itself."""
        done = 0
        partitions = list(manifest.partitions.items())
        for at in range(0, len(partitions), VERIFY_CHUNK):
            await self._lease.ensure()
            share = partitions[at : at + VERIFY_CHUNK]
            all_keys = [self._keys.partition(name, str(p.version)) for name, p in share]
            commands: list[Command] = []
            for keys in all_keys:
                commands += [
                    (b"SCARD", keys.all),
                    (b"HLEN", keys.counts),
                    (b"HGET", keys.counts, TOTAL),
                ]
            replies = iter(await self._store.run(commands))
            for (name, partition), keys in zip(share, all_keys, strict=True):
                members, fields, packed = next(replies), next(replies), next(replies)
                total = unpack_total(keys.counts, packed, self._seal)
                if (members, fields, total.entries, total.rows) != (
                    partition.entries,
                    total.fields,
                    partition.entries,
                    partition.rows,
                ):
                    raise WarmMismatch(
                        f"measure {name.measure!r}, frequency {name.frequency!r} was written with "
                        f"{partition.entries:,} entries but reads back with {members:,}; nothing "
                        "was published; something else removes keys from this server: check its "
                        "eviction policy and who uses it, then warm again"
                    )
                done += partition.rows
            self._progress.update(rows=done)

    async def _publish(self, manifest: Manifest, report: WarmReport) -> None:
        version = str(manifest.version)
        key = self._keys.manifest(version)
        value = seal(self._seal, key, pack_manifest(manifest))
        await self._lease.ensure()
        await self._store.write(
            [(b"SADD", self._keys.master, format_item(Snapshot(manifest.version)))]
        )
        await self._store.write([(b"SET", key, value, b"PXAT", manifest.serve_until_ms)])
        await self._store.await_replicas(self._keys.current, 10.0)
        outcome = await self._store.script(
            "publish",
            [
                self._keys.lock,
                self._keys.fence,
                self._keys.current,
                key,
                self._keys.last_warm,
                self._keys.history,
            ],
            [
                self._lease.value,
                version.encode(),
                b"",
                manifest.serve_until_ms,
                await self._store.now_ms(),
                self._keys.channel,
                json.dumps(asdict(report)).encode(),
            ],
        )
        if outcome != b"ok":
            reasons = {
                b"lease": "its lease ran out, or the store was emptied",
                b"fence": "the data source was invalidated or warmed by somebody else meanwhile",
                b"manifest": "its manifest is gone from the store",
            }
            raise WarmFenced(
                f"the warm of data source {self._datasource.id} was not published: "
                f"{reasons.get(outcome, 'the store changed')}; warm again"
            )
        self._published = True

    async def _retire(self, previous: Manifest | None) -> None:
        """Let the previous snapshot's keys expire once no reader can need them."""
        with contextlib.suppress(StoreError):  # then the next warm removes them
            await self._unreserve()
            if previous is None or previous.version == self._lease.version:
                return
            await self._store.await_replicas(self._keys.current, 10.0)
            items: list[MasterItem] = [
                PartitionVersion(name, partition.version)
                for name, partition in previous.partitions.items()
            ]
            for column, dictionary in previous.dictionaries.items():
                items += [Chunks(column, run.version, run.chunks) for run in dictionary.runs]
            items.append(Snapshot(previous.version))
            at = await self._store.now_ms() + int(self._settings.grace * 1000)
            await expire_items(self._store, self._keys, items, at)

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
            seconds=round(self._progress.seconds, 3),
            phases=self._progress.phases(),
            as_of=as_of.astimezone(UTC).isoformat(),
            fresh_until=_instant(manifest.fresh_until_ms),
            serve_until=_instant(manifest.serve_until_ms),
        )


async def _ahead(items: Iterator[T]) -> AsyncIterator[T]:
    """A blocking iterator in a thread, one item ahead of whoever consumes it."""
    done = object()

    def following() -> object:
        return next(items, done)

    task = asyncio.ensure_future(asyncio.to_thread(following))
    try:
        while (item := await task) is not done:
            task = asyncio.ensure_future(asyncio.to_thread(following))
            yield item  # type: ignore[misc]
    finally:
        if not task.done():
            with contextlib.suppress(Exception):
                await asyncio.shield(task)


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
