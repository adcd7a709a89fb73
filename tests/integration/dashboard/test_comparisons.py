"""Compared periods and calculations of whole charts equal SQL's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.support.boards import USERS, YEAR, Board, keys_of, only, series_named
from tests.support.dashboards import chart_of, series_of

from warmcube.dashboard.definition import Calculation, Comparison, Format
from warmcube.dashboard.rendered import DateRange, UniversalFilters
from warmcube.errors import InvalidQuery

PREVIOUS = Comparison(kind="previous_period")
HALF_YEAR = UniversalFilters(preset="last_6_full_months")
PERIODS: dict[str, tuple[UniversalFilters, Comparison, str, str, int, str]] = {
    "previous year": (YEAR, PREVIOUS, "2024-01-01", "2024-12-31", 12, "previous period"),
    "previous half": (HALF_YEAR, PREVIOUS, "2024-07-01", "2024-12-31", 6, "previous period"),
    "a year before": (
        HALF_YEAR,
        Comparison(kind="same_period_last_year"),
        "2024-07-01",
        "2024-12-31",
        12,
        "a year before",
    ),
    "a quarter before": (
        HALF_YEAR,
        Comparison(kind="shift", count=1, unit="quarter"),
        "2024-07-01",
        "2024-12-31",
        3,
        "1 quarter before",
    ),
}


@pytest.mark.parametrize("missing", ["skip", "gap"])
@pytest.mark.parametrize("period", PERIODS)
async def test_line_18_a_compared_period_is_a_series_of_its_own(
    board: Board, period: str, missing: Any
) -> None:
    """Side by side by their place in the year: a month that one period lacks shifts nothing."""
    filters, comparison, start, end, months, words = PERIODS[period]
    chart = chart_of(comparison=comparison, missing=missing)
    for user in USERS:
        rendered = await board.chart(user, chart, filters)
        now, before = only(rendered).series
        assert (before.id, before.kind, before.of) == ("charges.comparison", "comparison", now.id)
        assert before.name == f"Charges, {words}"
        expected = board.sql(
            "SELECT coalesce(a.d, (b.d + make_interval(months => "
            f"{months}))::date), a.v, b.d, b.v FROM "
            f"(SELECT date_index d, sum(measure_value) v FROM ih.facts WHERE {USERS[user]} "
            f"AND measure = 'Charges' AND date_index BETWEEN '{start}' AND '{end}' GROUP BY 1) a "
            "FULL JOIN (SELECT date_index d, sum(measure_value) v FROM ih.facts "
            f"WHERE {USERS[user]} AND measure = 'Charges' AND date_index BETWEEN "
            f"DATE '{start}' - make_interval(months => {months}) AND "
            f"DATE '{end}' + 1 - make_interval(months => {months}) - INTERVAL '1 day' "
            "GROUP BY 1) b "
            f"ON a.d = b.d + make_interval(months => {months}) ORDER BY 1"
        )
        keys = before.keys or ()
        shown = list(zip(keys_of(only(rendered)), now.values, keys, before.values, strict=True))
        if missing == "gap":  # dates that neither period has rows of are there, and empty
            shown = [each for each in shown if each[1] is not None or each[3] is not None]
            shown = [(day, a, day_before, b) for day, a, day_before, b in shown]
            expected = [
                (day, a, shown[place][2] if b is None else day_before, b)
                for place, (day, a, day_before, b) in enumerate(expected)
            ]
        assert shown == expected
        assert rendered.compared is not None
        assert [(now.total, before.total)] == board.sql(
            "SELECT (SELECT sum(measure_value) FROM ih.facts WHERE "
            f"{USERS[user]} AND measure = 'Charges' "
            f"AND date_index BETWEEN '{start}' AND '{end}') a, "
            f"(SELECT sum(measure_value) FROM ih.facts WHERE {USERS[user]} "
            f"AND measure = 'Charges' AND date_index BETWEEN '{rendered.compared.start}' "
            f"AND '{rendered.compared.end}') b"
        )


async def test_other_labels_are_compared_with_themselves(board: Board) -> None:
    """By practice, those of the compared period alone included; sorted by the current one."""
    chart = chart_of(
        type="bar", group_by="practice", comparison=PREVIOUS, sort="-value", top=4, other="rest"
    )
    facet = only(await board.chart("root", chart, YEAR))
    now, before = facet.series
    shown = [key for key in keys_of(facet) if key != "rest"]
    for series, year in ((now, 2024), (before, 2023)):
        where = f"measure = 'Charges' AND extract(year FROM date_index) = {year}"
        by_practice = dict(
            board.select("practice_uid, sum(measure_value)", "root", where, "GROUP BY 1")
        )
        rest = sum(
            (value for key, value in by_practice.items() if key not in shown and value is not None),
            Decimal(0),
        )
        assert list(series.values) == [*(by_practice.get(key) for key in shown), rest]
    assert before.keys is None


@pytest.mark.parametrize("user", USERS)
async def test_a_number_tells_how_it_has_changed(board: Board, user: str) -> None:
    """Difference and share, of the figures of both periods; none without figures."""
    chart = chart_of(type="number", group_by=None, comparison=PREVIOUS)
    rendered = await board.chart(user, chart, YEAR)
    ((now, before),) = board.sql(
        "SELECT sum(measure_value) FILTER (WHERE extract(year FROM date_index) = 2024) a, "
        "sum(measure_value) FILTER (WHERE extract(year FROM date_index) = 2023) b "
        f"FROM ih.facts WHERE {USERS[user]} AND measure = 'Charges'"
    )
    change = rendered.change
    assert change is not None
    assert (only(rendered).series[0].total, change.before) == (now, before)
    if now is None:
        assert (change.difference, change.share) == (None, None)
    else:
        assert [(change.difference, change.share)] == board.sql(
            f"SELECT {now} - ({before}), ({now} - ({before})) / NULLIF({before}, 0)::numeric"
        )


async def test_a_calculated_number_has_changed_too(board: Board) -> None:
    """The calculation is made for the compared period as well."""
    chart = chart_of(
        type="number",
        group_by=None,
        comparison=PREVIOUS,
        series=(
            series_of(is_hidden=True),
            series_of("payments", measure="Payments", is_hidden=True),
        ),
        calculations=(
            Calculation(id="rate", name="Rate", function="ratio", of="payments", to="charges"),
        ),
    )
    rendered = await board.chart("north", chart, YEAR)
    ((now, before),) = board.sql(
        "SELECT "
        + ", ".join(
            f"sum(measure_value) FILTER (WHERE measure = 'Payments' AND {year}) / "
            f"sum(measure_value) FILTER (WHERE measure = 'Charges' AND {year}) AS y{place}"
            for place, year in enumerate(
                ("extract(year FROM date_index) = 2024", "extract(year FROM date_index) = 2023")
            )
        )
        + f" FROM ih.facts WHERE {USERS['north']}"
    )
    assert rendered.change is not None
    facet = only(rendered)
    assert [each.id for each in facet.series] == ["rate", "rate.comparison"]
    assert facet.series[0].format == Format(kind="percent")
    assert (facet.series[0].total, rendered.change.before) == (now, before)
    assert rendered.change.difference == now - before


CALCULATIONS: dict[str, tuple[Calculation, str, str | None]] = {
    "ratio": (
        Calculation(id="x", name="X", function="ratio", of="payments", to="charges"),
        "p / NULLIF(c, 0)",
        "sum(p) / NULLIF(sum(c), 0)",
    ),
    "difference": (
        Calculation(id="x", name="X", function="difference", of="charges", to="payments"),
        "c - p",
        "sum(c) - sum(p)",
    ),
    "growth": (
        Calculation(id="x", name="X", function="growth", of="charges"),
        "(c - lag(c) OVER w) / NULLIF(lag(c) OVER w, 0)",
        None,
    ),
    "share": (
        Calculation(id="x", name="X", function="share", of="charges"),
        "c / NULLIF(sum(c) OVER (), 0)",
        None,
    ),
    "moving_average": (
        Calculation(id="x", name="X", function="moving_average", of="charges", window=3),
        "avg(c) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        None,
    ),
    "running_total": (
        Calculation(id="x", name="X", function="running_total", of="charges"),
        "sum(c) OVER (w ROWS UNBOUNDED PRECEDING)",
        None,
    ),
    "variance_from_average": (
        Calculation(id="x", name="X", function="variance_from_average", of="charges"),
        "c - avg(c) OVER ()",
        None,
    ),
}


@pytest.mark.parametrize("name", CALCULATIONS)
@pytest.mark.parametrize("group_by", ["date", "practice"])
async def test_calculations_are_sqls(board: Board, group_by: str, name: str) -> None:
    """Label by label over what the labels come to, missing figures and zeros included."""
    calculation, expression, total = CALCULATIONS[name]
    chart = chart_of(
        group_by=group_by,
        series=(series_of(), series_of("payments", measure="Payments", is_hidden=True)),
        calculations=(calculation,),
    )
    column = "date_index" if group_by == "date" else "practice_uid"
    for user in USERS:
        facet = only(await board.chart(user, chart))
        assert [each.id for each in facet.series] == ["charges", "x"]
        labels = (
            f"(SELECT {column} k, sum(measure_value) FILTER (WHERE measure = 'Charges') c, "
            "sum(measure_value) FILTER (WHERE measure = 'Payments') p FROM ih.facts "
            f"WHERE {USERS[user]} AND measure IN ('Charges', 'Payments') GROUP BY 1) t"
        )
        expected = board.sql(
            f"SELECT k, {expression} v FROM {labels} WINDOW w AS (ORDER BY k) ORDER BY k"
        )
        found = series_named(facet, "x")
        assert list(zip(keys_of(facet), found.values, strict=True)) == expected
        if total is None:
            assert found.total is None
        else:
            assert [(found.total,)] == board.sql(f"SELECT {total} v FROM {labels}")


async def test_calculations_with_the_compared_period(board: Board) -> None:
    """``<series>.comparison`` is the series at the same place of the compared period."""
    chart = chart_of(
        comparison=PREVIOUS,
        calculations=(
            Calculation(id="g", name="G", function="growth", of="charges", to="charges.comparison"),
            Calculation(id="d", name="D", function="difference", of="g", to="g", is_hidden=True),
        ),
    )
    facet = only(await board.chart("north", chart, YEAR))
    assert [each.id for each in facet.series] == ["charges", "charges.comparison", "g"]
    expected = board.sql(
        "SELECT extract(month FROM date_index)::int m, "
        "(sum(measure_value) FILTER (WHERE extract(year FROM date_index) = 2024) - "
        "sum(measure_value) FILTER (WHERE extract(year FROM date_index) = 2023)) / "
        "NULLIF(sum(measure_value) FILTER (WHERE extract(year FROM date_index) = 2023), 0) v "
        f"FROM ih.facts WHERE {USERS['north']} AND measure = 'Charges' "
        "AND date_index IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    months = [key.month for key in keys_of(facet)]
    assert list(zip(months, series_named(facet, "g").values, strict=True)) == expected


async def test_calculations_of_split_series_and_of_other(board: Board) -> None:
    """Each value has its own; the rest's is that of its sums, not a sum of ratios."""
    series = (
        series_of(is_hidden=True),
        series_of("payments", measure="Payments", is_hidden=True),
    )
    ratio = Calculation(id="x", name="X", function="ratio", of="payments", to="charges")
    split = only(
        await board.chart("root", chart_of(split_by="region", series=series, calculations=(ratio,)))
    )
    rest = only(
        await board.chart(
            "root",
            chart_of(
                type="bar",
                group_by="practice",
                series=series,
                calculations=(ratio,),
                top=2,
                other="rest",
            ),
        )
    )
    ratio_sql = (
        "sum(measure_value) FILTER (WHERE measure = 'Payments') / "
        "NULLIF(sum(measure_value) FILTER (WHERE measure = 'Charges'), 0)"
    )
    for each in split.series:
        where = "region IS NULL" if each.split is None else f"region = '{each.split}'"
        by_date = dict(board.select(f"date_index, {ratio_sql}", "root", where, "GROUP BY 1"))
        assert list(each.values) == [by_date.get(key) for key in keys_of(split)]
    assert [each.name for each in split.series] == ["", "Bay", "Coast", "no region"]
    shown = [key for key in keys_of(rest) if key != "rest"]
    among = f"(practice_uid IN ({', '.join(map(str, shown))})) IS NOT TRUE"
    assert [(rest.series[0].values[-1],)] == board.select(ratio_sql, "root", among)


async def test_other_shifts_are_named(board: Board) -> None:
    """By their number and unit."""
    shift = Comparison(kind="shift", count=2, unit="month")
    facet = only(await board.chart("north", chart_of(comparison=shift), YEAR))
    assert facet.series[1].name == "Charges, 2 months before"


async def test_what_cant_be_compared_says_why(board: Board) -> None:
    """Without a first and a last day there is no period before."""
    with pytest.raises(InvalidQuery, match="first and a last day"):
        await board.chart("north", chart_of(comparison=PREVIOUS))


async def test_a_chart_may_have_days_of_its_own(board: Board) -> None:
    """Whatever the page's are."""
    charts = await board.charts(
        "north", chart_of("a"), chart_of("b", dates="last_month"), filters=YEAR
    )
    assert [chart.dates.preset for chart in charts] == ["last_year", "last_month"]
    days = DateRange(start=charts[0].dates.start, end=charts[0].dates.start)
    fixed = await board.chart("north", chart_of(dates=days), YEAR)
    assert (fixed.dates, len(only(fixed).labels)) == (days, 1)
    assert len(only(charts[1]).labels) == 1
