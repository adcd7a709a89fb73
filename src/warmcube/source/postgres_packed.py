"""Columns of fixed width, sent by Postgres as one value per row and taken apart here.

What a row costs, in the server, in libpq and in ADBC, is mostly what its fields cost, one by one.
So all columns whose binary form always has the same width are joined in the SELECT, as their own
send functions give them (big-endian, dates and instants from 2000-01-01 on, infinities as the
extremes); numpy reads the joined bytes of a whole batch as they are. A row with NULLs has zeros in
their place, and behind them a byte for each column, 1 for NULL: its length tells it apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warmcube.errors import SourceError
from warmcube.model.schema import NARROW_PRECISION, Column, Kind, Schema
from warmcube.source.postgres_column import TOO_LATE, PostgresColumn
from warmcube.source.postgres_form import postgres_batch
from warmcube.source.storage_form import (
    DATE_MAX,
    DATE_MIN,
    INSTANT_MAX,
    INSTANT_MIN,
    Array,
    storage_schema,
    unsupported,
)

__all__ = ["PackedTable"]

_FORMS: Final = {
    "int2": ("int2send", ">i2"),
    "int4": ("int4send", ">i4"),
    "int8": ("int8send", ">i8"),
    "float4": ("float4send", ">f4"),
    "float8": ("float8send", ">f8"),
    "bool": ("boolsend", "?"),
    "date": ("date_send", ">i4"),
    "timestamp": ("timestamp_send", ">i8"),
    "timestamptz": ("timestamptz_send", ">i8"),
    "uuid": ("uuid_send", "V16"),
    "numeric": ("int8send", ">i8"),
}
_WORTH_PACKING: Final = 2
_NAN: Final = 2**63 - 1  # as in storage form
_EPOCH_DAYS: Final = 10_957  # from 1970-01-01 to 2000-01-01
_EPOCH_MICROSECONDS: Final = _EPOCH_DAYS * 86_400_000_000

Bytes = npt.NDArray[np.uint8]


class PackedTable:
    """How some columns are selected, and what comes of it turned into storage form.

    Args:
        columns: in the table's order.
        is_plain: whether it is one plain table. Nothing but that makes sure that a numeric has no
            more digits than it declares, so that scaling it to an integer is exact.
    """

    def __init__(self, columns: Sequence[PostgresColumn], *, is_plain: bool) -> None:
        packed = [
            column
            for column in columns
            if column.base in _FORMS
            and (column.type.kind is not Kind.NUMERIC or (is_plain and _is_narrow(column)))
        ]
        if len(packed) < _WORTH_PACKING:
            packed = []
        self._packed = tuple(packed)
        self._others = tuple(column for column in columns if column not in packed)
        self._record = np.dtype([(f"c{i}", _FORMS[c.base][1]) for i, c in enumerate(packed)])

    @property
    def selected(self) -> tuple[str, ...]:
        """The expressions to select."""
        others = [column.selected for column in self._others]
        return tuple([self._joined(), *others] if self._packed else others)

    def batch(self, arrays: Sequence[Array], schema: Schema) -> pa.RecordBatch:
        """A batch in storage form.

        Args:
            arrays: one per expression of `selected`.
            schema: of all columns, in the table's order.

        Raises:
            UnsupportedValue: a value can't be kept exactly; names the column.
        """
        others = Schema(tuple(schema[column.name] for column in self._others))
        if not self._packed:
            return postgres_batch(arrays, others)
        rest = postgres_batch(arrays[1:], others) if self._others else None
        kept = self._taken_apart(arrays[0], schema)
        columns = [
            kept[column.name] if column.name in kept else _of(rest, column.name)
            for column in schema.columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=storage_schema(schema.columns))

    def _joined(self) -> str:
        # That a column is declared NOT NULL isn't relied on: of foreign tables nobody enforces it.
        columns = [column.plain for column in self._packed]
        sent = [f"{_FORMS[c.base][0]}({_value(c)})" for c in self._packed]
        filled = [
            f"COALESCE({text}, {_zeros(_FORMS[c.base][1])})"
            for c, text in zip(self._packed, sent, strict=True)
        ]
        marks = [f"boolsend({column} IS NULL)" for column in columns]
        # NULL joined to anything is NULL: so nobody has to look for NULLs in rows that have none.
        return f"COALESCE({' || '.join(sent)}, {' || '.join([*filled, *marks])})"

    def _taken_apart(self, joined: Array, schema: Schema) -> dict[str, Array]:
        rows, marks = self._rows(joined)
        records = rows.view(self._record)
        kept = {}
        for at, column in enumerate(self._packed):
            missing = None if marks is None else marks[:, at] != 0
            values = records[f"c{at}"].reshape(-1)
            kept[column.name] = _in_storage_form(values, missing, schema[column.name])
        return kept

    def _rows(self, joined: Array) -> tuple[Bytes, Bytes | None]:
        """The records of all rows and, where there is any NULL, a mark for each that is one."""
        width, longer = self._record.itemsize, self._record.itemsize + len(self._packed)
        _, offsets, buffer = joined.buffers()
        ends = np.frombuffer(offsets, np.int32, len(joined) + 1, joined.offset * 4)
        lengths = np.diff(ends)
        data = np.frombuffer(buffer or b"", np.uint8)[ends[0] : ends[-1]]
        is_whole = lengths == width
        if joined.null_count or not (is_whole | (lengths == longer)).all():
            raise SourceError("the database sent a row of another form than was asked for")
        if is_whole.all():
            return np.ascontiguousarray(data).reshape(-1, width), None
        rows = np.empty((len(lengths), width), np.uint8)
        marks = np.zeros((len(lengths), len(self._packed)), np.uint8)
        of_whole = np.repeat(is_whole, lengths)
        rows[is_whole] = data[of_whole].reshape(-1, width)
        others = data[~of_whole].reshape(-1, longer)
        rows[~is_whole], marks[~is_whole] = others[:, :width], others[:, width:]
        return rows, marks


def _of(batch: pa.RecordBatch | None, name: str) -> Array:
    if batch is None:
        raise AssertionError(name)
    return batch.column(name)


def _is_narrow(column: PostgresColumn) -> bool:
    return not column.needs_facts and column.type.precision <= NARROW_PRECISION


def _value(column: PostgresColumn) -> str:
    """What is sent: a numeric as scaled integer, NaN (the greatest numeric) as the greatest.

    NULL stays NULL, on which `PackedTable` relies.
    """
    if column.type.kind is not Kind.NUMERIC:
        return column.plain
    scale = f"'1e{column.type.scale}'::numeric"
    plain = column.plain
    return (
        f"CASE WHEN {plain} < 'NaN' THEN ({plain} * {scale})::int8"
        f" WHEN {plain} IS NOT NULL THEN {_NAN} END"
    )


def _zeros(form: str) -> str:
    return f"'\\x{'00' * np.dtype(form).itemsize}'::bytea"


def _in_storage_form(
    values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None, column: Column
) -> Array:
    kind = column.type.kind
    if missing is not None and not missing.any():
        missing = None
    if kind is Kind.UUID:
        valid = None if missing is None else pa.array(~missing).buffers()[1]
        data = pa.py_buffer(np.ascontiguousarray(values))
        return pa.Array.from_buffers(pa.binary(16), len(values), [valid, data])
    native = values.astype(values.dtype.newbyteorder("="))
    if kind is Kind.DATE:
        native[(native > DATE_MIN) & (native < DATE_MAX)] += _EPOCH_DAYS
    elif kind.is_instant:
        is_finite = (native > INSTANT_MIN) & (native < INSTANT_MAX)
        if (is_finite & (native >= TOO_LATE - _EPOCH_MICROSECONDS)).any():
            raise unsupported(column, "an instant after the year 294246")
        native[is_finite] += _EPOCH_MICROSECONDS
    return pa.array(native, mask=missing)
