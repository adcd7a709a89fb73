"""Calculated series: each figure is the one that Postgres computes of the same series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from warmcube.dashboard.calculations import calculate, quotient, total_of
from warmcube.dashboard.definition import Calculation, CalculationName

Figures = Sequence[Decimal | None]

SQL: dict[str, str] = {
    "ratio": "a / NULLIF(b, 0)",
    "difference": "a - b",
    "growth to": "(a - b) / NULLIF(b, 0)",
    "growth": "(a - lag(a) OVER w) / NULLIF(lag(a) OVER w, 0)",
    "share": "a / NULLIF(sum(a) OVER (), 0)",
    "moving_average": "avg(a) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
    "running_total": "sum(a) OVER (w ROWS UNBOUNDED PRECEDING)",
    "variance_from_average": "a - avg(a) OVER ()",
}
"""Each calculation as a sceptic would write it."""


def numbers(scale: int, digits: int) -> st.SearchStrategy[Decimal | None]:
    """The numbers of one column, with NULLs and zeros."""
    whole = st.integers(-(10**digits), 10**digits) | st.just(0)
    return st.none() | whole.map(lambda n: Decimal(n).scaleb(-scale))


@st.composite
def pairs(draw: st.DrawFn) -> list[tuple[Decimal | None, Decimal | None]]:
    """Two series, each of numbers of one scale as a column has them."""
    a, b = (numbers(draw(st.integers(0, 6)), draw(st.integers(1, 20))) for _ in range(2))
    return draw(st.lists(st.tuples(a, b), max_size=12))


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[psycopg.Connection]:
    """One connection for all examples."""
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


def by_sql(connection: psycopg.Connection, name: str, a: Figures, b: Figures) -> list[str | None]:
    """What Postgres computes, in the order of the labels."""
    statement = (
        f"SELECT ({SQL[name]})::text FROM unnest(%s::text[]::numeric[], %s::text[]::numeric[]) "
        "WITH ORDINALITY AS t (a, b, n) WINDOW w AS (ORDER BY n) ORDER BY n"
    )
    found = connection.execute(statement.encode(), [_texts(a), _texts(b)])
    return [value for (value,) in found]


def _texts(figures: Figures) -> list[str | None]:
    return [None if each is None else str(each) for each in figures]


def same(found: Figures, expected: Sequence[str | None]) -> bool:
    """Whether two series are equal to the last digit; zeros at the end don't count."""
    return _comparable(found) == _comparable(
        [None if each is None else Decimal(each) for each in expected]
    )


def _comparable(figures: Figures) -> list[Decimal | str | None]:
    """A NaN equals nothing, so it is compared by its name."""
    return ["NaN" if isinstance(each, Decimal) and each.is_nan() else each for each in figures]


def test_the_formulas_are_the_documented_ones() -> None:
    """What is compared here is what users are told."""
    page = Path(__file__).parents[3] / "docs/reference/dashboard-calculations.md"
    _, _, rest = page.read_text(encoding="utf-8").partition("| function | in SQL | total |\n")
    rows = [line.split(" | ") for line in rest.partition("\n\n")[0].splitlines()[1:]]
    told = {
        name.strip("| ").replace("with `to`", "to").replace("`", ""): sql for name, sql, _ in rows
    }
    assert told == {name: f"`{sql}`" for name, sql in SQL.items()}


@pytest.mark.parametrize("name", SQL)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(series=pairs())
@example(series=[])
@example(series=[(Decimal(5), Decimal(0))])
@example(series=[(None, None), (Decimal("-1.50"), Decimal(3)), (Decimal(0), Decimal(-7))])
def test_each_is_postgres_s(
    connection: psycopg.Connection,
    name: str,
    series: list[tuple[Decimal | None, Decimal | None]],
) -> None:
    """Every calculation, on series with NULLs, zeros, negative and long numbers."""
    a, b = [x for x, _ in series], [y for _, y in series]
    function: CalculationName = name.partition(" ")[0]  # type: ignore[assignment]
    has_other = function in ("ratio", "difference") or name == "growth to"
    calculation = Calculation(
        id="c", name="C", function=function, of="a", to="b" if has_other else None, window=3
    )
    found = calculate(calculation, {"a": a, "b": b})
    assert same(found, by_sql(connection, name, a, b)), (found, by_sql(connection, name, a, b))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    a=st.decimals(allow_nan=True, allow_infinity=True, places=4),
    b=st.decimals(allow_nan=True, allow_infinity=True, places=2),
)
def test_quotients_are_postgres_s(connection: psycopg.Connection, a: Decimal, b: Decimal) -> None:
    """Every quotient, that of infinities too."""
    names = [
        str(each).replace("sNaN", "NaN").lstrip("-") if each.is_nan() else str(each)
        for each in (a, b)
    ]
    row = connection.execute(
        "SELECT (%s::numeric / NULLIF(%s::numeric, 0))::text", names
    ).fetchone()
    found = quotient(*map(Decimal, names))
    assert row is not None
    expected = row[0]
    if expected == "NaN":
        assert found is not None
        assert found.is_nan()
    else:
        assert found == (None if expected is None else Decimal(expected))


def test_totals_are_of_totals() -> None:
    """The total of a ratio is the ratio of the totals, and not the mean of ratios."""
    ratio = Calculation(id="c", name="C", function="ratio", of="a", to="b")
    assert total_of(ratio, {"a": Decimal(3), "b": Decimal(4)}) == Decimal("0.75")
    assert total_of(ratio, {"a": Decimal(3), "b": Decimal(0)}) is None
    running = Calculation(id="c", name="C", function="running_total", of="a")
    assert total_of(running, {"a": Decimal(3)}) is None


@pytest.mark.parametrize("name", [name for name in SQL if name not in ("ratio", "growth to")])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(series=pairs())
@example(series=[(Decimal(10**15), Decimal(3)), (Decimal(1), Decimal(3)), (Decimal(1), Decimal(7))])
def test_those_of_ratios_are_postgres_s(
    connection: psycopg.Connection,
    name: str,
    series: list[tuple[Decimal | None, Decimal | None]],
) -> None:
    """A calculation of a calculation, whose figures have unlike numbers of decimals."""
    a, b = [x for x, _ in series], [y for _, y in series]
    function: CalculationName = name  # type: ignore[assignment]
    to = "b" if function == "difference" else None
    ratios = calculate(
        Calculation(id="r", name="R", function="ratio", of="a", to="b"), {"a": a, "b": b}
    )
    asked = Calculation(id="c", name="C", function=function, of="r", to=to, window=3)
    found = calculate(asked, {"r": ratios, "b": b})
    statement = (
        f"SELECT ({SQL[name]})::text FROM (SELECT x / NULLIF(b, 0) AS a, b, n FROM "
        "unnest(%s::text[]::numeric[], %s::text[]::numeric[]) WITH ORDINALITY AS u (x, b, n)) AS t "
        "WINDOW w AS (ORDER BY n) ORDER BY n"
    )
    expected = [text for (text,) in connection.execute(statement.encode(), [_texts(a), _texts(b)])]
    assert same(found, expected), (found, expected)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    series=st.lists(
        st.none()
        | st.decimals(-(10**15), 10**15, places=3)
        | st.sampled_from([Decimal("Infinity"), Decimal("-Infinity"), Decimal("NaN")]),
        max_size=12,
    )
)
def test_moving_averages_past_infinity_are_postgres_s(
    connection: psycopg.Connection, series: list[Decimal | None]
) -> None:
    """Infinities and what is no number count while they are in the window, and not after."""
    asked = Calculation(id="c", name="C", function="moving_average", of="a", window=3)
    found = calculate(asked, {"a": series})
    expected = by_sql(connection, "moving_average", series, series)
    assert same(found, expected), (found, expected)
