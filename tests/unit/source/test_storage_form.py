"""Arrow arrays in storage form, exactly or not at all."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.reading import numbers

from warmcube.errors import UnsupportedValue
from warmcube.model.schema import Column, ColumnType, Kind, Schema
from warmcube.source.duckdb_form import duckdb_batch
from warmcube.source.postgres_form import postgres_batch
from warmcube.source.storage_form import storage_array, storage_batch, storage_schema

_INT64 = 2**63
_SPECIALS = ("NaN", "Infinity", "-Infinity")


def _column(precision: int, scale: int) -> Column:
    return Column("v", ColumnType(Kind.NUMERIC, precision, scale, "numeric"))


def _printed(value: int, scale: int) -> str:
    """A scaled integer as Postgres prints the numeric; exact, other than Decimal's arithmetic."""
    digits = tuple(int(digit) for digit in str(abs(value)))
    return f"{Decimal((int(value < 0), digits, -scale)):f}"


@given(
    st.sampled_from([(5, 2), (18, 0), (18, 18), (19, 4), (38, 0), (38, 38)]),
    st.data(),
    st.integers(0, 3),
)
def test_numerics_are_scaled_integers(
    digits: tuple[int, int], data: st.DataObject, skipped: int
) -> None:
    """For texts of numbers, NaN, infinities and NULL, also in a slice of an array."""
    precision, scale = digits
    most = 10**precision - 1
    whole = st.integers(-most, most)
    values = data.draw(st.lists(whole | st.sampled_from(_SPECIALS) | st.none(), max_size=20))
    texts = [_printed(value, scale) if isinstance(value, int) else value for value in values]
    limit = 2**63 if precision <= 18 else 2**127
    places = dict(zip(_SPECIALS, (limit - 1, limit - 2, -limit), strict=True))
    array = storage_array(pa.array(texts, pa.string()).slice(skipped), _column(precision, scale))
    assert array.type == (pa.int64() if precision <= 18 else pa.binary(16))
    array.validate(full=True)
    assert numbers(array.to_pylist()) == [
        places[value] if isinstance(value, str) else value for value in values[skipped:]
    ]


@pytest.mark.parametrize(
    ("digits", "text"),
    [
        ((5, 2), "1.234"),
        ((18, 0), "1000000000000000000"),
        ((38, 0), "1" + "0" * 38),
        ((5, 2), "1,2"),
    ],
)
def test_numerics_are_never_rounded(digits: tuple[int, int], text: str) -> None:
    """What doesn't fit is refused, beside a NaN too; the column is named, the value isn't."""
    for texts in ([text], ["NaN", text, None]):
        with pytest.raises(UnsupportedValue, match=r"'v'.*doesn't fit") as raised:
            storage_array(pa.array(texts), _column(*digits))
        assert text not in str(raised.value).replace("numeric(5,2)", "")


def test_decimals_that_do_not_fit_are_refused() -> None:
    """Of a driver that gives decimals instead of text."""
    with pytest.raises(UnsupportedValue, match="'v'"):
        storage_array(pa.array([Decimal("1.25")]), _column(18, 1))


def test_integers_beyond_their_type_are_refused() -> None:
    """Nothing wraps around."""
    column = Column("v", ColumnType(Kind.SMALLINT))
    with pytest.raises(UnsupportedValue, match="'v'"):
        storage_array(pa.array([70_000], pa.int32()), column)


def test_a_batch_has_the_schema_of_its_columns() -> None:
    """Names and storage types; also when there is no row."""
    kinds = [kind for kind in Kind if kind is not Kind.NUMERIC]
    schema = Schema(tuple(Column(kind.value, ColumnType(kind)) for kind in kinds))
    arrow = storage_schema(schema.columns)
    assert storage_batch([pa.array([], t) for t in arrow.types], schema).schema == arrow


def test_duckdb_instants_of_all_units_become_microseconds() -> None:
    """With the infinities where they belong; what has no exact microsecond is refused."""
    schema = Schema((Column("v", ColumnType(Kind.TIMESTAMP)),))
    most = _INT64 - 1
    for unit, given_values, expected in (
        ("s", [1, -1, most, -most, None], [1_000_000, -1_000_000, most, -_INT64, None]),
        ("ms", [1, most, -most], [1_000, most, -_INT64]),
        ("us", [1, most - 1, most, -most], [1, most - 1, most, -_INT64]),
        ("ns", [1_000, -1_000, most, -most], [1, -1, most, -_INT64]),
    ):
        array = pa.array(given_values, pa.int64()).cast(pa.timestamp(unit))
        assert duckdb_batch([array], schema).column(0).to_pylist() == expected
    for unit, value, words in (
        ("s", most - 1, "too far from 1970"),
        ("ms", -most + 1, "too far from 1970"),
        ("ns", 1, "nanoseconds"),
    ):
        array = pa.array([value], pa.int64()).cast(pa.timestamp(unit))
        with pytest.raises(UnsupportedValue, match=words):
            duckdb_batch([array], schema)


def test_postgres_instants_have_their_marks_resolved() -> None:
    """The last three integers mean: too late, -infinity, +infinity."""
    schema = Schema((Column("v", ColumnType(Kind.TIMESTAMPTZ)),))
    values = [0, None, _INT64 - 2, _INT64 - 1, _INT64 - 4]
    array = pa.array(values, pa.int64()).cast(pa.timestamp("us", "UTC"))
    kept = postgres_batch([array], schema).column(0).to_pylist()
    assert kept == [0, None, -_INT64, _INT64 - 1, _INT64 - 4]
    late = pa.array([_INT64 - 3], pa.int64()).cast(pa.timestamp("us", "UTC"))
    with pytest.raises(UnsupportedValue, match=r"'v'.*294246"):
        postgres_batch([late], schema)
