"""Who is asked what, how often."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from warmcube.prove.breakouts import BREAKOUTS
from warmcube.prove.reads import READS, Maker
from warmcube.prove.sql import Partition

__all__ = ["Deck", "Visit", "plan_visits"]

_CASES_PER_VISIT = 20
_LEAST_CASES = 12
_MOST_PARTITIONS = 16


@dataclass(frozen=True, slots=True)
class Visit:
    """One user before one partition, for so many cases."""

    user: str
    cases: int


def plan_visits(
    partitions: Iterable[Partition],
    users: Sequence[str],
    cases: int,
    random: random.Random,
) -> Mapping[Partition, Sequence[Visit]]:
    """Which users are tried on which partitions.

    Args:
        partitions: all; those whose measure or frequency is NULL are never left out.
        users: who is tried.
        cases: for all of them together; each gets a few anyhow.
        random: chooses.
    """
    partitions = list(partitions)
    if not partitions or not users:
        return {}
    special = [each for each in partitions if None in each]
    plain = sorted((each for each in partitions if None not in each), key=repr)
    room = max(0, _MOST_PARTITIONS - len(special))
    chosen = [*special[:_MOST_PARTITIONS], *random.sample(plain, min(room, len(plain)))]
    each = max(_LEAST_CASES, -(-cases // len(users)))
    visits: dict[Partition, list[Visit]] = {}
    for number, user in enumerate(users):
        count = max(1, min(len(chosen), each // _CASES_PER_VISIT))
        for turn in range(count):
            partition = chosen[(number + turn) % len(chosen)]
            share = each // count + (turn < each % count)
            visits.setdefault(partition, []).append(Visit(user, share))
    return visits


class Deck:
    """Ways to ask, in an order that is anyone's but in which each has its turn.

    Args:
        random: shuffles.
    """

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._reads: list[Maker] = []
        self._breakouts: list[Maker] = []

    def draw(self) -> Iterator[Maker]:
        """Ways to try for one case, reads and break-outs in turn, until one is taken."""
        first, second = self._next_read, self._next_breakout
        if self._random.random() < 0.5:
            first, second = second, first
        yield first()
        for _ in range(len(READS) + len(BREAKOUTS)):
            yield second()
            yield first()

    def _next_read(self) -> Maker:
        if not self._reads:
            self._reads = self._random.sample(READS, len(READS))
        return self._reads.pop()

    def _next_breakout(self) -> Maker:
        if not self._breakouts:
            self._breakouts = self._random.sample(BREAKOUTS, len(BREAKOUTS))
        return self._breakouts.pop()
