"""The members of one partition while it is written: what its sets and counts will hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from warmcube.warm.spill import Spill

__all__ = ["DistinctCount", "Family", "MemberIndex"]

Family: TypeAlias = Literal["practice", "provider"]
Triple: TypeAlias = tuple[bytes, bytes, int]

HELD: Final = 200_000
SPILL_BUCKETS: Final = 64
SPILL_BUDGET: Final = 16 << 20


class DistinctCount:
    """Counts distinct components over all partitions, up to a million."""

    LIMIT: Final = 1_000_000

    def __init__(self) -> None:
        self._seen: set[int] | None = set()

    def update(self, components: Iterable[bytes]) -> None:
        """See some."""
        if self._seen is not None:
            self._seen.update(map(xxh3_64_intdigest, components))
            if len(self._seen) > self.LIMIT:
                self._seen = None

    def merge(self, other: DistinctCount) -> None:
        """See what another one has seen."""
        if self._seen is not None and other._seen is not None:
            self._seen |= other._seen
        if self._seen is None or other._seen is None or len(self._seen) > self.LIMIT:
            self._seen = None

    @property
    def count(self) -> int | None:
        """How many there were; None if more than can be counted."""
        return None if self._seen is None else len(self._seen)


class MemberIndex:
    """Collects (practice, provider, part) and groups them by either; spills when they are many."""

    def __init__(self, held: int = HELD) -> None:
        self.size = 0
        self._room = held
        self._held: list[Triple] = []
        self._spills: dict[Family, Spill] = {}

    def extend(self, members: Sequence[Triple]) -> None:
        """Take in some members, by their encoded components and their part."""
        self.size += len(members)
        self._held += members
        if len(self._held) >= self._room:
            self._flush()

    def sets(self, family: Family) -> Iterator[tuple[bytes, list[bytes]]]:
        """Per practice (or provider), the other component of each member, ``/k`` for part k."""
        if not self._spills:
            yield from _grouped(self._held, family)
            return
        if self._held:
            self._flush()
        spill = self._spills[family]
        for bucket in range(SPILL_BUCKETS):
            yield from _grouped(_triples(spill, bucket), family)

    def close(self) -> None:
        """Forget everything."""
        for spill in self._spills.values():
            spill.close()

    def _flush(self) -> None:
        practices, providers, parts = zip(*self._held, strict=True)
        batch = pa.RecordBatch.from_pydict(
            {
                "practice": pa.array(practices, pa.binary()),
                "provider": pa.array(providers, pa.binary()),
                "part": pa.array(parts, pa.int64()),
            }
        )
        owners: dict[Family, tuple[bytes, ...]] = {"practice": practices, "provider": providers}
        for family, owner in owners.items():
            spill = self._spills.setdefault(family, Spill(SPILL_BUCKETS, SPILL_BUDGET))
            buckets = [xxh3_64_intdigest(component) % SPILL_BUCKETS for component in owner]
            spill.add(batch, np.array(buckets, np.int64))
        self._held = []


def _triples(spill: Spill, bucket: int) -> Iterator[Triple]:
    for batch in spill.drain(bucket):
        yield from zip(*[column.to_pylist() for column in batch.columns], strict=True)


def _grouped(
    triples: Iterator[Triple] | list[Triple], family: Family
) -> Iterator[tuple[bytes, list[bytes]]]:
    groups: defaultdict[bytes, list[bytes]] = defaultdict(list)
    if family == "practice":
        for owner, other, part in triples:
            groups[owner].append(b"%b/%d" % (other, part) if part else other)
    else:
        for other, owner, part in triples:
            groups[owner].append(b"%b/%d" % (other, part) if part else other)
    yield from groups.items()
