"""When a data source is due to be warmed, and why. Pure: what is known comes in as `Facts`.

All workers come to the same result from the same facts, since what varies by chance hangs on the
snapshot's version or the failed job's id. So any of them may do what is due, and all show the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from warmcube.worker.cron import next_fire
from warmcube.worker.pauses import Pauses, chance

__all__ = ["LONGEST_WAIT_MS", "Damaged", "Facts", "Failure", "Plan", "Policy", "Reason", "plan_of"]

LATEST: Final = 0.95
"""However a moment varies, it lies before that share of a snapshot's life."""

BEFORE_END: Final = 0.9
"""Of its life, the share after which a snapshot is warmed anew although its schedule says later."""

WAITING_FOR: Final = frozenset(("SourceUnavailable", "StoreUnavailable", "EmbeddedError"))
"""Kinds of failure that end by themselves, and of which another try costs next to nothing."""

LONGEST_WAIT_MS: Final = 60_000
"""After one of those, the next try is never later."""


class Reason(StrEnum):
    """Why a data source is warmed without anybody's asking."""

    COLD = "cold"
    AGING = "aging"
    SCHEDULED = "scheduled"
    DAMAGE = "damage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What became of the last warms, if it was nothing good.

    Attributes:
        count: how many failed in a row, until now.
        job: the last one's id.
        ended_ms: when that ended.
        kind: the name of its error's class.
        message: in words.
    """

    count: int
    job: str
    ended_ms: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A part of a snapshot that is damaged.

    Attributes:
        met_ms: when that was first met.
        repaired_ms: when it was repaired before; None if it wasn't lately.
    """

    met_ms: int
    repaired_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a data source. All times are Unix milliseconds by the store's clock.

    Attributes:
        now_ms: when it was looked at.
        version: of the snapshot that can serve; None if none can.
        began_ms: when the warm began that published it.
        warmed_ms: from when on it is fresh.
        fresh_until_ms: until when.
        failure: of the last warms.
        damaged: the parts of it that are damaged.
        held: why it isn't to be warmed without anybody's asking; None if it is.
    """

    now_ms: int
    version: str | None = None
    began_ms: int = 0
    warmed_ms: int = 0
    fresh_until_ms: int = 0
    failure: Failure | None = None
    damaged: tuple[Damaged, ...] = ()
    held: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a data source is kept warm.

    Attributes:
        pauses: after failures.
        warm_after: the share of its life after which a snapshot is warmed anew.
        jitter: by which share of that the moment varies.
        repair_pause_ms: between two repairs of the same.
        cron: by which expression it is warmed instead.
        zone: of that expression.
        is_whole: whether an old snapshot's whole table is read, and not what has changed.
        repairs: whether damage is repaired.
        held: why nothing is warmed without anybody's asking, by the configuration.
    """

    pauses: Pauses
    warm_after: float = 0.5
    jitter: float = 0.1
    repair_pause_ms: int = 300_000
    cron: str | None = None
    zone: str = "UTC"
    is_whole: bool = True
    repairs: bool = True
    held: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What comes next of a data source.

    Attributes:
        at_ms: when it is due; None if it isn't to be warmed without anybody's asking.
        reason: why it will be warmed then.
        held: why it isn't.
    """

    at_ms: int | None
    reason: Reason | None
    held: str | None = None

    def is_due(self, now_ms: int) -> bool:
        """Whether it is to be warmed now."""
        return self.at_ms is not None and self.at_ms <= now_ms


def plan_of(facts: Facts, policy: Policy, *, patient: bool = True) -> Plan:
    """When a data source is warmed next, and why.

    Args:
        facts: what is known of it.
        policy: how it is kept warm.
        patient: whether to pause after failures; False for whoever tries but once.
    """
    held = facts.held or policy.held
    if held is not None:
        return Plan(at_ms=None, reason=None, held=held)
    at_ms, reason = _wanted(facts, policy)
    failure = facts.failure
    if failure is not None and patient:
        longest = LONGEST_WAIT_MS if failure.kind in WAITING_FOR else None
        pause = policy.pauses.after(failure.count, chance(failure.job), longest_ms=longest)
        at_ms = max(at_ms, failure.ended_ms + pause)
    return Plan(at_ms=at_ms, reason=reason)


def _wanted(facts: Facts, policy: Policy) -> tuple[int, Reason]:
    """When it would be warmed if nothing had failed."""
    damaged_ms = _repair_ms(facts, policy)
    if facts.version is None:
        if damaged_ms is None:
            return facts.now_ms, Reason.COLD
        return damaged_ms, Reason.DAMAGE
    at_ms, reason = _renewal(facts, facts.version, policy)
    if damaged_ms is not None and damaged_ms < max(at_ms, facts.now_ms + 1):
        return damaged_ms, Reason.DAMAGE
    return at_ms, reason


def _repair_ms(facts: Facts, policy: Policy) -> int | None:
    """When a repair is due: whatever was repaired just now can wait, what is new can't."""
    if not policy.repairs:
        return None
    due = [
        each.met_ms
        if each.repaired_ms is None
        else max(each.met_ms, each.repaired_ms + policy.repair_pause_ms)
        for each in facts.damaged
    ]
    return min(due, default=None)


def _renewal(facts: Facts, version: str, policy: Policy) -> tuple[int, Reason]:
    """When a snapshot that is well is warmed anew."""
    life = facts.fresh_until_ms - facts.warmed_ms
    if policy.cron is not None:
        last_ms = facts.warmed_ms + round(life * BEFORE_END)
        fire_ms = next_fire(policy.cron, policy.zone, facts.began_ms)
        if fire_ms is not None and fire_ms <= last_ms:
            return fire_ms, Reason.SCHEDULED
        return last_ms, Reason.AGING
    varied = policy.warm_after * (1 + policy.jitter * (2 * chance(version) - 1))
    return facts.warmed_ms + round(life * min(varied, LATEST)), Reason.AGING
