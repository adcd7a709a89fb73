"""The second half of a warm: buckets of bounded size, each partition finished before the next.

A coarse bucket holds whole partitions. One that is too large for memory is split again: into
groups of whole partitions that fit, and those partitions that don't fit alone by practice, then
by provider, then simply by rows (which gives an entry further parts). All splitting streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warmcube.warm.gather import Gathered, hash_column, mix
from warmcube.warm.spill import Spill

__all__ = ["RUN_BYTES", "Run", "runs_of"]

RUN_BYTES: Final = 12 << 20
"""What is sorted and encoded at a time."""

SPLIT_BUDGET: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """Rows to encode together.

    Attributes:
        table: columns ``partition``, ``practice``, ``provider``, ``c0``…; text as positions or
            as text, as the layout says.
        is_last: whether the partitions in it end with it.
        is_piece: whether an entry may continue in the next run.
        has_whole_practices: whether none of its practices continues in the next run.
    """

    table: pa.Table
    is_last: bool
    is_piece: bool
    has_whole_practices: bool = True


def runs_of(gathered: Gathered, *, limit: int = RUN_BYTES) -> Iterator[Run]:
    """All rows, in runs of about `limit` bytes at most; empties the spill."""
    width = gathered.layout().width + 20  # and the keys
    for bucket in range(gathered.spill.buckets):
        batches = gathered.spill.drain(bucket)
        if gathered.spill.sizes[bucket] <= limit:
            table = _table(batches, gathered)
            if table.num_rows:
                yield Run(table, is_last=True, is_piece=False)
            continue
        groups, alone = _group(gathered, bucket, width, limit)
        with Spill(int(groups.max()) + 1, SPLIT_BUDGET) as spill:
            for batch in batches:
                spill.add(batch, groups[_partitions(batch)])
            yield from _runs_of_groups(spill, alone, gathered, limit)


def _runs_of_groups(spill: Spill, alone: set[int], gathered: Gathered, limit: int) -> Iterator[Run]:
    for group in range(spill.buckets):
        if group in alone:
            keys = ("practice", "provider")
            yield from _with_last(_split(spill, group, gathered, limit, keys))
            continue
        table = _table(spill.drain(group), gathered)
        if table.num_rows:
            yield Run(table, is_last=True, is_piece=False)


def _group(
    gathered: Gathered, bucket: int, width: int, limit: int
) -> tuple[npt.NDArray[np.int64], set[int]]:
    """Groups of whole partitions of one coarse bucket that fit together.

    Returns:
        per partition number its group (of other buckets' partitions: 0), and the groups that
        are one partition too large.
    """
    group_of = np.zeros(len(gathered.rows_of), np.int64)
    members = range(bucket, len(gathered.rows_of), gathered.spill.buckets)
    average = gathered.spill.sizes[bucket] / max(
        1, int(gathered.rows_of[bucket :: gathered.spill.buckets].sum())
    )
    alone: set[int] = set()
    group, filled = 0, 0.0
    for number in members:
        size = float(gathered.rows_of[number]) * max(average, width)
        if filled and filled + size > limit:
            group, filled = group + 1, 0.0
        group_of[number] = group
        filled += size
        if size > limit:
            alone.add(group)
            group, filled = group + 1, 0.0
    return group_of, alone


def _split(
    spill: Spill, bucket: int, gathered: Gathered, limit: int, keys: tuple[str, ...]
) -> Iterator[Run]:
    """One partition in runs: by the first key that still divides it, else by rows."""
    size = int(spill.sizes[bucket])
    if size <= limit:
        table = _table(spill.drain(bucket), gathered)
        if table.num_rows:
            is_whole = bool(keys)  # it wasn't divided by provider
            yield Run(table, is_last=False, is_piece=False, has_whole_practices=is_whole)
        return
    if not keys:
        yield from _by_rows(spill.drain(bucket), gathered, limit)
        return
    key, *rest = keys
    salt = np.uint64(len(keys))
    with Spill(min(256, 2 * size // limit + 2), SPLIT_BUDGET) as finer:
        for batch in spill.drain(bucket):
            if key in batch.schema.names:
                mixed = mix(_hash_texts(batch.column(key), key, gathered) + salt)
                finer.add(batch, (mixed % np.uint64(finer.buckets)).astype(np.int64))
            else:
                finer.add(batch, np.zeros(batch.num_rows, np.int64))
        for at in range(finer.buckets):
            yield from _split(finer, at, gathered, limit, tuple(rest))


def _hash_texts(column: pa.Array, key: str, gathered: Gathered) -> npt.NDArray[np.uint64]:
    """Hashes of a key's values, however the batch holds its texts."""
    if pa.types.is_uint32(column.type):
        role = gathered.roles.practice if key == "practice" else gathered.roles.provider
        column = gathered.texts[role or ""].texts(pa.chunked_array([column])).combine_chunks()
    return hash_column(column)


def _by_rows(batches: Iterator[pa.RecordBatch], gathered: Gathered, limit: int) -> Iterator[Run]:
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        step = max(1, batch.num_rows * limit // max(1, 2 * batch.nbytes))
        for start in range(0, batch.num_rows, step):
            piece = batch.slice(start, step)
            held.append(piece)
            size += piece.nbytes
            if size >= limit:
                yield _piece(held, gathered)
                held, size = [], 0
    if held:
        yield _piece(held, gathered)


def _piece(held: list[pa.RecordBatch], gathered: Gathered) -> Run:
    table = _table(iter(held), gathered)
    return Run(table, is_last=False, is_piece=True, has_whole_practices=False)


def _with_last(runs: Iterator[Run]) -> Iterator[Run]:
    """The same runs, the last one marked."""
    previous = next(runs)
    for run in runs:
        yield previous
        previous = run
    yield replace(previous, is_last=True)


def _partitions(batch: pa.RecordBatch) -> npt.NDArray[np.int32]:
    numbers: npt.NDArray[np.int32] = np.asarray(batch.column("partition"))
    return numbers


def _table(batches: Iterator[pa.RecordBatch], gathered: Gathered) -> pa.Table:
    """Batches as one table, each text column either all positions or all texts."""
    held = list(batches)
    if not held:
        return pa.table({"partition": pa.array([], pa.int32())})
    names = {f"c{i}": column.name for i, column in enumerate(gathered.carried)}
    names |= {"practice": gathered.roles.practice or "", "provider": gathered.roles.provider or ""}
    columns: dict[str, pa.ChunkedArray] = {}
    for name in held[0].schema.names:
        chunks = [batch.column(name) for batch in held]
        text = gathered.texts.get(names.get(name, ""))
        if text is not None and text.overflowed:
            columns[name] = text.texts(pa.chunked_array(_alike(chunks, text.texts)))
        else:
            columns[name] = pa.chunked_array(chunks)
    return pa.table(columns)


def _alike(
    chunks: list[pa.Array], decode: Callable[[pa.ChunkedArray], pa.ChunkedArray]
) -> list[Any]:
    """Chunks of positions and of texts, all as texts."""
    return [part for chunk in chunks for part in decode(pa.chunked_array([chunk])).chunks]
