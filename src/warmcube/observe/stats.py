"""What the cache holds of a data source; exact, from the manifest, never by scanning."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from warmcube.entry.keys import Keys
from warmcube.entry.manifest import Manifest, unpack_manifest
from warmcube.entry.seal import Seal, unseal
from warmcube.errors import Damage
from warmcube.model.schema import Datasource, Kind
from warmcube.observe.live import Live, WhyCold, read_live
from warmcube.observe.outlook import Outlook, unpack_outlook
from warmcube.observe.verified import unpack_verified
from warmcube.store.api import Store

__all__ = ["KeptSnapshot", "Stats", "read_stats"]

_STATES: Final = {
    None: "cold",
    WhyCold.NEVER_WARMED: "never warmed",
    WhyCold.GONE: "cold",
    WhyCold.DAMAGED: "damaged",
    WhyCold.OUTDATED: "cold",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshot:
    """A superseded snapshot that is kept.

    Attributes:
        snapshot: its version.
        as_of: when its source was read, ISO 8601 in UTC.
        serve_until: when it goes, likewise.
        rows: how many.
        bytes: of its entries, index and sums; what the live snapshot shares isn't subtracted.
    """

    snapshot: str
    as_of: str
    serve_until: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What the cache holds of one data source. None is "not known", never "none".

    Attributes:
        datasource: its id.
        name: as configured.
        state: ``never warmed``, ``cold`` (was warm, has expired or was invalidated), ``fresh``,
            ``stale``, ``damaged``, ``disabled`` (the database answers, whatever lies behind the
            switch).
        warming: who holds the lease; None if nobody.
        snapshot: the live version.
        partitions: how many.
        entries: how many, parts included.
        index_sets: how many index sets there are, inlined ones included.
        rows: how many.
        entry_bytes: of all entries' values.
        index_bytes: of all members and counts, as written; what the server adds isn't in it.
        sums_bytes: of all practice-level sums, likewise.
        measures: how many distinct ones, NULL included.
        practices: how many distinct ones, NULL included; None also beyond a million.
        providers: likewise.
        frequencies: how many distinct ones, NULL included.
        first_date: least finite date, ISO 8601.
        last_date: greatest.
        last_warm: when the live snapshot was published, ISO 8601 in UTC.
        as_of: when its source was read.
        age_seconds: since then, by the store's clock.
        fresh_until: ISO 8601 in UTC.
        serve_until: ISO 8601 in UTC.
        hits: answers from the store since the warm, as far as processes have reported them.
        misses: answers that the database had to give meanwhile.
        hit_rate: hits / (hits + misses); None before the first query.
        worker: which worker looked last; None where none is alive.
        next_warm: when a worker will warm it, ISO 8601 in UTC.
        next_reason: why then: ``cold``, ``aging``, ``scheduled`` or ``damage``.
        next_verify: when a worker will verify it by its schedule, likewise.
        held: why no worker warms it without anybody's asking.
        failures: how many warms have failed in a row, as a worker has seen.
        last_error: of the last of them.
        damaged: how many parts readers have found damaged, as a worker has seen.
        verified_at: when the last verification ended, ISO 8601 in UTC.
        verified_age_seconds: since then, by the store's clock.
        verified_snapshot: the version that it was of.
        verdict: what came of it: ``equal``, ``changed``, ``differs``, ``wrong``, ``damaged``, or
            ``failed`` where it came to none.
        pinned_by: who rolled it back, so that nothing warms it without being asked.
        kept: superseded snapshots that it can be rolled back to, the last one first.
    """

    datasource: int
    name: str
    state: str
    warming: str | None = None
    snapshot: str | None = None
    partitions: int | None = None
    entries: int | None = None
    index_sets: int | None = None
    rows: int | None = None
    entry_bytes: int | None = None
    index_bytes: int | None = None
    sums_bytes: int | None = None
    measures: int | None = None
    practices: int | None = None
    providers: int | None = None
    frequencies: int | None = None
    first_date: str | None = None
    last_date: str | None = None
    last_warm: str | None = None
    as_of: str | None = None
    age_seconds: float | None = None
    fresh_until: str | None = None
    serve_until: str | None = None
    hits: int | None = None
    misses: int | None = None
    hit_rate: float | None = None
    worker: str | None = None
    next_warm: str | None = None
    next_reason: str | None = None
    next_verify: str | None = None
    held: str | None = None
    failures: int | None = None
    last_error: str | None = None
    damaged: int | None = None
    verified_at: str | None = None
    verified_age_seconds: float | None = None
    verified_snapshot: str | None = None
    verdict: str | None = None
    pinned_by: str | None = None
    kept: tuple[KeptSnapshot, ...] = ()


async def read_stats(store: Store, keys: Keys, datasource: Datasource, using: Seal) -> Stats:
    """The statistics of a data source: O(partitions).

    Raises:
        StoreError: the store.
    """
    live = await read_live(store, keys, datasource, using)
    warming = None if live.lock is None else _holder(live.lock)
    if live.manifest is None:
        state = _STATES[live.why_cold]
        found = Stats(datasource=datasource.id, name=datasource.name, state=state, warming=warming)
    else:
        found = _describe(datasource, live.manifest, warming, live)
    found = replace(
        found,
        state="disabled" if live.is_disabled else found.state,
        pinned_by=live.pinned_by,
        kept=await _kept(store, keys, using, live.kept),
    )
    verified = unpack_verified(live.verified)
    if verified is not None:
        found = replace(
            found,
            verified_at=_instant(verified.at_ms),
            verified_age_seconds=round(max(0, live.now_ms - verified.at_ms) / 1000, 1),
            verified_snapshot=verified.snapshot,
            verdict=verified.verdict,
        )
    outlook = unpack_outlook(live.outlook)
    return found if outlook is None else _with_outlook(found, outlook)


async def _kept(
    store: Store, keys: Keys, using: Seal, versions: Sequence[bytes]
) -> tuple[KeptSnapshot, ...]:
    """Those of which the manifest can be read."""
    names = [keys.manifest(version.decode("ascii", "replace")) for version in versions]
    found = []
    for key, value in zip(names, await store.run([(b"GET", key) for key in names]), strict=True):
        with contextlib.suppress(Damage):
            manifest = unpack_manifest(unseal(using, key, value, "the manifest"))
            if manifest is not None:
                found.append(_describe_kept(manifest))
    return tuple(found)


def _describe_kept(manifest: Manifest) -> KeptSnapshot:
    partitions = manifest.partitions.values()
    return KeptSnapshot(
        snapshot=str(manifest.version),
        as_of=_instant(min((p.as_of_ms for p in partitions), default=manifest.warmed_ms)),
        serve_until=_instant(manifest.serve_until_ms),
        rows=manifest.rows,
        bytes=sum(p.entry_bytes + p.index_bytes + p.sums_bytes for p in partitions),
    )


def _with_outlook(stats: Stats, outlook: Outlook) -> Stats:
    return replace(
        stats,
        worker=outlook.by,
        next_warm=None if outlook.next_ms is None else _instant(outlook.next_ms),
        next_reason=outlook.reason,
        next_verify=None if outlook.verify_ms is None else _instant(outlook.verify_ms),
        held=outlook.held,
        failures=outlook.failures,
        last_error=outlook.error,
        damaged=outlook.damaged,
    )


def _holder(lock: bytes) -> str:
    try:
        return str(json.loads(lock)["by"])
    except (ValueError, KeyError, TypeError):
        return "somebody"


def _describe(
    datasource: Datasource,
    manifest: Manifest,
    warming: str | None,
    live: Live,
) -> Stats:
    partitions, now_ms = manifest.partitions, live.now_ms
    hits, misses = live.hits, live.misses
    as_of = min((p.as_of_ms for p in partitions.values()), default=manifest.warmed_ms)
    dates = [
        (p.earliest, p.latest)
        for p in partitions.values()
        if p.earliest is not None and p.latest is not None
    ]
    role = manifest.roles.date
    kind = manifest.schema[role].type.kind if role is not None else Kind.DATE
    return Stats(
        datasource=datasource.id,
        name=datasource.name,
        state="fresh" if now_ms < manifest.fresh_until_ms else "stale",
        warming=warming,
        snapshot=str(manifest.version),
        partitions=len(partitions),
        entries=manifest.entries,
        index_sets=sum(p.practices + p.providers + 1 for p in partitions.values()),
        rows=manifest.rows,
        entry_bytes=sum(p.entry_bytes for p in partitions.values()),
        index_bytes=sum(p.index_bytes for p in partitions.values()),
        sums_bytes=sum(p.sums_bytes for p in partitions.values()),
        measures=len({name.measure for name in partitions}),
        practices=manifest.practices,
        providers=manifest.providers,
        frequencies=len({name.frequency for name in partitions}),
        first_date=_date_text(min(d[0] for d in dates), kind) if dates else None,
        last_date=_date_text(max(d[1] for d in dates), kind) if dates else None,
        last_warm=None if live.published_ms is None else _instant(live.published_ms),
        as_of=_instant(as_of),
        age_seconds=round((now_ms - as_of) / 1000, 1),
        fresh_until=_instant(manifest.fresh_until_ms),
        serve_until=_instant(manifest.serve_until_ms),
        hits=hits,
        misses=misses,
        hit_rate=round(hits / (hits + misses), 4) if hits + misses else None,
    )


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _date_text(stored: int, kind: Kind) -> str:
    """A date in storage form as ISO 8601 text."""
    step = timedelta(days=1) if kind is Kind.DATE else timedelta(microseconds=1)
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + stored * step
    except OverflowError:
        return "beyond the year 9999" if stored > 0 else "before the year 1"
    return moment.date().isoformat() if kind is Kind.DATE else moment.isoformat()
