"""The record of one row, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from warmcube.entry.layout import Field, Layout, TextStorage, storage_dtype
from warmcube.model.schema import ColumnType, Kind

FORMS = {
    ColumnType(Kind.SMALLINT): "<i2",
    ColumnType(Kind.INTEGER): "<i4",
    ColumnType(Kind.BIGINT): "<i8",
    ColumnType(Kind.REAL): "<f4",
    ColumnType(Kind.DOUBLE): "<f8",
    ColumnType(Kind.BOOLEAN): "|b1",
    ColumnType(Kind.NUMERIC, 18, 2): "<i8",
    ColumnType(Kind.NUMERIC, 19, 2): "|V16",
    ColumnType(Kind.DATE): "<i4",
    ColumnType(Kind.TIMESTAMP): "<i8",
    ColumnType(Kind.TIMESTAMPTZ): "<i8",
    ColumnType(Kind.UUID): "|S16",
    ColumnType(Kind.TEXT): "<u4",
}


def nullables(count: int) -> Layout:
    """So many columns that hold NULLs."""
    small = ColumnType(Kind.SMALLINT)
    return Layout(tuple(Field(f"n{i}", small, nullable=True) for i in range(count)))


@pytest.mark.parametrize("column_type", FORMS, ids=str)
def test_every_type_has_its_form(column_type: ColumnType) -> None:
    """Entries that an earlier process wrote are read by this one: the forms don't change."""
    assert storage_dtype(column_type).str == FORMS[column_type]


def test_every_kind_is_among_the_forms() -> None:
    """A new kind needs one."""
    assert {column_type.kind for column_type in FORMS} == set(Kind)


@pytest.mark.parametrize(("count", "bytes_"), [(1, 1), (7, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_a_record_begins_with_a_bit_per_nullable_column(count: int, bytes_: int) -> None:
    """Eight to a byte, in the order of the columns."""
    layout = nullables(count)
    assert layout.dtype.names == ("valid", *(f"c{i}" for i in range(count)))
    assert layout.dtype["valid"] == np.dtype((np.uint8, (bytes_,)))
    assert layout.width == bytes_ + 2 * count
    assert layout.bits == {f"n{i}": i for i in range(count)}


def test_columns_lie_packed_in_their_order() -> None:
    """Without NULLs there is no bitmap, and a record without columns is one byte."""
    layout = Layout(
        (
            Field("flag", ColumnType(Kind.BOOLEAN), nullable=False),
            Field("at", ColumnType(Kind.TIMESTAMPTZ), nullable=False),
        )
    )
    assert layout.dtype.descr == [("c0", "|b1"), ("c1", "<i8")]
    assert (layout.width, layout.bits) == (9, {})
    assert Layout(()).dtype.descr == [("nothing", "|u1")]


def test_bits_count_nullable_columns_only() -> None:
    """The second nullable column has the second bit, wherever it stands."""
    text = ColumnType(Kind.TEXT)
    layout = Layout(
        (
            Field("a", text, nullable=False, text=TextStorage.BEHIND),
            Field("b", text, nullable=True, text=TextStorage.DICTIONARY),
            Field("c", text, nullable=False),
            Field("d", text, nullable=True, text=TextStorage.BEHIND),
        )
    )
    assert layout.bits == {"b": 0, "d": 1}
    assert layout.behind == (0, 3)


def test_layouts_are_equal_by_their_fields() -> None:
    """A manifest that was read back has the layouts that were written."""
    assert nullables(3) == nullables(3)
    assert hash(nullables(3)) == hash(nullables(3))
    assert nullables(3) != nullables(4)


def test_text_storage_is_spelled_as_in_manifests() -> None:
    """The words that lie in the store."""
    assert list(TextStorage) == ["dictionary", "behind"]
    assert Field("a", ColumnType(Kind.TEXT), nullable=False).text is None
