"""CSV by RFC 4180, for programs and for spreadsheets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from warmcube.model.columns import Table
from warmcube.model.schema import Kind
from warmcube.query.textform import texts

__all__ = ["csv_header", "csv_lines"]

_NEEDS_QUOTES: Final = re.compile(r'[",\r\n]|^$')
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins with one of these for something to compute."""


def csv_header(names: Iterable[str], *, spreadsheet: bool = False) -> str:
    """The first line: the names of the columns."""
    encode = _safe_field if spreadsheet else _field
    return ",".join(map(encode, names)) + "\r\n"


def csv_lines(table: Table, *, spreadsheet: bool = False) -> str:
    """A line for each row.

    Args:
        table: the rows.
        spreadsheet: put an apostrophe in front of texts that a spreadsheet would compute. Other
            columns than text are left alone: a negative number is a number.
    """
    columns = [
        texts(column, _safe_field if spreadsheet and column.type.kind is Kind.TEXT else _field)
        for column in table.columns.values()
    ]
    lines = [",".join([field or "" for field in row]) for row in zip(*columns, strict=True)]
    return "\r\n".join([*lines, ""])


def _field(text: str) -> str:
    if _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _safe_field(text: str) -> str:
    return _field("'" + text if text.startswith(_FORMULA) else text)
