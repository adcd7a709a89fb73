"""Decoded columns, type by type: from records, from members, and of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from warmcube.entry.codec import (
    decode_column,
    decode_constant,
    decode_ids,
    no_rows,
    open_entries,
    pack_header,
)
from warmcube.entry.layout import Field, Layout, TextStorage
from warmcube.entry.seal import Checksum, seal
from warmcube.model.columns import ColumnData
from warmcube.model.schema import ColumnType, Kind

TEXT, UUIDS = ColumnType(Kind.TEXT), ColumnType(Kind.UUID)
SMALLINT, INTEGER, BIGINT = (
    ColumnType(Kind.SMALLINT),
    ColumnType(Kind.INTEGER),
    ColumnType(Kind.BIGINT),
)
WIDE = ColumnType(Kind.NUMERIC, 38, 2)
A, B = UUID(int=256), UUID(int=1 << 127 | 1)


def name_of(parameter: Any) -> str:
    """A parameter in a test's name: the type says enough."""
    return str(parameter) if isinstance(parameter, ColumnType) else ""


Entry = tuple[Sequence[tuple[Any, ...]], Sequence[str]]


def plain(column: ColumnData) -> list[Any]:
    """A column's values; None where NULL, text where there is a dictionary."""
    values: list[Any] = column.values.tolist()
    if column.dictionary is not None:
        values = [
            column.dictionary[code] if 0 <= code < len(column.dictionary) else code
            for code in values
        ]
    if column.valid is None:
        return values
    assert column.valid.dtype == np.bool_
    return [
        value if is_valid else None
        for value, is_valid in zip(values, column.valid.tolist(), strict=True)
    ]


def decoded(layout: Layout, *entries: Entry, at: int = 0, words: Sequence[str] = ()) -> ColumnData:
    """One column of some entries: of each the records, and the texts behind them."""
    keys = [b"%d" % number for number in range(len(entries))]
    values = [
        seal(
            Checksum(),
            key,
            pack_header(1, 2, len(rows))
            + np.array(list(rows), layout.dtype).tobytes()
            + "".join(texts).encode(),
        )
        for key, (rows, texts) in zip(keys, entries, strict=True)
    ]
    block = open_entries(keys, values, np.array([[1, 2]] * len(keys)), layout, Checksum())
    assert block.layout is layout
    assert block.rows_of.tolist() == [len(rows) for rows, _ in entries]
    known = {layout.fields[at].name: words}
    return decode_column(block, at, known.__getitem__)


def one(column_type: ColumnType, text: TextStorage | None = None, *, nullable: bool) -> Layout:
    """A layout of one column."""
    return Layout((Field("x", column_type, nullable=nullable, text=text),))


@pytest.mark.parametrize(
    ("column_type", "values", "dtype"),
    [
        (SMALLINT, [-(1 << 15), 5], np.int16),
        (INTEGER, [-(1 << 31), 5], np.int32),
        (BIGINT, [-(1 << 63), 5], np.int64),
        (ColumnType(Kind.NUMERIC, 18, 2), [(1 << 63) - 1, 5], np.int64),
        (ColumnType(Kind.REAL), [0.5, -0.0], np.float32),
        (ColumnType(Kind.DOUBLE), [0.1, float("inf")], np.float64),
        (ColumnType(Kind.BOOLEAN), [True, False], np.bool_),
        (ColumnType(Kind.DATE), [-1, 5], np.int32),
        (ColumnType(Kind.TIMESTAMP), [-1, 5], np.int64),
        (ColumnType(Kind.TIMESTAMPTZ), [-1, 5], np.int64),
        (UUIDS, [A.bytes, B.bytes], np.dtype("S16")),
    ],
    ids=name_of,
)
def test_values_come_back_in_their_type(
    column_type: ColumnType, values: list[Any], dtype: Any
) -> None:
    """Several entries joined, each value as it was stored, contiguous and of the column's dtype."""
    layout = one(column_type, nullable=False)
    column = decoded(layout, ([(values[0],)], ()), ([(values[1],), (values[0],)], ()))
    expected = np.array([values[0], values[1], values[0]], dtype)
    assert column.type == column_type
    assert column.values.dtype == expected.dtype
    assert column.values.tobytes() == expected.tobytes()
    assert column.values.flags.c_contiguous
    assert (column.valid, column.dictionary) == (None, None)


@pytest.mark.parametrize("value", [0, 1, -1, 1 << 64, -(1 << 64), (1 << 127) - 1, -(1 << 127)])
def test_wide_numerics_are_exact(value: int) -> None:
    """16 bytes of two's complement, little-endian, come back as the integer that they are."""
    raw = np.frombuffer(value.to_bytes(16, "little", signed=True), "V16")[0]
    rows = [([1], raw), ([0], raw)]
    column = decoded(one(WIDE, nullable=True), (rows, ()))
    assert plain(column) == [value, None]
    assert (column.type, column.values.dtype) == (WIDE, np.dtype(object))


def test_every_bit_is_its_columns_own() -> None:
    """With more columns than a byte has bits, a NULL is seen in its column only."""
    layout = Layout(
        tuple(Field(f"n{i}", SMALLINT, nullable=i % 2 == 0 or i > 4) for i in range(12))
    )
    nullable = [i for i, field in enumerate(layout.fields) if field.nullable]
    rows = []
    for missing in [None, *nullable]:
        bits = sum(1 << bit for bit, at in enumerate(nullable) if at != missing)
        rows.append(([bits & 255, bits >> 8], *range(12)))
    for at in range(12):
        column = decoded(layout, (rows, ()), at=at)
        expected = [None if missing == at else at for missing in [None, *nullable]]
        assert plain(column) == expected
        assert (column.valid is None) == (None not in expected)


def test_a_column_without_null_in_these_rows_has_no_mask() -> None:
    """Although its snapshot has some elsewhere."""
    column = decoded(one(SMALLINT, nullable=True), ([([1], 5)], ()))
    assert (column.valid, plain(column)) == (None, [5])


def test_texts_of_a_dictionary() -> None:
    """Positions of the column's own dictionary, the empty and the missing text told apart."""
    layout = one(TEXT, TextStorage.DICTIONARY, nullable=True)
    rows = [([1], 2), ([0], 0), ([1], 0)]
    column = decoded(layout, (rows, ()), words=["", "a", "b"])
    assert plain(column) == ["b", None, ""]
    assert column.values.tolist() == [2, 0, 0]
    assert column.values.dtype == np.int64
    assert (column.type, column.dictionary) == (TEXT, ["", "a", "b"])


def test_a_dictionary_of_nothing_is_enough_for_nulls() -> None:
    """A column of NULLs only has an empty dictionary and the code 0."""
    layout = one(TEXT, TextStorage.DICTIONARY, nullable=True)
    assert plain(decoded(layout, ([([0], 0)], ()))) == [None]
    assert plain(decoded(layout, ([], ()))) == []


def test_texts_behind_the_records() -> None:
    """Two such columns, NULLs, repeats and several rows per entry: each row has its own text."""
    layout = Layout(
        (
            Field("a", TEXT, nullable=True, text=TextStorage.BEHIND),
            Field("n", SMALLINT, nullable=False),
            Field("b", TEXT, nullable=False, text=TextStorage.BEHIND),
        )
    )
    entries: list[Entry] = [
        ([([1], 2, 7, 1), ([0], 0, 7, 0), ([1], 1, 7, 3)], ["é", "x", "p", "", "qrs"]),
        ([([1], 0, 8, 2)], ["", "tu"]),
        ([], []),
        ([([1], 1, 9, 1), ([1], 1, 9, 1)], ["x", "y", "p", "p"]),
    ]
    first = decoded(layout, *entries, at=0)
    assert plain(first) == ["é", None, "x", "", "x", "y"]
    assert (first.type, first.dictionary) == (TEXT, ["é", "", "x", "y"])
    assert plain(decoded(layout, *entries, at=1)) == [7, 7, 7, 8, 9, 9]
    second = decoded(layout, *entries, at=2)
    assert plain(second) == ["p", "", "qrs", "tu", "p", "p"]
    assert second.dictionary == ["p", "", "qrs", "tu"]
    assert second.valid is None
    assert second.values.dtype == np.int64


def test_no_texts_behind_the_records() -> None:
    """A column of no rows has a dictionary all the same."""
    column = decoded(one(TEXT, TextStorage.BEHIND, nullable=False), ([], ()))
    assert (plain(column), column.dictionary) == ([], [""])


ROWS_OF = np.array([2, 0, 1])


@pytest.mark.parametrize(
    ("column_type", "ids", "values", "dtype"),
    [
        (SMALLINT, ["7", "1", "-8"], [7, 7, -8], np.int16),
        (INTEGER, ["7", "1", "-8"], [7, 7, -8], np.int32),
        (BIGINT, ["7", "1", str(1 << 62)], [7, 7, 1 << 62], np.int64),
        (UUIDS, [str(A), str(A), str(B)], [A.bytes, A.bytes, B.bytes], np.dtype("S16")),
    ],
    ids=name_of,
)
def test_ids_come_from_the_members(
    column_type: ColumnType, ids: list[str], values: list[Any], dtype: Any
) -> None:
    """Each entry's id stands in each of its rows, in the column's form; NULL is a mask."""
    expected = np.array(values, dtype)
    column = decode_ids(ids, ROWS_OF, column_type)
    assert (column.type, column.valid, column.dictionary) == (column_type, None, None)
    assert column.values.dtype == expected.dtype
    assert column.values.tobytes() == expected.tobytes()
    column = decode_ids([None, *ids[1:]], ROWS_OF, column_type)
    assert column.valid is not None
    assert column.valid.tolist() == [False, False, True]
    assert column.values[2] == expected[2]
    assert column.values[:2].tobytes() == bytes(2 * expected.itemsize)


def test_text_ids_come_with_a_dictionary() -> None:
    """Of the ids that occur, each once, NULL as any."""
    column = decode_ids(["b", "a", "b"], ROWS_OF, TEXT)
    assert (plain(column), column.dictionary, column.valid) == (["b", "b", "b"], ["b", "a"], None)
    assert (column.type, column.values.dtype) == (TEXT, np.dtype(np.int64))
    column = decode_ids(["b", None, None], ROWS_OF, TEXT)
    assert (plain(column), column.dictionary) == (["b", "b", None], ["b", ""])
    column = decode_ids([], np.zeros(0, np.int64), TEXT)
    assert (plain(column), column.dictionary, column.valid) == ([], [""], None)
    assert column.values.dtype == np.int64


@pytest.mark.parametrize("column_type", [SMALLINT, UUIDS], ids=str)
def test_no_ids(column_type: ColumnType) -> None:
    """No entry, no row, and the dtype that there is with rows."""
    column = decode_ids([], np.zeros(0, np.int64), column_type)
    assert (plain(column), column.valid) == ([], None)
    assert column.values.dtype == no_rows(column_type).values.dtype


@pytest.mark.parametrize(
    ("column_type", "canonical", "value"),
    [(TEXT, "Charges", "Charges"), (INTEGER, "5", 5), (UUIDS, str(B), B.bytes), (TEXT, "", "")],
    ids=name_of,
)
def test_measure_and_frequency_are_the_same_in_every_row(
    column_type: ColumnType, canonical: str, value: Any
) -> None:
    """One value for a partition, or NULL in every row."""
    column = decode_constant(canonical, 3, column_type)
    assert (column.type, plain(column), column.valid) == (column_type, [value] * 3, None)
    column = decode_constant(None, 3, column_type)
    assert (column.type, plain(column)) == (column_type, [None] * 3)
    assert plain(decode_constant(None, 0, column_type)) == []


@pytest.mark.parametrize(
    ("column_type", "dtype", "dictionary"),
    [
        (TEXT, np.int64, [""]),
        (WIDE, object, None),
        (SMALLINT, np.int16, None),
        (ColumnType(Kind.NUMERIC, 18, 2), np.int64, None),
        (UUIDS, np.dtype("S16"), None),
    ],
    ids=name_of,
)
def test_a_column_of_no_rows(
    column_type: ColumnType, dtype: Any, dictionary: list[str] | None
) -> None:
    """It has the form that it would have with rows."""
    column = no_rows(column_type)
    assert (column.type, column.valid, column.dictionary) == (column_type, None, dictionary)
    assert column.values.shape == (0,)
    assert column.values.dtype == np.dtype(dtype)
