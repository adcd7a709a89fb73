"""Answers written piece by piece: CSV, lines of JSON, Arrow, Parquet.

Each writer gives bytes at the beginning, for each table, and at the end; joined they are the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from warmcube.errors import InvalidQuery
from warmcube.model.columns import Table
from warmcube.query.arrowform import arrow_table
from warmcube.query.csvform import csv_header, csv_lines
from warmcube.query.formats import json_objects
from warmcube.query.wording import shown

__all__ = ["STREAM_FORMATS", "Form", "StreamWriter", "check_form", "make_writer"]


class StreamWriter(Protocol):
    """Writes one file. Everything here blocks, for a large table for some time."""

    def begin(self) -> bytes:
        """What comes before the first table."""

    def write(self, table: Table) -> bytes:
        """A table."""

    def end(self) -> bytes:
        """What comes after the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an answer is written.

    Attributes:
        format: one of `STREAM_FORMATS`.
        spreadsheet: whether a spreadsheet will open it; for CSV only.
    """

    format: str
    spreadsheet: bool = False

    @property
    def has_arrow_types(self) -> bool:
        """Whether all tables have to be of the types with which it begins."""
        return self.format in ("arrow", "parquet")


class _Csv:
    def __init__(self, empty: Table, form: Form) -> None:
        self._names = list(empty.columns)
        self._spreadsheet = form.spreadsheet

    def begin(self) -> bytes:
        return csv_header(self._names, spreadsheet=self._spreadsheet).encode()

    def write(self, table: Table) -> bytes:
        return csv_lines(table, spreadsheet=self._spreadsheet).encode()

    def end(self) -> bytes:
        return b""


class _JsonLines:
    def begin(self) -> bytes:
        return b""

    def write(self, table: Table) -> bytes:
        return "".join([f"{line}\n" for line in json_objects(table)]).encode()

    def end(self) -> bytes:
        return b""


class _Sink(io.RawIOBase):
    """A file of which only what was written since is kept."""

    def __init__(self) -> None:
        self._written = bytearray()
        self._before = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def tell(self) -> int:
        return self._before + len(self._written)

    def taken(self) -> bytes:
        """What was written since this was last asked."""
        data = bytes(self._written)
        self._before += len(data)
        self._written.clear()
        return data


_ArrowWriter: TypeAlias = Any  # of pyarrow: RecordBatchStreamWriter or ParquetWriter


class _Arrow:
    def __init__(
        self,
        empty: Table,
        as_text: Collection[str],
        open_writer: Callable[[_Sink, pa.Schema], _ArrowWriter],
    ) -> None:
        self._as_text = as_text
        self._sink = _Sink()
        schema = arrow_table(empty, as_text=as_text).schema
        self._writer = open_writer(self._sink, schema)

    def begin(self) -> bytes:
        return self._sink.taken()

    def write(self, table: Table) -> bytes:
        self._writer.write_table(arrow_table(table, as_text=self._as_text))
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


def _open_parquet(sink: _Sink, schema: pa.Schema) -> _ArrowWriter:
    return pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False)


_MAKERS: Final[Mapping[str, Callable[[Table, Form, Collection[str]], StreamWriter]]] = {
    "csv": lambda empty, form, _: _Csv(empty, form),
    "jsonl": lambda _empty, _form, _as_text: _JsonLines(),
    "arrow": lambda empty, _, as_text: _Arrow(empty, as_text, pa.ipc.new_stream),
    "parquet": lambda empty, _, as_text: _Arrow(empty, as_text, _open_parquet),
}
STREAM_FORMATS: Final = tuple(_MAKERS)
"""The formats that answers can be streamed in."""


def check_form(form: Form) -> None:
    """Whether there is such a form.

    Raises:
        InvalidQuery: there isn't.
    """
    if form.format not in _MAKERS:
        raise InvalidQuery(
            f"format is {shown(form.format)}; expected one of {', '.join(STREAM_FORMATS)}"
        )
    if form.spreadsheet and form.format != "csv":
        raise InvalidQuery(f"spreadsheet is for csv, not for {form.format}; leave it out")


def make_writer(form: Form, empty: Table, as_text: Collection[str]) -> StreamWriter:
    """A writer of one file.

    Args:
        form: how.
        empty: the answer's columns, without rows.
        as_text: columns that are texts in Arrow because of some value in some table.
    """
    return _MAKERS[form.format](empty, form, as_text)
