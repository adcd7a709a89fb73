"""The rules of evaluation, held against the Postgres that they are taken from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pytest
from adbc_driver_postgresql import dbapi
from tests.support.columns import (
    ASCENDING,
    MONEY,
    TYPES,
    WIDE,
    a_column,
    a_datasource,
    a_schema,
    a_table,
)

from warmcube.model.columns import ColumnData, Table
from warmcube.model.request import Filter, Query
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.evaluate import evaluate
from warmcube.query.numbers import divide
from warmcube.query.prepare import Limits, prepare
from warmcube.query.textform import texts

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

Ask = Callable[[str], list[tuple[Any, ...]]]
_SEED = 20240229
_EXACT = Context(prec=4000)
_ROWS = 60


@pytest.fixture
def ask(postgres_url: str) -> Iterator[Ask]:
    """Runs one statement and gives its rows."""
    with closing(dbapi.connect(postgres_url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")

        def run(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        yield run


def _literal(value: Any, column_type: ColumnType) -> str:
    if value is None:
        return f"NULL::{column_type}"
    if isinstance(value, Decimal) and value.is_infinite():
        return f"'{value}'::numeric"  # Postgres lets no precision near an infinity
    text = repr(value) if isinstance(value, float) else str(value)
    return "'" + text.replace("'", "''") + f"'::{column_type}"


def _relation(types: dict[str, ColumnType], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as something to select from, numbered by ``i``."""
    lines = [
        "("
        + ", ".join(_literal(value, of) for value, of in zip(row, types.values(), strict=True))
        + f", {place})"
        for place, row in enumerate(rows)
    ]
    return f"(VALUES {', '.join(lines)}) t({', '.join(types)}, i)"


def _numbers(column_type: ColumnType, luck: random.Random) -> Any:
    kind = column_type.kind
    if kind is Kind.NUMERIC:
        digits = luck.randint(1, column_type.precision - 2)
        return Decimal(luck.randint(-(10**digits), 10**digits)).scaleb(-column_type.scale, _EXACT)
    if kind.is_float:
        value = luck.uniform(-1e6, 1e6)
        return float(np.float32(value)) if kind is Kind.REAL else value
    bits = {Kind.SMALLINT: 15, Kind.INTEGER: 31, Kind.BIGINT: 63}[kind]
    return luck.randint(-(2**bits), 2**bits - 1) >> luck.randint(0, bits - 1)


def _values(column_type: ColumnType, luck: random.Random) -> list[Any]:
    """NULLs, the extremes of `ASCENDING`, and numbers and moments of all sizes."""
    kind = column_type.kind
    found: list[Any] = []
    for _ in range(_ROWS):
        if luck.random() < 0.2:
            found.append(None)
        elif kind.is_number and luck.random() < 0.9:
            found.append(_numbers(column_type, luck))
        elif kind.is_instant and luck.random() < 0.8:
            zone = UTC if kind is Kind.TIMESTAMPTZ else None
            start = datetime(2024, 3, 9, 22, tzinfo=zone)
            found.append(start + timedelta(minutes=30 * luck.randint(0, 120)))
        elif kind is Kind.DATE and luck.random() < 0.8:
            found.append(date(2024, 3, 9) + timedelta(days=luck.randint(0, 4)))
        else:
            found.append(luck.choice(ASCENDING[kind]))
    return found


def _answer(table: Table, zone: str = "UTC", **asked: Any) -> Table:
    schema = a_schema(**{name: column.type for name, column in table.columns.items()})
    datasource = a_datasource(value="v", time_zone=zone)
    prepared = prepare(Query(datasource=1, **asked), schema, datasource, Limits())
    return evaluate(table, prepared)


@pytest.mark.parametrize(
    ("kind", "dtype", "bits"), [(Kind.DOUBLE, np.float64, 64), (Kind.REAL, np.float32, 32)]
)
def test_floats_print_alike(ask: Ask, kind: Kind, dtype: Any, bits: int) -> None:
    """Powers of two and ten with their neighbours, and any bits at all."""
    luck = np.random.default_rng(_SEED)
    finite = np.finfo(dtype)
    with np.errstate(over="ignore", under="ignore"):
        twos = np.ldexp(np.ones(1, dtype), np.arange(finite.minexp - finite.nmant, finite.maxexp))
        tens = np.array([float(f"1e{place}") for place in range(-330, 309)]).astype(dtype)
        near = np.concatenate([twos, tens, tens * dtype(5)])
        near = np.concatenate([near, np.nextafter(near, dtype(0)), np.nextafter(near, dtype(1))])
    some = luck.integers(0, 2 ** (bits - 1), 3000, dtype=np.int64).astype(f"i{bits // 8}")
    values = np.concatenate([near, some.view(dtype), -some.view(dtype)])
    # repr names each float exactly, so Postgres reads the very same.
    literals = ",".join(repr(float(value)) for value in values)
    array = literals.replace("inf", "Infinity").replace("nan", "NaN")
    printed = ask(
        f"SELECT v::text FROM unnest('{{{array}}}'::{kind}[]) WITH ORDINALITY t(v, i) ORDER BY i"
    )
    assert texts(ColumnData(ColumnType(kind), values)) == [row[0] for row in printed]


def test_division_has_the_same_digits(ask: Ask) -> None:
    """Dividends of all sizes and scales, divisors up to 10**12."""
    luck = random.Random(_SEED)
    cases = []
    for _ in range(3000):
        most = 10 ** luck.randint(0, 38)
        cases.append(
            (
                luck.randint(-most, most),
                luck.randint(0, 38),
                luck.randint(1, 10 ** luck.randint(0, 12)),
            )
        )
    lines = ",".join(
        f"({place}, '{Decimal(value).scaleb(-scale, _EXACT):f}'::numeric / {divisor}::numeric)"
        for place, (value, scale, divisor) in enumerate(cases)
    )
    printed = ask(f"SELECT q::text FROM (VALUES {lines}) t(i, q) ORDER BY i")
    found = []
    for case in cases:
        quotient, decimals = divide(*case)
        found.append(f"{Decimal(quotient).scaleb(-decimals, _EXACT):f}")
    assert found == [row[0] for row in printed]


NUMBERS = [column_type for column_type in TYPES if column_type.kind.is_number]


@pytest.mark.parametrize("function", ["sum", "avg", "count", "min", "max"])
@pytest.mark.parametrize("column_type", NUMBERS, ids=str)
@pytest.mark.parametrize("has_specials", [True, False])
def test_aggregates_agree(
    ask: Ask, column_type: ColumnType, function: str, has_specials: bool
) -> None:
    """Value, type and NULL of every group; floats within their tolerance, all else exactly."""
    luck = random.Random(_SEED)
    make: Callable[[], list[Any]] = (
        (lambda: _values(column_type, luck))
        if has_specials
        else (lambda: [_numbers(column_type, luck) for _ in range(_ROWS)])
    )
    values = make()
    groups = [luck.choice(["a", "b", "ä", "", None]) for _ in values]
    groups[:2], values[:2] = ["only null", "only null"], [None, None]
    types = {"g": ColumnType(Kind.TEXT), "v": column_type}
    rows = list(zip(groups, values, strict=True))
    expected = ask(
        f"SELECT g, {function}(v)::text, pg_typeof({function}(v))::text FROM "
        f'{_relation(types, rows)} GROUP BY g ORDER BY g COLLATE "C"'
    )
    table = a_table(g=a_column(types["g"], groups), v=a_column(column_type, values))
    answer = _answer(table, aggregate=function, group_by=["g"], order_by=["g"])
    assert texts(answer.columns["g"]) == [row[0] for row in expected]
    found = answer.columns[function]
    assert {found.type.kind.value} == {row[2] for row in expected}
    for mine, (_, theirs, _) in zip(texts(found), expected, strict=True):
        if mine is None or theirs is None or not found.type.kind.is_float:
            is_average = function == "avg" and theirs is not None and mine is not None
            assert mine == theirs or (is_average and Decimal(mine or 0) == Decimal(theirs or 0))
        else:
            # Postgres adds reals up as reals.
            share = 1e-4 if column_type.kind is Kind.REAL else 1e-13
            assert float(mine) == pytest.approx(float(theirs), share, 1e6 * share, nan_ok=True)


_COMPARISONS = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
}  # fmt: skip


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_comparisons_and_order_agree(ask: Ask, column_type: ColumnType) -> None:
    """Every value of a column against some of them, with each operator; then both orders."""
    luck = random.Random(_SEED)
    values = _values(column_type, luck)
    table = a_table(
        v=a_column(column_type, values),
        i=ColumnData(ColumnType(Kind.INTEGER), np.arange(len(values), dtype=np.int32)),
    )
    relation = _relation({"v": column_type}, [[value] for value in values])
    column = 'v COLLATE "C"' if column_type.kind is Kind.TEXT else "v"
    known = [value for value in values if value is not None]
    for _ in range(3):
        one, other = luck.choice(known), luck.choice(known)
        given = [_literal(value, column_type) for value in (one, other)]
        cases = [(op, one, f"{sign} {given[0]}") for op, sign in _COMPARISONS.items()]
        cases.append(("between", [one, other], f"BETWEEN {given[0]} AND {given[1]}"))
        cases.append(("in", [one, other], f"IN ({given[0]}, {given[1]})"))
        cases.append(("not_in", [one, other], f"NOT IN ({given[0]}, {given[1]})"))
        for op, value, condition in cases:
            expected = ask(f"SELECT i FROM {relation} WHERE {column} {condition} ORDER BY i")
            found = _answer(table, where=[Filter("v", op, value)]).columns["i"].values.tolist()
            assert found == [row[0] for row in expected], (op, value)
    for direction, order in (("ASC", "v"), ("DESC", "-v")):
        expected = ask(f"SELECT i FROM {relation} ORDER BY {column} {direction}, i")
        found = _answer(table, order_by=[order]).columns["i"].values.tolist()
        assert found == [row[0] for row in expected]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"])
@pytest.mark.parametrize("kind", [Kind.TIMESTAMP, Kind.TIMESTAMPTZ])
def test_days_of_instants_agree(ask: Ask, kind: Kind, zone: str) -> None:
    """A date means the day on the zone's clock, also on the day of 23 hours."""
    luck = random.Random(_SEED)
    column_type = ColumnType(kind)
    values = _values(column_type, luck)
    table = a_table(
        v=a_column(column_type, values),
        i=ColumnData(ColumnType(Kind.INTEGER), np.arange(len(values), dtype=np.int32)),
    )
    relation = _relation({"v": column_type}, [[value] for value in values])
    local = "v" if kind is Kind.TIMESTAMP else f"v AT TIME ZONE '{zone}'"
    for day in ("2024-03-09", "2024-03-10", "2024-03-11"):
        for op, sign in _COMPARISONS.items():
            expected = ask(
                f"SELECT i FROM {relation} WHERE ({local})::date {sign} '{day}'::date ORDER BY i"
            )
            found = _answer(table, zone, where=[Filter("v", op, day)])
            assert found.columns["i"].values.tolist() == [row[0] for row in expected]


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_texts_agree(ask: Ask, column_type: ColumnType) -> None:
    """Every kind prints as Postgres prints it."""
    values = _values(column_type, random.Random(_SEED))
    relation = _relation({"v": column_type}, [[value] for value in values])
    printed = ask(f"SELECT v::text FROM {relation} ORDER BY i")
    assert texts(a_column(column_type, values)) == [row[0] for row in printed]


@pytest.mark.parametrize(
    ("column_type", "values"),
    [
        (ColumnType(Kind.INTEGER), [1, 2, 2]),
        (ColumnType(Kind.INTEGER), [1, 0, 0]),
        (ColumnType(Kind.BIGINT), [-5, 0, 0]),
        (ColumnType(Kind.BIGINT), [2**63 - 1, 2**63 - 1]),
        (MONEY, [Decimal("123.45"), *[Decimal(0)] * 6]),
        (WIDE, [Decimal("0.000001"), Decimal(0), Decimal(0)]),
        (WIDE, [Decimal(10**32 - 1)]),
    ],
)
def test_averages_have_the_same_digits(
    ask: Ask, column_type: ColumnType, values: list[Any]
) -> None:
    """Digit by digit, where one group decides the column's scale."""
    relation = _relation({"v": column_type}, [[value] for value in values])
    answer = _answer(a_table(v=a_column(column_type, values)), aggregate="avg")
    assert texts(answer.columns["avg"]) == [ask(f"SELECT avg(v)::text FROM {relation}")[0][0]]
