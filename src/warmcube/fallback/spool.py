"""Rows of the database set aside, so that it needn't wait for whoever takes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import pyarrow as pa

from warmcube.errors import SourceUnavailable

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
        self._is_complete = False
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Set rows aside. Blocks.

        Raises:
            SourceUnavailable: there is no room for them.
        """
        with _told():
            self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All of them, in their order, to one reader at a time; nothing can be added any more.

        Blocks.

        Raises:
            SourceUnavailable: they can't be read back.
        """
        if not self._is_complete:
            with _told():
                self._writer.close()
            self._is_complete = True
        self._file.seek(0)
        rows = 0
        with _told(), pa.ipc.open_stream(self._file) as stream:
            for batch in stream:
                rows += batch.num_rows
                yield batch
        if rows != self.rows:
            raise SourceUnavailable(
                f"of {self.rows:,} rows that were set aside {rows:,} came back; try again"
            )

    def close(self) -> None:
        """Forget all."""
        self._file.close()


@contextmanager
def _told() -> Iterator[None]:
    """What the system says against it, in words for whoever asked."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise SourceUnavailable(
            f"the rows of the database can't be set aside in {tempfile.gettempdir()}: "
            f"{type(error).__name__}; see to its room, or name another folder in TMPDIR"
        ) from error
