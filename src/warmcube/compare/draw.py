"""Which slices are compared row by row: drawn by chance, with a seed, over all practices."""

from __future__ import annotations

from collections import Counter
from random import Random

from warmcube.compare.slices import Slice
from warmcube.compare.stored import StoredSnapshot

__all__ = ["draw_slices"]


async def draw_slices(stored: StoredSnapshot, sample: int, seed: int) -> list[Slice]:
    """So many different slices at most; the same for the same seed and snapshot.

    A practice of a partition is as likely as any other one, of whatever partition.

    Raises:
        Damage: the index can't be read.
    """
    partitions = stored.live.manifest.partitions
    names = sorted(partitions, key=lambda n: (n.measure or "", n.frequency or "", str(n)))
    if not names or not sample:
        return []
    random = Random(seed)  # noqa: S311 - nothing is kept secret by it
    weights = [partitions[name].practices for name in names]
    drawn = Counter(random.choices(range(len(names)), weights, k=min(sample, 10 * sum(weights))))
    slices: dict[Slice, None] = {}
    for at in sorted(drawn):
        name = names[at]
        practices, providers = await stored.owners(name)
        for practice in random.sample(practices, min(drawn[at], len(practices))):
            provider = random.choice(providers) if practice is None and providers else None
            slices[Slice(name, practice, provider)] = None
    return list(slices)
