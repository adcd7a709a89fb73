"""`warmcube.jobs.damage`: what readers report, in a real store."""

from __future__ import annotations

import pytest

from warmcube.entry.keys import Keys, PartitionName
from warmcube.errors import Damage, StoreUnavailable
from warmcube.jobs import damage
from warmcube.jobs.damage import AGAIN_SECONDS, WHOLE, DamageReports, damaged_parts, part_of
from warmcube.store.api import Store

VERSION = "7-0123456789abcdef"
KEYS = Keys("ns:", 1)


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It says 0."""
    return Clock()


@pytest.fixture
def reports(store: Store, clock: Clock) -> DamageReports:
    """One process's reports."""
    return DamageReports(store, "ns:", clock=clock)


def damage_of(measure: str | None = None, frequency: str | None = None) -> Damage:
    """Damage to a partition; without one, to something else."""
    error = Damage("an entry is missing")
    error.partition = None if measure is None else PartitionName(measure, frequency)
    return error


async def parts(store: Store) -> set[bytes]:
    """What counts as damaged."""
    reports, current = await store.run([(b"HGETALL", KEYS.damage), (b"GET", KEYS.current)])
    return set(damaged_parts(reports, current))


async def test_what_is_met_is_noted_once(store: Store, reports: DamageReports) -> None:
    """Each part with when it was first met, until the snapshot is another one."""
    await store.run([(b"SET", KEYS.current, VERSION.encode())])
    heard: list[int] = []
    reports.heard = heard.append
    for _ in range(3):
        reports.report(1, VERSION, damage_of("A/R", None))
        reports.report(1, VERSION, damage_of())
    await reports.settled()
    assert await parts(store) == {b"m:A%2FR:freq:~", WHOLE}
    assert heard == [1, 1]
    other = DamageReports(store, "ns:")
    other.report(1, VERSION, damage_of())
    other.report(1, None, damage_of())
    await other.settled()
    assert await parts(store) == {b"m:A%2FR:freq:~", WHOLE}
    (left,) = await store.run([(b"PTTL", KEYS.damage)])
    assert 0 < left <= 86_400_000
    await store.run([(b"SET", KEYS.current, b"8-0123456789abcdef")])
    assert await parts(store) == set()
    other.report(1, "8-0123456789abcdef", damage_of("m"))
    await other.settled()
    assert await parts(store) == {b"m:m:freq:~"}


async def test_what_isnt_live_isnt_noted(store: Store, reports: DamageReports) -> None:
    """A snapshot that was superseded or invalidated meanwhile is nobody's trouble."""
    reports.report(1, VERSION, damage_of("m"))
    reports.report(1, None, damage_of())
    await reports.settled()
    await store.run([(b"SET", KEYS.current, b"8-0123456789abcdef")])
    again = DamageReports(store, "ns:")
    again.report(1, VERSION, damage_of("m"))
    await again.settled()
    assert await store.run([(b"EXISTS", KEYS.damage)]) == [0]


async def test_a_process_says_it_once_in_five_minutes(
    store: Store, reports: DamageReports, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its readers meet meanwhile; but what couldn't be said is said again."""
    asked: list[str] = []
    script = store.script

    async def counted(name: str, *words: object) -> object:
        asked.append(name)
        if len(asked) == 1:
            raise StoreUnavailable("away")
        return await script(name, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "script", counted)
    for at, expected in ((0.0, 1), (1.0, 2), (2.0, 2), (AGAIN_SECONDS + 2.0, 3)):
        clock.now = at
        for _ in range(5):
            reports.report(1, VERSION, damage_of("m"))
        await reports.settled()
        assert len(asked) == expected


async def test_no_flood_fills_the_memory(
    store: Store, reports: DamageReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the process's nor the store's: there are so many parts, and no more."""
    monkeypatch.setattr(damage, "MOST_PARTS", 10)
    await store.run([(b"SET", KEYS.current, VERSION.encode())])
    for number in range(50):
        reports.report(1, VERSION, damage_of(f"m{number}"))
    await reports.close()
    assert len(await parts(store)) == 10
    assert len(reports._told) <= 10


@pytest.mark.parametrize("current", [None, b"", b"8-0123456789abcdef"])
def test_reports_of_another_snapshot_count_for_nothing(current: bytes | None) -> None:
    """Whatever lies there."""
    assert damaged_parts([b"of", VERSION.encode(), b"*", b"5"], current) == {}
    assert damaged_parts([b"*", b"5"], VERSION.encode()) == {}


def test_what_cant_be_read_is_passed_over() -> None:
    """The rest counts."""
    reports = [b"of", b"7", b"*", b"soon", b"m:a:freq:b", b"5"]
    assert damaged_parts(reports, b"7") == {b"m:a:freq:b": 5}
    assert part_of(None) == WHOLE
