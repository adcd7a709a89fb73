"""What proving entries costs with each of the two seals."""

from __future__ import annotations

import random
import time
from dataclasses import asdict
from typing import Final

from benchmarks.bench import Bench
from benchmarks.measure import summary
from warmcube.entry.seal import Checksum, Mac, Seal, seal, unseal

__all__ = ["ENTRIES", "SIZE", "measure"]

ENTRIES: Final = 1000
SIZE: Final = 1100
"""Bytes of an entry: about what the 24 rows of a query's entries take."""


async def measure(bench: Bench) -> None:
    """Milliseconds to prove `ENTRIES` values of `SIZE` bytes, by the name of the seal."""
    bench.tell("proving entries")
    chance = random.Random(SIZE)  # noqa: S311 (not for secrets)
    keys = [b"cache:{ds:1:m:Measure:freq:Monthly}:v1-0:p:%d" % number for number in range(ENTRIES)]
    bodies = [chance.randbytes(SIZE) for _ in keys]
    seals: list[Seal] = [Checksum(), Mac(chance.randbytes(32))]
    values = {
        each.name: [seal(each, key, body) for key, body in zip(keys, bodies, strict=True)]
        for each in seals
    }
    taken: dict[str, list[float]] = {each.name: [] for each in seals}
    for _ in range(bench.effort.queries):
        for each in seals:
            started = time.perf_counter()
            for key, value in zip(keys, values[each.name], strict=True):
                unseal(each, key, value, "an entry")
            taken[each.name].append(time.perf_counter() - started)
    bench.figures["seals"] = {name: asdict(summary(seconds)) for name, seconds in taken.items()}
