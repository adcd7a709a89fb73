"""Rows set aside come back as they were, from memory or from a file."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest

from warmcube.errors import SourceUnavailable
from warmcube.fallback.spool import Spool

BATCHES = [
    pa.RecordBatch.from_pydict({"n": list(range(at, at + 100)), "t": [f"text {at}"] * 100})
    for at in range(0, 1000, 100)
]


@pytest.mark.parametrize("memory", [100, 10_000_000])
def test_all_come_back_as_often_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    """In their order; a file has no name, and nothing is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Spool(BATCHES[0].schema, memory) as aside:
        for batch in BATCHES:
            aside.add(batch)
        assert list(tmp_path.iterdir()) == []
        assert aside.rows == 1000
        assert next(aside.batches()) == BATCHES[0]
        for _ in range(2):
            assert list(aside.batches()) == BATCHES


def test_nothing_comes_back_as_nothing() -> None:
    """No batch at all."""
    with Spool(BATCHES[0].schema) as aside:
        assert list(aside.batches()) == []


def test_no_room_is_an_error_that_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one of the operating system's, and nothing of the rows is in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Spool(BATCHES[0].schema) as aside:
        aside.add(BATCHES[0])
        aside._file.close()
        aside._file = _Full()
        aside._writer = pa.ipc.new_stream(aside._file, BATCHES[0].schema)
        with pytest.raises(SourceUnavailable, match="TMPDIR") as caught:
            aside.add(BATCHES[1])
        assert "text 100" not in str(caught.value)


def test_rows_that_are_lost_are_no_shorter_answer() -> None:
    """If fewer come back than were set aside, that is an error."""
    with Spool(BATCHES[0].schema) as aside:
        aside.add(BATCHES[0])
        aside.rows += 1
        found = aside.batches()
        assert next(found) == BATCHES[0]
        with pytest.raises(SourceUnavailable, match=r"of 101 rows .* 100 came back"):
            next(found)


class _Full(io.BytesIO):
    """A file on a disk that is full after its first bytes."""

    def write(self, data: object) -> int:
        if self.tell():
            raise OSError(28, "No space left on device")
        return super().write(bytes(data))  # type: ignore[call-overload]
