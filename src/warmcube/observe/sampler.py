"""Figures over time: each minute one sample of each data source, by whichever process is first.

Each process adds to a hash in the store what it has counted since it last did; a sample holds what
that has come to. The samples of the last day are kept a minute apart, those of the days before a
quarter of an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Seal
from warmcube.errors import StoreError, WarmcubeError
from warmcube.model.schema import Datasource
from warmcube.observe.counts import Counts, counts_of, fields_of
from warmcube.observe.live import read_live
from warmcube.observe.memory import snapshot_memory
from warmcube.observe.metrics import Metrics
from warmcube.observe.samples import History, Sample, history_of, pack_sample, unpack_sample
from warmcube.observe.stats import read_stats
from warmcube.store.api import Command, Store, pairs_of

__all__ = ["FINE_HOURS", "Sampler"]

_LOG: Final = logging.getLogger("warmcube")

FINE_HOURS: Final = 24
"""So far back there is a sample of each minute."""

_MINUTE_MS: Final = 60_000
_COARSE_MS: Final = 15 * _MINUTE_MS
_DAY_MS: Final = 86_400_000
_COUNTING: Final = b"counting"
_MARGIN_MS: Final = 500
"""So long after a minute has begun others, whose clocks go a little differently, have added too."""


class Sampler:
    """Takes samples, and tells of them.

    Args:
        store: where they are kept.
        keys_of: the keys of a data source.
        datasources: of which samples are taken.
        using: what the store's values bear.
        metrics: has counted what this process has answered; None where nobody counts.
        days: for how long samples are kept; 0 takes none.
    """

    def __init__(
        self,
        store: Store,
        keys_of: Callable[[int], Keys],
        datasources: Sequence[Datasource],
        using: Seal,
        *,
        metrics: Metrics | None,
        days: int,
    ) -> None:
        self._store = store
        self._keys_of = keys_of
        self._datasources = tuple(datasources)
        self._seal = using
        self._metrics = metrics
        self.days: Final = days
        self._told: dict[int, Counts] = {}

    async def run(self) -> None:
        """Take samples until cancelled; what fails is tried again a minute later."""
        if not self.days:
            return
        trouble = ""
        while True:
            wait = _MINUTE_MS
            try:
                await self.sample()
                now = await self._store.now_ms()
                wait = _MINUTE_MS - now % _MINUTE_MS + _MARGIN_MS
                trouble = ""
            except WarmcubeError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    _LOG.warning("no figures over time: %s", error)
            except Exception:  # noqa: BLE001 - a defect, which must not end the samples for good
                _LOG.exception("figures over time")
            await asyncio.sleep(wait / 1000)

    async def close(self) -> None:
        """Add what is counted since the last sample."""
        if self.days:
            with contextlib.suppress(StoreError):
                await self._add_up()

    async def sample(self) -> int:
        """Take a sample of each data source of which there is none of this minute.

        Returns:
            how many were taken.

        Raises:
            StoreError: the store.
        """
        await self._add_up()
        return sum([await self._sample(each) for each in self._datasources])

    async def history(self, datasource: Datasource, hours: int) -> History:
        """The figures of the last hours.

        Raises:
            StoreError: the store.
        """
        keys, now = self._keys_of(datasource.id), await self._store.now_ms()
        key = keys.figures if hours <= FINE_HOURS else keys.figures_coarse
        first = now - hours * 3_600_000
        earlier, found = await self._store.run(
            [
                (b"XREVRANGE", key, b"(%d" % first, b"-", b"COUNT", 1),
                (b"XRANGE", key, b"%d" % first, b"+"),
            ]
        )
        before = _unpacked(earlier)
        return history_of(before[0] if before else None, _unpacked(found))

    async def _add_up(self) -> None:
        """Tell the store what was counted since it was last told.

        What can't be written is dropped: written twice it would be wrong.
        """
        if self._metrics is None:
            return
        now = await self._store.now_ms()
        for each in self._datasources:
            counted = self._metrics.answers(each.id)
            more = counted.since(self._told.get(each.id, Counts()))
            self._told[each.id] = counted
            key = self._keys_of(each.id).tally
            commands: list[Command] = [(b"HSETNX", key, _COUNTING, now)]
            if more is not None:
                commands += [(b"HINCRBY", key, name, n) for name, n in fields_of(more).items()]
            commands.append((b"PEXPIRE", key, self.days * _DAY_MS))
            await self._store.write(commands)

    async def _sample(self, datasource: Datasource) -> int:
        store, keys = self._store, self._keys_of(datasource.id)
        minute = await store.now_ms() // _MINUTE_MS * _MINUTE_MS
        latest, tally = await store.run(
            [
                (b"XREVRANGE", keys.figures, b"+", b"-", b"COUNT", 1),
                (b"HGETALL", keys.tally),
            ]
        )
        before = _unpacked(latest)
        if before and before[0].at_ms >= minute:
            return 0
        seen = await self._look(datasource, before[0] if before else None)
        fields = pairs_of(tally)
        sample = Sample(
            at_ms=minute,
            state=seen.state,
            snapshot=seen.snapshot,
            age_seconds=seen.age_seconds,
            entries=seen.entries,
            rows=seen.rows,
            memory_bytes=seen.memory_bytes,
            counting=fields[_COUNTING].decode() if _COUNTING in fields else None,
            counts=counts_of(fields) if _COUNTING in fields else None,
        )
        kept = await store.script(
            "figures_add",
            (keys.figures, keys.figures_coarse),
            (
                minute,
                pack_sample(sample),
                FINE_HOURS * 60,
                _COARSE_MS,
                self.days * _DAY_MS // _COARSE_MS,
                self.days * _DAY_MS,
            ),
        )
        return int(kept)

    async def _look(self, datasource: Datasource, before: Sample | None) -> Sample:
        """What there is to be seen now; the memory of a snapshot, which never changes, once."""
        keys = self._keys_of(datasource.id)
        stats = await read_stats(self._store, keys, datasource, self._seal)
        memory = None
        if stats.snapshot is not None:
            if before is not None and before.snapshot == stats.snapshot:
                memory = before.memory_bytes
            else:
                live = await read_live(self._store, keys, datasource, self._seal)
                if live.manifest is not None and str(live.manifest.version) == stats.snapshot:
                    memory = await snapshot_memory(self._store, keys, live.manifest)
        return Sample(
            at_ms=0,
            state=stats.state,
            snapshot=stats.snapshot,
            age_seconds=stats.age_seconds,
            entries=stats.entries,
            rows=stats.rows,
            memory_bytes=memory,
        )


def _unpacked(replies: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[Sample]:
    """The samples of a stream's replies; what can't be read isn't there."""
    found = (
        unpack_sample(int(name.partition(b"-")[0]), pairs[1])
        for name, pairs in replies
        if len(pairs) == 2
    )
    return [sample for sample in found if sample is not None]
