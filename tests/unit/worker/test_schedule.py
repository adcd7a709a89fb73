"""`warmcube.worker.schedule`: when a data source is due, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.worker.pauses import Pauses
from warmcube.worker.schedule import (
    LATEST,
    LONGEST_WAIT_MS,
    Damaged,
    Facts,
    Failure,
    Plan,
    Policy,
    Reason,
    plan_of,
)

HOUR = 3_600_000
PAUSES = Pauses(first_ms=5_000, longest_ms=900_000)
POLICY = Policy(pauses=PAUSES)
NOW = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)


def warm(**changes: Any) -> Facts:
    """What is known of a data source that was warmed at `NOW`, for four hours."""
    facts: dict[str, Any] = {
        "now_ms": NOW,
        "version": "7-abc",
        "began_ms": NOW - 60_000,
        "warmed_ms": NOW,
        "fresh_until_ms": NOW + 4 * HOUR,
    }
    return Facts(**{**facts, **changes})


def failed(count: int = 1, kind: str = "SourceError", **changes: Any) -> Failure:
    """Warms that failed, until `NOW`."""
    facts: dict[str, Any] = {"job": "1-a", "ended_ms": NOW, "message": "no"}
    return Failure(count=count, kind=kind, **{**facts, **changes})


versions = st.text("0123456789abcdef-", min_size=1, max_size=20)
shares = st.floats(0.01, 0.9)
jitters = st.floats(0, 0.5)
lives = st.integers(1_000, 30 * 24 * HOUR)


def test_what_is_cold_is_due_at_once() -> None:
    """Whether it was never warmed, has expired or was emptied away."""
    plan = plan_of(Facts(now_ms=NOW), POLICY)
    assert plan == Plan(at_ms=NOW, reason=Reason.COLD)
    assert plan.is_due(NOW)
    assert not plan.is_due(NOW - 1)


@given(versions, shares, jitters, lives)
def test_it_is_due_well_before_its_life_is_over(
    version: str, share: float, jitter: float, life: int
) -> None:
    """Within the jitter around its share of the life, and always before the end."""
    policy = Policy(pauses=PAUSES, warm_after=share, jitter=jitter)
    facts = warm(version=version, fresh_until_ms=NOW + life)
    plan = plan_of(facts, policy)
    assert plan.reason is Reason.AGING
    assert plan.at_ms is not None
    least, most = share * (1 - jitter), min(share * (1 + jitter), LATEST)
    assert NOW + least * life - 1 <= plan.at_ms <= NOW + most * life + 1
    assert plan.at_ms < facts.fresh_until_ms
    assert plan_of(facts, policy) == plan, "all workers say the same"


def test_the_jitter_spreads_what_was_warmed_together() -> None:
    """A hundred snapshots of one moment are due at a hundred moments."""
    moments = [plan_of(warm(version=f"{n}-abc"), POLICY).at_ms for n in range(100)]
    assert len(set(moments)) == 100
    assert max(filter(None, moments)) - min(filter(None, moments)) > 0.15 * 2 * HOUR


@pytest.mark.parametrize("held", ["pinned", "disabled"])
@pytest.mark.parametrize("facts", [warm(), Facts(now_ms=NOW), warm(damaged=(Damaged(NOW),))])
def test_what_is_held_is_left_alone(facts: Facts, held: str) -> None:
    """Cold, old or damaged: only somebody's asking warms it."""
    plan = plan_of(replace(facts, held=held), POLICY)
    assert plan == Plan(at_ms=None, reason=None, held=held)
    assert plan == plan_of(facts, replace(POLICY, held=held))
    assert not plan.is_due(NOW + 100 * HOUR)


@given(st.integers(1, 200), st.booleans(), st.text(max_size=20))
def test_a_failure_is_followed_by_a_pause(count: int, is_cold: bool, job: str) -> None:
    """It grows with each further one, up to its bound, and is never shorter than 4 s here."""
    failure = failed(count, job=job)
    facts = Facts(now_ms=NOW, failure=failure) if is_cold else warm(failure=failure)
    plan = plan_of(facts, POLICY)
    assert plan.at_ms is not None
    pause = plan.at_ms - NOW
    if is_cold:
        whole = min(5_000 * 2 ** (count - 1), 900_000)
        assert 0.8 * whole - 1 <= pause <= whole
    assert pause >= 4_000
    impatient = plan_of(facts, POLICY, patient=False)
    assert impatient.at_ms is not None
    assert impatient.at_ms <= plan.at_ms
    assert impatient.is_due(NOW) == is_cold


@pytest.mark.parametrize("kind", ["SourceUnavailable", "StoreUnavailable", "EmbeddedError"])
def test_what_is_away_is_tried_again_soon(kind: str) -> None:
    """However often it has failed: it is back within a minute of its server's being back."""
    facts = Facts(now_ms=NOW, failure=failed(30, kind))
    at_ms = plan_of(facts, POLICY).at_ms
    assert at_ms is not None
    assert at_ms <= NOW + LONGEST_WAIT_MS
    refused = plan_of(Facts(now_ms=NOW, failure=failed(30, "WarmRefused")), POLICY).at_ms
    assert refused is not None
    assert refused > NOW + 10 * LONGEST_WAIT_MS


def test_damage_is_repaired_at_once() -> None:
    """Whether a part of the snapshot is damaged, or its manifest, so that none can serve."""
    later = NOW + 1_000
    assert plan_of(warm(damaged=(Damaged(NOW),), now_ms=later), POLICY) == Plan(
        at_ms=NOW, reason=Reason.DAMAGE
    )
    assert plan_of(Facts(now_ms=later, damaged=(Damaged(NOW),)), POLICY) == Plan(
        at_ms=NOW, reason=Reason.DAMAGE
    )


def test_damage_goes_before_age() -> None:
    """Whoever only repairs must see it in the second half of a life, too; then age has its turn."""
    late = NOW + 1000 * HOUR
    old = warm(fresh_until_ms=NOW + HOUR, now_ms=late)
    assert plan_of(old, POLICY).reason is Reason.AGING
    damaged = replace(old, damaged=(Damaged(late),))
    assert plan_of(damaged, POLICY) == Plan(at_ms=late, reason=Reason.DAMAGE)
    repaired = replace(old, damaged=(Damaged(late, late - 1),))
    assert plan_of(repaired, POLICY).reason is Reason.AGING


def test_repairs_keep_their_distance() -> None:
    """Whoever damages it again and again has it repaired once in five minutes, not in a loop."""
    plan = plan_of(warm(damaged=(Damaged(NOW, NOW - 10_000),)), POLICY)
    assert plan == Plan(at_ms=NOW + 290_000, reason=Reason.DAMAGE)
    plan = plan_of(warm(damaged=(Damaged(NOW, NOW - 400_000),)), POLICY)
    assert plan == Plan(at_ms=NOW, reason=Reason.DAMAGE)
    both = (Damaged(NOW, NOW - 10_000), Damaged(NOW + 5))
    plan = plan_of(warm(damaged=both), POLICY)
    assert plan == Plan(at_ms=NOW + 5, reason=Reason.DAMAGE), "what is new doesn't wait for that"


def test_what_is_due_anyway_isnt_put_off_by_damage() -> None:
    """The sooner of the two counts."""
    old = warm(warmed_ms=NOW - 3 * HOUR, fresh_until_ms=NOW + HOUR)
    damaged = warm(
        warmed_ms=NOW - 3 * HOUR,
        fresh_until_ms=NOW + HOUR,
        damaged=(Damaged(NOW, NOW),),
    )
    assert plan_of(damaged, POLICY) == plan_of(old, POLICY)


def test_where_nobody_repairs() -> None:
    """Damage waits for the next warm; without a snapshot it is as cold."""
    policy = Policy(pauses=PAUSES, repairs=False)
    assert plan_of(warm(damaged=(Damaged(NOW),)), policy) == plan_of(warm(), policy)
    assert plan_of(Facts(now_ms=NOW, damaged=(Damaged(NOW),)), policy).reason is Reason.COLD


def test_a_schedule_counts_from_when_the_last_warm_began() -> None:
    """One that began before two and ended after it doesn't stand for the one at two."""
    policy = Policy(pauses=PAUSES, cron="0 */2 * * *")
    begun_before = warm(began_ms=NOW - 1_000, warmed_ms=NOW + 1_000)
    assert plan_of(begun_before, policy) == Plan(at_ms=NOW, reason=Reason.SCHEDULED)
    begun_after = warm(began_ms=NOW + 1_000, warmed_ms=NOW + 2_000)
    assert plan_of(begun_after, policy) == Plan(at_ms=NOW + 2 * HOUR, reason=Reason.SCHEDULED)


def test_a_schedule_is_in_the_data_sources_time_zone() -> None:
    """Two in the morning in Berlin, summer and winter."""
    policy = Policy(pauses=PAUSES, cron="0 2 * * *", zone="Europe/Berlin")
    for day, hour in (
        (datetime(2026, 1, 10, 0, 30, tzinfo=UTC), 1),
        (
            datetime(2026, 7, 10, 23, 30, tzinfo=UTC),
            0,
        ),
    ):
        began = int(day.timestamp() * 1000)
        facts = warm(began_ms=began, warmed_ms=began, fresh_until_ms=began + 96 * HOUR)
        at_ms = plan_of(facts, policy).at_ms
        assert at_ms is not None
        assert datetime.fromtimestamp(at_ms / 1000, UTC).hour == hour


def test_a_schedule_lets_no_snapshot_expire() -> None:
    """Where its next time lies behind the end of the snapshot's life, that counts."""
    policy = Policy(pauses=PAUSES, cron="0 2 1 1 *")
    plan = plan_of(warm(), policy)
    assert plan.reason is Reason.AGING
    assert plan.at_ms == NOW + round(0.9 * 4 * HOUR)


def test_a_missed_time_is_made_up_for() -> None:
    """No worker was alive at two: the first one after that warms."""
    policy = Policy(pauses=PAUSES, cron="0 2 * * *")
    began = NOW - 20 * HOUR  # 16:00 the day before
    facts = warm(began_ms=began, warmed_ms=began, fresh_until_ms=began + 48 * HOUR)
    assert plan_of(facts, policy).is_due(NOW)
