"""An answer as JSON, CSV, Parquet, an Arrow stream, or a table for the terminal."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import JustifyMethod
from rich.table import Table as RichTable
from rich.text import Text

from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import Kind
from warmcube.query.csvform import csv_header, csv_lines
from warmcube.query.result import Result
from warmcube.query.textform import texts

__all__ = [
    "TYPE_KEY",
    "WRITERS",
    "json_objects",
    "to_arrow_stream",
    "to_csv",
    "to_json",
    "to_parquet",
    "to_terminal",
]

TYPE_KEY: Final = b"warmcube.type"
"""Under which the fields of an Arrow stream have the types of their columns."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ISO_CLOCK: Final = re.compile(r"(\d{4}-\d\d-\d\d) ([\d:.]+)(?:\+00)?", re.ASCII)


def to_json(result: Result) -> bytes:
    """One array of objects, in UTF-8.

    Numbers are written with all their digits, numerics with the column's scale: ``12.50``. Read
    them as decimals to keep them exact. NaN and the infinities are the texts ``"NaN"``,
    ``"Infinity"`` and ``"-Infinity"``; dates and timestamps are ISO 8601, instants with
    ``+00:00`` (outside the years 1 to 9999: Postgres's text).
    """
    if not len(result):
        return b"[]\n"
    return ("[" + ",\n".join(json_objects(result.table)) + "]\n").encode()


def json_objects(table: Table) -> Iterator[str]:
    """Each row as an object of `to_json`'s, on one line."""
    columns = [_json_column(column) for column in table.columns.values()]
    names = [json.dumps(name, ensure_ascii=False) for name in table.columns]
    for row in zip(*columns, strict=True):
        members = [f"{name}:{value}" for name, value in zip(names, row, strict=True)]
        yield "{" + ",".join(members) + "}"


def _json_column(column: ColumnData) -> list[str]:
    kind = column.type.kind
    if kind.is_number:
        encode: Callable[[str], str] = _json_number
    elif kind is Kind.BOOLEAN:
        encode = str
    elif kind.is_instant:
        encode = _json_instant
    else:
        encode = _json_text
    return ["null" if text is None else text for text in texts(column, encode)]


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _json_number(text: str) -> str:
    return f'"{text}"' if text[-1] in "Ny" else text  # NaN, Infinity, -Infinity


def _json_instant(text: str) -> str:
    match = _ISO_CLOCK.fullmatch(text)
    if match is None:
        return f'"{text}"'
    return f'"{match[1]}T{match[2]}{"+00:00" if text.endswith("+00") else ""}"'


def to_csv(result: Result) -> bytes:
    """RFC 4180 with a header, in UTF-8, values as Postgres prints them.

    NULL is an empty field without quotes, the empty text one with quotes.
    """
    return (csv_header(result.columns) + csv_lines(result.table)).encode()


def to_parquet(result: Result) -> bytes:
    """One Parquet file, compressed with zstd, with the types of `Result.to_arrow`."""
    sink = io.BytesIO()
    pq.write_table(result.to_arrow(), sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def to_arrow_stream(result: Result) -> bytes:
    """One Arrow IPC stream, with the types of `Result.to_arrow`.

    The metadata of each field has the column's own type, as `TYPE_KEY`: Arrow has one type for
    texts and UUIDs, and none for numerics that aren't numbers.
    """
    table = result.to_arrow()
    types = [str(column.type).encode() for column in result.table.columns.values()]
    schema = pa.schema(
        [
            field.with_metadata({TYPE_KEY: name})
            for field, name in zip(table.schema, types, strict=True)
        ]
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table.cast(schema))
    return sink.getvalue()


WRITERS: Final[Mapping[str, Callable[[Result], bytes]]] = {
    "json": to_json,
    "csv": to_csv,
    "parquet": to_parquet,
    "arrow": to_arrow_stream,
}
"""The formats for files and pipes, by name."""


def to_terminal(result: Result, rows: int | None = None) -> RichTable:
    """A table for `rich` to print; NULL is dim, numbers stand to the right.

    Args:
        result: the answer.
        rows: show at most so many, and say below how many more there are.
    """
    shown = len(result) if rows is None else min(rows, len(result))
    hidden = len(result) - shown
    table = RichTable(caption=f"{hidden:,} more rows" if hidden else None)
    columns = []
    for name, column in result.table.columns.items():
        justify: JustifyMethod = "right" if column.type.kind.is_number else "left"
        table.add_column(_cell(name), justify=justify)
        columns.append(texts(column.take(np.arange(shown))))
    for row in zip(*columns, strict=True):
        table.add_row(*map(_cell, row))
    return table


def _visible(text: str) -> str:
    """Text without what a terminal would obey."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def _cell(text: str | None) -> Text:
    return Text("NULL", style="dim") if text is None else Text(_visible(text))
