"""Conditions: every operator on every kind, against comparisons a row at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.columns import (
    ASCENDING,
    MONEY,
    TYPES,
    VALUES,
    WIDE,
    a_column,
    a_datasource,
    a_schema,
    a_table,
    columns_of,
    key_of,
)

from warmcube.model.request import NULL, Filter, Query
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.conditions import matching_rows
from warmcube.query.prepare import Limits, prepare

_TESTS: dict[str, Callable[..., bool]] = {
    "eq": lambda left, right: left == right,
    "neq": lambda left, right: left != right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
    "between": lambda value, least, greatest: least <= value <= greatest,
    "in": lambda value, *wanted: value in wanted,
    "not_in": lambda value, *wanted: value not in wanted,
}


def _matches(
    column_type: ColumnType, values: list[Any], op: str, value: Any = None, zone: str = "UTC"
) -> list[bool]:
    """What the code under test says of each row."""
    query = Query(datasource=1, where=[Filter("c", op, value)])
    prepared = prepare(query, a_schema(c=column_type), a_datasource(time_zone=zone), Limits())
    found = matching_rows(a_table(c=a_column(column_type, values)), prepared.conditions)
    assert found is not None
    return [bool(match) for match in found]


@pytest.mark.parametrize("op", sorted(_TESTS))
@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_every_operator_works_on_every_kind(column_type: ColumnType, op: str) -> None:
    """By place in an ascending list, NULL beside them, each value compared with each pair."""
    ordered = ASCENDING[column_type.kind]
    places = list(range(len(ordered)))
    for first in places:
        for second in places:
            pair = op in ("between", "in", "not_in")
            wanted = [first, second] if pair else [first]
            argument = [ordered[first], ordered[second]] if pair else ordered[first]
            expected = [_TESTS[op](place, *wanted) for place in places]
            found = _matches(column_type, [*ordered, None], op, argument)
            assert found == [*expected, False]


@given(data=st.data())
@settings(max_examples=400)
def test_comparisons_are_sqls(data: st.DataObject) -> None:
    """Every comparison equals its definition on the values; NULL never matches."""
    column_type = data.draw(st.sampled_from(TYPES))
    values = data.draw(columns_of(column_type))
    op = data.draw(st.sampled_from(sorted(_TESTS)))
    count = {"between": 2, "in": None, "not_in": None}.get(op, 1)
    given_values = data.draw(
        st.lists(VALUES[column_type], min_size=count or 0, max_size=4 if count is None else count)
    )
    argument = given_values[0] if count == 1 else given_values
    wanted = [key_of(column_type, value) for value in given_values]
    expected = [
        value is not None and _TESTS[op](key_of(column_type, value), *wanted) for value in values
    ]
    assert _matches(column_type, values, op, argument) == expected


def _number_key(value: int | Decimal) -> tuple[int, Decimal]:
    number = Decimal(value)
    return (1, Decimal(0)) if number.is_nan() else (0, number)


@given(data=st.data())
@settings(max_examples=300)
def test_numbers_compare_exactly(data: st.DataObject) -> None:
    """Between integers and decimals nothing is rounded: not 3.5, not 1.005 at scale 2."""
    column_type = data.draw(
        st.sampled_from([ColumnType(Kind.SMALLINT), ColumnType(Kind.BIGINT), MONEY, WIDE])
    )
    values = data.draw(columns_of(column_type))
    op = data.draw(st.sampled_from(["eq", "neq", "gt", "gte", "lt", "lte", "in", "not_in"]))
    near = st.sampled_from([value for value in values if value is not None] or [0])
    offset = st.sampled_from(["0", "0.5", "-0.5", "0.005", "-0.0000001", "1E+40", "-1E+3000"])
    number = Decimal(data.draw(near)) + Decimal(data.draw(offset))
    if number.is_nan() or number.is_infinite():
        number = Decimal(0)
    test = _TESTS["eq" if op == "in" else "neq" if op == "not_in" else op]
    expected = [value is not None and test(_number_key(value), (0, number)) for value in values]
    argument = [number] if op in ("in", "not_in") else number
    assert _matches(column_type, values, op, argument) == expected


_ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "America/Havana", "Pacific/Apia"]


@given(data=st.data())
@settings(max_examples=300)
def test_a_date_means_a_whole_day_of_instants(data: st.DataObject) -> None:
    """A date given for instants compares with each instant's date on the zone's calendar."""
    column_type = data.draw(
        st.sampled_from([ColumnType(Kind.TIMESTAMP), ColumnType(Kind.TIMESTAMPTZ)])
    )
    zone = data.draw(st.sampled_from(_ZONES))
    values = data.draw(columns_of(column_type))
    op = data.draw(st.sampled_from(sorted(_TESTS)))
    count = {"between": 2, "in": None, "not_in": None}.get(op, 1)
    days = st.dates(date(2024, 1, 1), date(2024, 12, 31)) | st.sampled_from(
        [date(2024, 3, 9), date(2024, 3, 10), date(2024, 11, 2), date(2024, 11, 3)]
    )
    given_days = data.draw(
        st.lists(days, min_size=count or 0, max_size=4 if count is None else count)
    )

    def local_day(value: Any) -> Any:
        if isinstance(value, datetime):
            here = value.astimezone(ZoneInfo(zone)) if value.tzinfo is not None else value
            return key_of(ColumnType(Kind.DATE), here.date())
        return key_of(ColumnType(Kind.DATE), value)

    wanted = [local_day(day) for day in given_days]
    expected = [value is not None and _TESTS[op](local_day(value), *wanted) for value in values]
    argument = given_days[0] if count == 1 else given_days
    assert _matches(column_type, values, op, argument, zone) == expected
    texts = [day.isoformat() for day in given_days]
    assert _matches(column_type, values, op, texts[0] if count == 1 else texts, zone) == expected


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-10", 23), ("2024-11-03", 25), ("2024-06-01", 24)]
)
def test_days_have_the_hours_that_the_clock_gives_them(day: str, hours: int) -> None:
    """In New York one day of the year has 23 hours and one has 25."""
    column_type = ColumnType(Kind.TIMESTAMPTZ)
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    values = [start + timedelta(hours=hour) for hour in range(-6, 40)]
    assert sum(_matches(column_type, values, "eq", day, "America/New_York")) == hours


@given(data=st.data())
def test_null_tests_see_only_null(data: st.DataObject) -> None:
    """is_null and not_null part the rows, whatever stands under a NULL."""
    column_type = data.draw(st.sampled_from(TYPES))
    values = data.draw(columns_of(column_type))
    assert _matches(column_type, values, "is_null") == [value is None for value in values]
    assert _matches(column_type, values, "not_null") == [value is not None for value in values]


@pytest.mark.parametrize(
    ("needle", "expected"),
    [
        ("strasse", ["Straße", "STRASSE"]),
        ("ß", ["Straße", "STRASSE"]),
        ("", ["", "Straße", "STRASSE", "100%", "a_b"]),
        ("%", ["100%"]),
        ("_", ["a_b"]),
        ("nowhere", []),
    ],
)
def test_like_is_a_caseless_contains(needle: str, expected: list[str]) -> None:
    """Both sides are case-folded, and there are no wildcards."""
    values = ["", "Straße", None, "STRASSE", "100%", "a_b"]
    found = _matches(ColumnType(Kind.TEXT), values, "like", needle)
    assert [value for value, match in zip(values, found, strict=True) if match] == expected


@pytest.mark.parametrize(
    ("column_type", "value", "needle"),
    [
        (ColumnType(Kind.INTEGER), -123, "-12"),
        (MONEY, Decimal("12.50"), "2.50"),
        (MONEY, Decimal("NaN"), "nan"),
        (ColumnType(Kind.DOUBLE), 1e15, "1E+15"),
        (ColumnType(Kind.BOOLEAN), True, "RU"),
        (ColumnType(Kind.DATE), date(2024, 2, 29), "-02-29"),
        (ColumnType(Kind.DATE), "infinity", "INFINITY"),
        (ColumnType(Kind.TIMESTAMP), datetime(2024, 2, 29, 1), "29 01:00:00"),  # noqa: DTZ001
        (ColumnType(Kind.TIMESTAMPTZ), datetime(2024, 2, 29, tzinfo=UTC), "00:00:00+00"),
    ],
)
def test_like_reads_what_postgres_prints(column_type: ColumnType, value: Any, needle: str) -> None:
    """On columns that aren't text, like looks into the text form."""
    assert _matches(column_type, [None, value], "like", needle) == [False, True]
    assert _matches(column_type, [None, value], "like", "x" + needle) == [False, False]


@pytest.mark.parametrize("op", ["eq", "gt", "in", "like", "not_in"])
def test_an_empty_dictionary_matches_nothing(op: str) -> None:
    """A text column of NULLs only has no texts, and nothing matches."""
    column_type = ColumnType(Kind.TEXT)
    column = a_column(column_type, [None, None])
    bare = column_type, column.values, column.valid, ()
    query = Query(datasource=1, where=[Filter("c", op, ["a"] if "in" in op else "a")])
    prepared = prepare(query, a_schema(c=column_type), a_datasource(), Limits())
    found = matching_rows(a_table(c=column.__class__(*bare)), prepared.conditions)
    assert found is not None
    assert found.tolist() == [False, False]


def test_conditions_hold_together() -> None:
    """A row matches if all conditions do; without conditions there is nothing to decide."""
    column_type = ColumnType(Kind.INTEGER)
    where = [Filter("c", "gt", 1), Filter("c", "lt", 4)]
    prepared = prepare(
        Query(datasource=1, where=where), a_schema(c=column_type), a_datasource(), Limits()
    )
    table = a_table(c=a_column(column_type, [1, 2, 3, 4, None]))
    found = matching_rows(table, prepared.conditions)
    assert found is not None
    assert found.tolist() == [False, True, True, False, False]
    assert matching_rows(table, ()) is None


def test_a_list_may_hold_whole_days_and_instants() -> None:
    """Days far apart, one twice, and an instant on another day."""
    values = [
        datetime(2023, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
        datetime(2024, 1, 1),  # noqa: DTZ001
        datetime(2024, 1, 2),  # noqa: DTZ001
        datetime(2024, 3, 1, 23, 59, 59, 999999),  # noqa: DTZ001
        datetime(2024, 5, 5, 12),  # noqa: DTZ001
        datetime(2024, 5, 5, 13),  # noqa: DTZ001
        "infinity",
        None,
    ]
    wanted = ["2024-03-01", "2024-01-01", date(2024, 3, 1), "2024-05-05 12:00"]
    expected = [False, True, False, True, True, False, False, False]
    column_type = ColumnType(Kind.TIMESTAMP)
    assert _matches(column_type, values, "in", wanted) == expected
    inverted = [not match for match in expected[:-1]]
    assert _matches(column_type, values, "not_in", wanted) == [*inverted, False]


@pytest.mark.parametrize("has_null", [True, False])
def test_null_tests_need_no_null(has_null: bool) -> None:
    """A column that has none is all not_null, and nothing of it is_null."""
    values = [1, None] if has_null else [1, 2]
    assert _matches(ColumnType(Kind.INTEGER), values, "is_null") == [False, has_null]
    assert _matches(ColumnType(Kind.INTEGER), values, "not_null") == [True, not has_null]


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_rows_without_a_value_may_be_among_those_wanted(column_type: ColumnType) -> None:
    """``NULL`` in the list of ``in`` lets them pass, beside the other values or alone."""
    first, second = ASCENDING[column_type.kind][:2]
    values = [first, None, second]
    assert _matches(column_type, values, "in", [first, NULL]) == [True, True, False]
    assert _matches(column_type, values, "in", [NULL]) == [False, True, False]
    assert _matches(column_type, values, "in", []) == [False, False, False]
    assert _matches(column_type, [first, second], "in", [NULL, second]) == [False, True]
    assert _matches(column_type, [None], "in", [NULL, second]) == [True]
