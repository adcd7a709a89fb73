"""Rows of the database set aside, so that it needn't wait for whoever takes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, Final, Self, cast

import pyarrow as pa

__all__ = ["Spool"]

MEMORY: Final = 16 << 20


class Spool:
    """Arrow batches of one schema, in memory while they are few, in a file beyond that.

    The file has no name and nobody else can open it, so that it is gone with whoever has it.

    Args:
        schema: of the batches.
        memory: how many bytes stay in memory.
    """

    def __init__(self, schema: pa.Schema, memory: int = MEMORY) -> None:
        # Closed by `close`: what is set aside outlives every block that it could be opened in.
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=memory)  # noqa: SIM115
        self._writer = pa.ipc.new_stream(self._file, schema)
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Set rows aside. Blocks."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All of them, in their order; nothing can be added any more. Blocks."""
        self._writer.close()
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as stream:
            yield from cast("Iterator[pa.RecordBatch]", stream)

    def close(self) -> None:
        """Forget all."""
        self._file.close()
