"""What is known of each data source, as one look at the store finds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.jobs.damage import damaged_parts, partition_of
from warmcube.jobs.job import ASKED, STOPPED, Job, JobState
from warmcube.jobs.ledger import Ledger, Seen
from warmcube.model.schema import Datasource
from warmcube.observe.live import Live, WhyCold, read_live
from warmcube.store.api import Command, Store
from warmcube.warm.refresh import Refresh
from warmcube.worker.schedule import Damaged, Facts, Failure, Reason

__all__ = ["Look", "Looker"]

CLOSER_MS: Final = 30_000
"""So often a manifest is read again whose pointer hasn't moved: it may be lost or damaged."""

ONCE_MS: Final = 3_600_000
"""Damage that comes back within so long after partitions were repaired has everything repaired."""

_FOREIGN: Final = (WhyCold.OUTDATED, WhyCold.DAMAGED)
"""Damaged is what bears another seal."""

_PER_SOURCE: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look found of a data source.

    Attributes:
        facts: for deciding when it is due.
        seen: for beginning to warm it only if all this is still so.
        is_busy: whether somebody warms it, or holds its lease.
        fence: the last version that was handed out, as it stands.
        is_foreign: whether there is a snapshot that can't be read as things are configured here.
        damaged: how many parts are reported to be damaged.
        repair: what to read anew to have it repaired; None for the whole table.
    """

    facts: Facts
    seen: Seen
    is_busy: bool
    fence: bytes | None = None
    is_foreign: bool = False
    damaged: int = 0
    repair: Refresh | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of a data source when something about it had changed."""

    of: tuple[bytes | None, ...]
    live: Live
    jobs: tuple[Job, ...]


class Looker:
    """Looks at all data sources in one trip, and closer at those of which there is news.

    Args:
        store: the store.
        namespace: in front of every key.
        seal: what its values bear.
        jobs: the warms of all processes.
    """

    def __init__(self, store: Store, namespace: str, seal: Seal, jobs: Ledger) -> None:
        self._store = store
        self._namespace = namespace
        self._seal = seal
        self._jobs = jobs
        self._known: dict[int, _Known] = {}

    async def look(self, datasources: Sequence[Datasource]) -> dict[int, Look | Damage]:
        """Look at some data sources; by their ids.

        Returns:
            what was found; damage where a key holds what was never put there, so that nobody can
            look.

        Raises:
            StoreError: the store.
        """
        try:
            return dict(await self._look(datasources))
        except Damage as damage:
            if len(datasources) == 1:
                return {datasources[0].id: damage}
        found: dict[int, Look | Damage] = {}
        for each in datasources:  # one by one, so that the others are looked after
            found |= await self.look([each])
        return found

    async def _look(self, datasources: Sequence[Datasource]) -> dict[int, Look]:
        commands: list[Command] = []
        for each in datasources:
            keys = Keys(self._namespace, each.id)
            commands += [
                (b"GET", keys.current),
                (b"LINDEX", keys.jobs_order, 0),
                (b"GET", keys.job),
                (b"GET", keys.lock),
                (b"HGETALL", keys.damage),
                (b"GET", keys.pin),
                (b"GET", keys.fence),
            ]
        replies = await self._store.run(commands)
        now_ms = await self._store.now_ms()
        looks: dict[int, Look] = {}
        for number, each in enumerate(datasources):
            current, newest, active, lock, reports, pin, fence = replies[
                number * _PER_SOURCE : (number + 1) * _PER_SOURCE
            ]
            known = await self._closer(each, (current, newest, active, pin), now_ms)
            parts = damaged_parts(reports, current)
            looks[each.id] = Look(
                facts=_facts(known, parts, now_ms),
                seen=Seen(current=current, newest=newest),
                is_busy=active is not None or lock is not None,
                fence=fence,
                is_foreign=known.live.why_cold in _FOREIGN,
                damaged=len(parts),
                repair=_repair(parts, known.jobs, now_ms),
            )
        return looks

    async def _closer(
        self, datasource: Datasource, of: tuple[bytes | None, ...], now_ms: int
    ) -> _Known:
        """The snapshot and the last jobs, read anew if there is news, and now and then."""
        known = self._known.get(datasource.id)
        if known is None or known.of != of or now_ms >= known.live.now_ms + CLOSER_MS:
            keys = Keys(self._namespace, datasource.id)
            live = await read_live(self._store, keys, datasource, self._seal)
            jobs = await self._jobs.last(datasource.id)
            known = self._known[datasource.id] = _Known(of, live, jobs)
        return known


def _repair(parts: Iterable[bytes], jobs: Sequence[Job], now_ms: int) -> Refresh | None:
    """The damaged partitions, if that may be enough: it isn't if they were read anew just now."""
    names = [partition_of(part) for part in parts]
    found = [name for name in names if name is not None]
    if not found or len(found) < len(names):
        return None
    lately = [job for job in jobs if job.refresh is not None and now_ms < _end_of(job) + ONCE_MS]
    if any(_is_repair_of(job, name) for job in lately for name in found):
        return None
    return Refresh(
        measures=tuple(dict.fromkeys(name.measure for name in found)),
        frequencies=tuple(dict.fromkeys(name.frequency for name in found)),
    )


def _is_repair_of(job: Job, name: PartitionName | None) -> bool:
    """Whether a job was to repair a partition; None is what all partitions share."""
    if job.reason != Reason.DAMAGE or not job.state.has_ended:
        return False
    refresh = job.refresh
    return refresh is None or (name is not None and refresh.names(name))


def _repaired(jobs: Sequence[Job], name: PartitionName | None) -> int | None:
    """When something was repaired."""
    for job in jobs:
        if job.state is JobState.DONE and _is_repair_of(job, name):
            return _end_of(job)
    return None


def _held(live: Live) -> str | None:
    """Why a data source isn't to be warmed without being asked."""
    if live.is_disabled:
        return "switched off; see warmcube enable"
    return None if live.pinned_by is None else f"pinned by {live.pinned_by}; see warmcube unpin"


def _facts(known: _Known, parts: Mapping[bytes, int], now_ms: int) -> Facts:
    live, jobs = known.live, known.jobs
    held = _held(live)
    damaged = [Damaged(at_ms, _repaired(jobs, partition_of(part))) for part, at_ms in parts.items()]
    if live.why_cold is WhyCold.DAMAGED:
        damaged.append(Damaged(live.now_ms, _repaired(jobs, None)))
    manifest = live.manifest
    if manifest is None:
        return Facts(
            now_ms=now_ms,
            held=held,
            failure=_failure(jobs),
            damaged=tuple(damaged),
        )
    version = str(manifest.version)
    return Facts(
        now_ms=now_ms,
        version=version,
        began_ms=_began(jobs, version) or manifest.warmed_ms,
        warmed_ms=manifest.warmed_ms,
        fresh_until_ms=manifest.fresh_until_ms,
        held=held,
        failure=_failure(jobs),
        damaged=tuple(damaged),
    )


def _began(jobs: Sequence[Job], version: str) -> int | None:
    """When the warm began that published a snapshot."""
    for job in jobs:
        if job.report is not None and job.report.get("snapshot") == version:
            return job.started_ms
    return None


def _failure(jobs: Sequence[Job]) -> Failure | None:
    """What failed since the last warm that published; those that were told to stop don't count."""
    failed: list[Job] = []
    for job in jobs:
        if job.state is JobState.DONE:
            break
        was_stopped = job.failure is not None and job.failure.kind == STOPPED
        was_asked = job.reason == ASKED  # whoever asks for something wrong holds up nothing else
        if job.state.has_ended and not was_stopped and not was_asked:
            failed.append(job)
    if not failed:
        return None
    last = failed[0]
    kind, message = "Abandoned", "its process was killed, or gave no sign for too long"
    if last.failure is not None:
        kind, message = last.failure.kind, last.failure.message
    return Failure(
        count=len(failed), job=last.id, ended_ms=_end_of(last), kind=kind, message=message
    )


def _end_of(job: Job) -> int:
    return job.updated_ms if job.ended_ms is None else job.ended_ms
