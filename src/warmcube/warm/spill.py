"""Rows in buckets, in memory while they are few, in an unlinked file beyond that."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Spill"]

SEGMENT_BYTES: Final = 4 << 20
MAX_UINT16: Final = 1 << 16


class Spill:
    """A fixed number of buckets of Arrow batches.

    Args:
        buckets: how many.
        budget: bytes that may stay in memory; beyond them everything goes to the file.
        folder: where the file lies: 0600, in a 0700 folder of its own, both unlinked as soon as
            it is open, so that nothing stays behind a crash. None takes the system's.
    """

    def __init__(self, buckets: int, budget: int, folder: Path | None = None) -> None:
        self.buckets = buckets
        self.sizes = np.zeros(buckets, np.int64)
        self._budget = budget
        self._folder = folder
        self._held: list[list[pa.RecordBatch]] = [[] for _ in range(buckets)]
        self._held_bytes = 0
        self._file: BinaryIO | None = None
        self._segments: list[list[tuple[int, int]]] = [[] for _ in range(buckets)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, batch: pa.RecordBatch, bucket_of: npt.NDArray[Any]) -> None:
        """Put each row into its bucket.

        Args:
            batch: the rows; later batches may differ in type.
            bucket_of: per row, from 0 to ``buckets - 1``.
        """
        if not batch.num_rows:
            return
        counts = np.bincount(bucket_of, minlength=self.buckets)
        used = np.flatnonzero(counts)
        if len(used) > 1:
            # Of integers this small numpy makes a radix sort.
            narrow = bucket_of.astype(np.uint16) if self.buckets <= MAX_UINT16 else bucket_of
            batch = batch.take(pa.array(np.argsort(narrow, kind="stable")))
        size = batch.nbytes
        start = 0
        for bucket in used.tolist():
            count = int(counts[bucket])
            self._held[bucket].append(batch.slice(start, count))
            self.sizes[bucket] += size * count // batch.num_rows
            start += count
        self._held_bytes += size
        if self._held_bytes > self._budget:
            self._flush()

    def drain(self, bucket: int) -> Iterator[pa.RecordBatch]:
        """The batches of a bucket; each bucket can be drained once."""
        for start, length in self._segments[bucket]:
            file = cast("BinaryIO", self._file)
            file.seek(start)
            yield from pa.ipc.open_stream(file.read(length))
        self._segments[bucket] = []
        held, self._held[bucket] = self._held[bucket], []
        yield from held

    def close(self) -> None:
        """Forget everything."""
        self._held = [[] for _ in range(self.buckets)]
        if self._file is not None:
            self._file.close()
            self._file = None

    def _flush(self) -> None:
        if self._file is None:
            self._file = _unlinked_file(self._folder)
        self._file.seek(0, os.SEEK_END)
        for bucket, held in enumerate(self._held):
            for segment in _segments(held):
                start = self._file.tell()
                table = pa.Table.from_batches(segment).combine_chunks()
                with pa.ipc.new_stream(self._file, table.schema) as stream:
                    stream.write_table(table)
                self._segments[bucket].append((start, self._file.tell() - start))
            self._held[bucket] = []
        self._held_bytes = 0


def _segments(held: list[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches in groups of one type and about ``SEGMENT_BYTES``: what is read back at a time."""
    segment: list[pa.RecordBatch] = []
    size = 0
    for batch in held:
        if segment and (size >= SEGMENT_BYTES or batch.schema != segment[0].schema):
            yield segment
            segment, size = [], 0
        segment.append(batch)
        size += batch.nbytes
    if segment:
        yield segment


def _unlinked_file(folder: Path | None) -> BinaryIO:
    private = tempfile.mkdtemp(prefix="warmcube-", dir=folder)  # 0700
    path = Path(private) / "rows"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        path.unlink()
    finally:
        Path(private).rmdir()
    return cast("BinaryIO", os.fdopen(handle, "w+b"))
