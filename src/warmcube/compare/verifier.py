"""Verifying a snapshot: by itself, and against its database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from warmcube.audit.events import Verified
from warmcube.audit.trail import Trail
from warmcube.compare.canonical import arrow_values, column_values
from warmcube.compare.columns import common_columns
from warmcube.compare.draw import draw_slices
from warmcube.compare.figures import Tally, differences
from warmcube.compare.reading import DatabaseReading, read_checksums
from warmcube.compare.report import (
    Finding,
    Findings,
    Stage,
    Table,
    Verdict,
    VerifyProgress,
    VerifyReport,
    advice,
)
from warmcube.compare.slices import Rows, Slice, compare, rows_of
from warmcube.compare.stored import StoredSnapshot
from warmcube.compare.sums import SumsCheck
from warmcube.entry.keys import PartitionName
from warmcube.entry.manifest import Partition
from warmcube.entry.seal import Seal
from warmcube.errors import (
    Damage,
    NothingToVerify,
    SourceError,
    UnsupportedValue,
    VerifyError,
    WarmcubeError,
)
from warmcube.model.schema import Datasource, Schema
from warmcube.query.answering import DamageMet
from warmcube.query.lookup import PointerMoved
from warmcube.query.snapshots import Snapshots
from warmcube.source.api import Source, SourceSnapshot
from warmcube.store.api import Store

__all__ = ["DEFAULT_SAMPLE", "MOST_SAMPLE", "Verifier"]

DEFAULT_SAMPLE: Final = 50
"""Slices that are compared row by row."""

MOST_SAMPLE: Final = 10_000
"""Of more, all of a small table would be read again slice by slice."""

MOST_SLICE_ROWS: Final = 100_000
"""Of a slice: larger ones would be held in memory twice, as Python's objects."""

ATTEMPTS: Final = 3

_WHAT: Final = {
    "rows": "the number of rows differs",
    "nulls": "the number of NULLs differs",
    "sum": "the sum differs",
    "range": "the least or the greatest differs",
}


class Verifier:
    """Verifies snapshots; changes nothing.

    Args:
        store: where they are.
        namespace: of their keys.
        seal: what their values bear.
        sources: the databases, by name.
        trail: has it written who verified what.
        met_damage: told of all that isn't whole, so that it is repaired.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        seal: Seal,
        sources: Mapping[str, Source],
        trail: Trail,
        met_damage: DamageMet,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._seal = seal
        self._sources = sources
        self._trail = trail
        self._met_damage = met_damage

    async def verify(
        self,
        datasource: Datasource,
        *,
        actor: str,
        sample: int = DEFAULT_SAMPLE,
        seed: int,
        progress: VerifyProgress | None = None,
    ) -> VerifyReport:
        """Compare the live snapshot with its database, and prove it by itself.

        Args:
            datasource: which one.
            actor: who asks for it.
            sample: how many slices are compared row by row.
            seed: what they are drawn with.
            progress: told as it goes, from the event loop.

        Raises:
            NothingToVerify: nothing is live.
            VerifyError: what is live is never the same for long enough.
            Damage: the manifest isn't whole.
            SourceError: the database, and the cache by itself is whole.
            StoreError: the store.
        """
        began = time.monotonic()
        verified = partial(Verified, actor=actor, datasource=datasource.id)
        try:
            report = await self._attempts(datasource, sample, seed, progress, began)
        except BaseException as error:
            if isinstance(error, Damage):
                self._met_damage(datasource.id, None, error)
            self._trail.note(verified(outcome="failed", error=type(error).__name__))
            raise
        self._trail.note(
            verified(
                outcome="done",
                snapshot=report.snapshot,
                verdict=report.verdict.value,
                findings=report.findings_total,
                rows=report.rows,
                seconds=report.seconds,
            )
        )
        return report

    async def _attempts(
        self,
        datasource: Datasource,
        sample: int,
        seed: int,
        progress: VerifyProgress | None,
        began: float,
    ) -> VerifyReport:
        for _ in range(ATTEMPTS):
            # New ones each time: a manifest or a dictionary that is known would not be read.
            snapshots = Snapshots(self._store, self._namespace, self._seal)
            live = await snapshots.load(datasource)
            if live is None and snapshots.is_disabled(datasource.id):
                raise NothingToVerify(
                    f"data source {datasource.id} ({datasource.name}) is switched off, so nothing "
                    f"of it is live; switch it on first: warmcube enable {datasource.id}"
                )
            if live is None:
                raise NothingToVerify(
                    f"data source {datasource.id} ({datasource.name}) is cold, so there is nothing "
                    f"to verify; warm it first: warmcube warm {datasource.id}"
                )
            stored = StoredSnapshot(self._store, snapshots, self._seal, datasource, live)
            run = _Run(stored, self._sources[datasource.source], sample, seed, progress)
            try:
                report = await run.verify(began)
            except PointerMoved:
                continue
            for name, what in run.findings.damaged.items():
                damage = Damage(what)
                damage.partition = name
                self._met_damage(datasource.id, report.snapshot, damage)
            return report
        raise VerifyError(
            f"data source {datasource.id} ({datasource.name}) was warmed or invalidated while it "
            f"was verified, {ATTEMPTS} times; try again when nothing warms it"
        )


@dataclass(slots=True)
class _Run:
    """One verification of one snapshot."""

    stored: StoredSnapshot
    source: Source
    sample: int
    seed: int
    progress: VerifyProgress | None
    findings: Findings = field(default_factory=Findings)
    slices: int = 0
    slice_rows: int = 0
    left_out: int = 0
    rows: int = 0
    entries: int = 0

    async def verify(self, began: float) -> VerifyReport:
        database, failure = None, None
        try:
            database = await self._read_database(known=self.stored.live.manifest.schema)
        except SourceError as error:
            failure = error
        await self._read_cache(database)
        if failure is not None and self.findings.worst is not Verdict.DAMAGED:
            raise failure
        if database is not None:
            self._find_new_partitions(database)
        return self._report(database, failure, time.monotonic() - began)

    def _report(
        self, database: DatabaseReading | None, failure: WarmcubeError | None, seconds: float
    ) -> VerifyReport:
        manifest, datasource = self.stored.live.manifest, self.stored.datasource
        worst = self.findings.worst
        as_of = datetime.fromtimestamp(manifest.as_of_ms / 1000, UTC).isoformat()
        return VerifyReport(
            datasource=datasource.id,
            snapshot=str(manifest.version),
            verdict=worst,
            advice=advice(worst, datasource.id, as_of),
            as_of=as_of,
            compared_at=None if database is None else database.as_of.isoformat(),
            change_column=datasource.change_column,
            has_fingerprints=manifest.has_fingerprints,
            partitions=len(manifest.partitions),
            rows=self.rows,
            database_rows=0 if database is None else database.rows,
            entries=self.entries,
            slices=self.slices,
            slice_rows=self.slice_rows,
            slices_left_out=self.left_out,
            seed=self.seed,
            findings=tuple(self.findings.listed),
            findings_total=self.findings.total,
            database_error=None if failure is None else str(failure),
            seconds=round(seconds, 3),
        )

    # The database.

    async def _read_database(self, known: Schema | None) -> DatabaseReading:
        before = self.slices, self.slice_rows, self.left_out
        try:
            async with self.source.snapshot(self.stored.datasource, known=known) as snapshot:
                return await self._read_snapshot(snapshot)
        except UnsupportedValue:
            if known is None:
                raise
            # A numeric whose digits were taken as known, and which has grown since.
            self.slices, self.slice_rows, self.left_out = before
            self.findings = Findings()
            return await self._read_database(known=None)

    async def _read_snapshot(self, snapshot: SourceSnapshot) -> DatabaseReading:
        manifest = self.stored.live.manifest
        self._tell(Stage.DATABASE, 0, manifest.rows)
        common = common_columns(manifest.schema, snapshot.schema)
        for what in common.differing:
            self.findings.add(
                Finding(kind="schema", what=what, is_of_partition=False, table=Table.CHANGED)
            )
        figures = {each.name: each for each in await snapshot.figures_by_partition()}
        reading = DatabaseReading(snapshot.as_of, common, figures)
        if manifest.has_fingerprints:
            held = await snapshot.fingerprint_by_partition()
            reading.fingerprints = {each.name: each.fingerprint for each in held}
        reading.checksums = await read_checksums(
            snapshot,
            manifest.roles,
            common,
            lambda rows: self._tell(Stage.DATABASE, rows, reading.rows),
        )
        for name in reading.figures.keys() | reading.checksums.keys():
            counted = reading.figures[name].rows if name in reading.figures else 0
            read = reading.checksums[name].rows if name in reading.checksums else 0
            if counted != read:
                self._found(
                    "read",
                    "the database counts another number of rows than it gives",
                    name,
                    reading,
                    database=counted,
                )
        if common.scales:
            await self._compare_slices(snapshot, reading)
        return reading

    async def _compare_slices(self, snapshot: SourceSnapshot, reading: DatabaseReading) -> None:
        try:
            wanted = await draw_slices(self.stored, self.sample, self.seed)
        except Damage:
            return  # which the reading of the cache tells, with its place
        for at, each in enumerate(wanted):
            self._tell(Stage.SLICES, at, len(wanted))
            try:
                await self._compare_slice(snapshot, reading, each)
            except Damage:
                await self.stored.check_pointer()
        self._tell(Stage.SLICES, len(wanted), len(wanted))

    async def _compare_slice(
        self, snapshot: SourceSnapshot, reading: DatabaseReading, wanted: Slice
    ) -> None:
        names = list(reading.common.scales)
        table = await snapshot.fetch_slice(
            wanted.name, wanted.scope, names, max_rows=MOST_SLICE_ROWS
        )
        if table.num_rows > MOST_SLICE_ROWS:
            self.left_out += 1
            return
        schema = snapshot.schema
        scales = {
            name: max(scale, schema[name].type.scale)
            for name, scale in reading.common.scales.items()
        }
        theirs = rows_of(
            {
                name: arrow_values(table.column(name).combine_chunks(), schema[name].type)
                for name in names
            },
            scales,
            table.num_rows,
        )
        own = await self._slice_of_cache(wanted, scales)
        if own is None:
            self.left_out += 1
            return
        self.slices += 1
        self.slice_rows += table.num_rows
        differing = compare(own, theirs, names)
        if differing is not None:
            what = "rows differ"
            if differing.columns:
                what += " in " + ", ".join(repr(name) for name in differing.columns)
            else:
                what += ": the same values stand in other rows"
            self._found(
                "slice",
                what,
                wanted.name,
                reading,
                practice=wanted.practice,
                provider=wanted.provider,
                cache=differing.cache,
                database=differing.database,
            )

    async def _slice_of_cache(self, wanted: Slice, scales: Mapping[str, int]) -> Rows | None:
        """The rows of a slice as the cache has them; None if they are too many."""
        found: Rows = Rows()
        rows = 0
        members = await self.stored.members(wanted.name, wanted.scope)
        async for chunk in self.stored.chunks(wanted.name, members):
            rows += chunk.table.rows
            if rows > MOST_SLICE_ROWS:
                return None
            columns = {name: column_values(chunk.table.columns[name]) for name in scales}
            found.update(rows_of(columns, scales, chunk.table.rows))
        return found

    # The cache.

    async def _read_cache(self, database: DatabaseReading | None) -> None:
        manifest = self.stored.live.manifest
        names = sorted(
            manifest.partitions, key=lambda n: (n.measure or "", n.frequency or "", str(n))
        )
        for name in names:
            self._tell(Stage.CACHE, self.rows, manifest.rows)
            try:
                tally = await self._read_partition(name, database)
            except Damage as error:
                await self.stored.check_pointer()
                self.findings.damage(name, str(error))
                continue
            if database is not None:
                self._compare(name, tally, database)
        await self.stored.check_pointer()
        self._tell(Stage.CACHE, self.rows, manifest.rows)

    async def _read_partition(self, name: PartitionName, database: DatabaseReading | None) -> Tally:
        manifest = self.stored.live.manifest
        partition = manifest.partitions[name]
        schema = manifest.schema
        members = await self.stored.members(name)
        troubles, with_sums = await self.stored.check_index(name, members)
        scales = {} if database is None else database.common.scales
        tally = Tally(scales)
        sums = SumsCheck(self.stored, name, with_sums)
        async for chunk in self.stored.chunks(name, members):
            columns = {each: column_values(chunk.table.columns[each]) for each in schema.names}
            tally.add(columns, chunk.table.rows)
            await sums.add(chunk)
            self._tell(Stage.CACHE, self.rows + tally.rows, manifest.rows)
        await self.stored.check_pointer()
        self.rows += tally.rows
        self.entries += len(members)
        troubles += sorted(await sums.end())
        troubles += _manifest_troubles(tally, partition, schema, manifest.roles.date)
        for what in troubles:
            self.findings.damage(name, what)
        return tally

    def _compare(self, name: PartitionName, tally: Tally, database: DatabaseReading) -> None:
        theirs = database.figures.get(name)
        if theirs is None:
            self._found(
                "partition",
                "the database has no rows of this partition",
                name,
                database,
                cache=tally.rows,
                database=0,
            )
            return
        wanted = list(database.common.scales)
        differing = differences(tally, theirs, database.common.kinds, wanted)
        for kind, column, own, other in differing:
            self._found(kind, _WHAT[kind], name, database, column=column, cache=own, database=other)
        if tally.checksum.digest != database.checksums[name].digest:
            self._found("checksum", "the rows differ", name, database)

    def _find_new_partitions(self, database: DatabaseReading) -> None:
        manifest = self.stored.live.manifest
        for name, figures in database.figures.items():
            if name not in manifest.partitions:
                self._found(
                    "partition",
                    "the cache has no such partition",
                    name,
                    database,
                    cache=0,
                    database=figures.rows,
                )

    # What both need.

    def _found(  # noqa: PLR0913 - the fields of a finding
        self,
        kind: str,
        what: str,
        name: PartitionName,
        reading: DatabaseReading,
        *,
        column: str | None = None,
        practice: str | None = None,
        provider: str | None = None,
        cache: int | None = None,
        database: int | None = None,
    ) -> None:
        self.findings.add(
            Finding(
                kind=kind,
                what=what,
                measure=name.measure,
                frequency=name.frequency,
                table=self._state(name, reading),
                column=column,
                practice=practice,
                provider=provider,
                cache=cache,
                database=database,
            )
        )

    def _state(self, name: PartitionName, reading: DatabaseReading) -> Table:
        """Whether a partition's rows have changed since they were warmed."""
        manifest = self.stored.live.manifest
        if not manifest.has_fingerprints:
            return Table.UNKNOWN
        partition = manifest.partitions.get(name)
        if partition is None or name not in reading.fingerprints:
            # A warm publishes only what has as many partitions and rows as the database counts.
            return Table.CHANGED
        if partition.fingerprint is None:
            return Table.UNKNOWN
        is_same = partition.fingerprint == reading.fingerprints[name]
        return Table.UNCHANGED if is_same else Table.CHANGED

    def _tell(self, stage: Stage, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(stage, done, total)


def _manifest_troubles(
    tally: Tally, partition: Partition, schema: Schema, date: str | None
) -> list[str]:
    """What the manifest says of a partition and its entries don't."""
    troubles = []
    if tally.rows != partition.rows:
        troubles.append("the entries hold another number of rows than the manifest says")
    for name, largest in partition.largest.items():
        if tally.largest(name) > largest:
            troubles.append(f"column {name!r} holds a greater value than the manifest says")
    if date is not None:
        between = tally.figures(date, schema[date].type.kind).range
        told = None
        if partition.earliest is not None and partition.latest is not None:
            told = (partition.earliest, partition.latest)
        if (schema[date].type.kind.is_instant or schema[date].type.kind == "date") and (
            between != told
        ):
            troubles.append("the dates aren't within what the manifest says")
    return troubles
