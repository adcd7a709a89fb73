"""The record of one row, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


INTEGERS = {
    ColumnType(Kind.SMALLINT): 16,
    ColumnType(Kind.INTEGER): 32,
    ColumnType(Kind.DATE): 32,
    ColumnType(Kind.BIGINT): 64,
    ColumnType(Kind.NUMERIC, 14, 2): 64,
    ColumnType(Kind.TIMESTAMP): 64,
    ColumnType(Kind.TIMESTAMPTZ): 64,
}


@st.composite
def integers(draw: st.DrawFn) -> tuple[ColumnType, list[int]]:
    """Values of a column that holds integers, near each other or anywhere."""
    column_type = draw(st.sampled_from(list(INTEGERS)))
    least, most = -(1 << INTEGERS[column_type] - 1), (1 << INTEGERS[column_type] - 1) - 1
    first = draw(st.integers(least, most) | st.sampled_from([least, most, -1, 0]))
    span = draw(st.sampled_from([0, 1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64]))
    others = st.integers(max(least, first - span), min(most, first + span))
    return column_type, [first, *draw(st.lists(others, max_size=20))]


@given(integers())
def test_narrowed_values_come_back(column: tuple[ColumnType, list[int]]) -> None:
    """In the least of 1, 2, 4 and 8 bytes that hold the range, and in the type's own form."""
    column_type, numbers = column
    least, most = min(numbers), max(numbers)
    plain = Field("n", column_type, nullable=False)
    layout = Layout((plain.narrowed(least, most),))
    fitting = [each for each in (1, 2, 4) if most - least < 1 << 8 * each]
    assert layout.width == min([*fitting, layout.plain_width])
    records = np.zeros(len(numbers), layout.dtype)
    values = np.array(numbers, storage_dtype(column_type))
    layout.write(records, 0, values)
    found = layout.read(records, 0)
    assert found.dtype == values.dtype
    assert found.tolist() == numbers
    assert layout.read(np.stack([records, records]), 0).tolist() == [*numbers, *numbers]


@given(integers(), st.binary(min_size=8, max_size=8))
def test_whatever_lies_in_a_narrow_record_is_a_value_of_the_type(
    column: tuple[ColumnType, list[int]], stored: bytes
) -> None:
    """No bytes of a record, proven or not, wrap round the ends of the type."""
    column_type, numbers = column
    field = Field("n", column_type, nullable=False).narrowed(min(numbers), max(numbers))
    layout = Layout((field,))
    records = np.frombuffer(stored[: layout.width], layout.dtype)
    number = int.from_bytes(stored[: layout.width], "little", signed=field.narrow is None)
    assert layout.read(records, 0).tolist() == [number + field.offset]


@pytest.mark.parametrize(
    ("least", "most", "narrow", "offset"),
    [
        (0, 0, 1, 0),
        (0, 255, 1, 0),
        (200, 255, 1, 0),
        (0, 256, 2, 0),
        (1, 256, 1, 1),
        (-1, 254, 1, -1),
        (-1, 255, 2, -1),
        (-300, -300, 1, -300),
        (19_000, 20_000, 2, 0),
        (0, 65_536, 4, 0),
        (2**40, 2**40 + 2**32 - 1, 4, 2**40),
        (2**40, 2**40 + 2**32, None, 0),
        (2**63 - 1, 2**63 - 1, 1, 2**63 - 256),
        (0, 2**63 - 1, None, 0),
        (-(2**63), -(2**63) + 9, 1, -(2**63)),
        (-(2**63), 0, None, 0),
    ],
)
def test_a_range_has_one_narrow_form(
    least: int, most: int, narrow: int | None, offset: int
) -> None:
    """Counted from 0 where that fits, else from the least value; reserved values stay wide."""
    found = Field("n", ColumnType(Kind.BIGINT), nullable=False).narrowed(least, most)
    assert (found.narrow, found.offset) == (narrow, offset)


@pytest.mark.parametrize(("texts", "narrow"), [(256, 1), (257, 2), (65_536, 2), (65_537, None)])
def test_positions_are_as_narrow_as_their_dictionary(texts: int, narrow: int | None) -> None:
    """They are counted from 0, and read as ColumnData has them."""
    plain = Field("t", ColumnType(Kind.TEXT), nullable=False, text=TextStorage.DICTIONARY)
    field = plain.narrowed(0, texts - 1)
    assert (field.narrow, field.offset) == (narrow, 0)
    layout = Layout((field,))
    records = np.zeros(1, layout.dtype)
    layout.write(records, 0, np.array([texts - 1], np.uint32))
    assert layout.read(records, 0).tolist() == [texts - 1]
    assert layout.read(records, 0).dtype == np.int64


@pytest.mark.parametrize(
    "column_type",
    [
        ColumnType(Kind.REAL),
        ColumnType(Kind.DOUBLE),
        ColumnType(Kind.BOOLEAN),
        ColumnType(Kind.UUID),
        ColumnType(Kind.NUMERIC, 38, 2),
    ],
    ids=str,
)
def test_what_is_no_integer_stays_as_it_is(column_type: ColumnType) -> None:
    """And so do the lengths of texts behind the records."""
    field = Field("x", column_type, nullable=False)
    assert field.narrowed(0, 0) == field
    behind = Field("x", ColumnType(Kind.TEXT), nullable=False, text=TextStorage.BEHIND)
    assert behind.narrowed(0, 0) == behind


@pytest.mark.parametrize(
    ("kind", "text", "narrow", "offset"),
    [
        (Kind.INTEGER, None, 4, 0),
        (Kind.INTEGER, None, 3, 0),
        (Kind.INTEGER, None, 0, 0),
        (Kind.INTEGER, None, None, 5),
        (Kind.INTEGER, None, 2, 2**31 - 1),
        (Kind.INTEGER, None, 2, -(2**31) - 1),
        (Kind.INTEGER, None, 2, 1.0),
        (Kind.DOUBLE, None, 4, 0),
        (Kind.TEXT, TextStorage.BEHIND, 1, 0),
        (Kind.TEXT, TextStorage.DICTIONARY, 1, 7),
    ],
)
def test_a_form_that_could_give_wrong_values_is_refused(
    kind: Kind, text: TextStorage | None, narrow: int | None, offset: int
) -> None:
    """Of a manifest, too: none that this version writes has such a field."""
    with pytest.raises(ValueError, match="column 'x' can't"):
        Field("x", ColumnType(kind), nullable=False, text=text, narrow=narrow, offset=offset)
