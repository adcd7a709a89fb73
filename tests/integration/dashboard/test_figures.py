"""Labels, values and totals of charts equal SQL's, for every type of chart and several users."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.boards import USERS, YEAR, Board, keys_of, only, series_named
from tests.support.caches import execute, make_cache
from tests.support.dashboards import chart_of, series_of

from warmcube import NULL, Filter
from warmcube.dashboard.definition import (
    AGGREGATES,
    CHART_TYPES,
    Aggregate,
    ChartType,
    Target,
)
from warmcube.dashboard.rendered import UniversalFilters
from warmcube.errors import LimitExceeded

COLUMNS = {"date": "date_index", "practice": "practice_uid", "provider_uid": "provider_uid"}
MONTHS = ("2023-01-01", "2023-04-01")
IN_2024 = "measure = 'Charges' AND date_index BETWEEN '2024-01-01' AND '2024-12-31'"


@pytest.mark.parametrize("kind", CHART_TYPES)
async def test_every_type_of_chart_has_sqls_numbers(board: Board, kind: ChartType) -> None:
    """However it is drawn: values by label, NULL at the end, and the total of all rows."""
    for user in USERS:
        is_single = kind in ("number", "progress")
        chart = chart_of(
            type=kind,
            group_by=None if is_single else "date",
            series=(series_of(), series_of("payments", measure="Payments", aggregate="avg")),
        )
        facet = only(await board.chart(user, chart))
        for place, (measure, function) in enumerate((("Charges", "sum"), ("Payments", "avg"))):
            series, where = facet.series[place], f"measure = '{measure}'"
            ((total,),) = board.select(f"{function}(measure_value)", user, where)
            assert series.total == total
            if is_single:
                assert series.values == (total,)
                assert keys_of(facet) == [None]
                continue
            by_date = dict(
                board.select(
                    f"date_index, {function}(measure_value)", user, where, "GROUP BY date_index"
                )
            )
            assert list(series.values) == [by_date.get(key) for key in keys_of(facet)]
            assert set(by_date) <= set(keys_of(facet))
        if not is_single:
            dates = board.select(
                "DISTINCT date_index", user, "measure IN ('Charges', 'Payments')", "ORDER BY 1"
            )
            assert keys_of(facet) == [key for (key,) in dates]


@pytest.mark.parametrize("function", AGGREGATES)
@pytest.mark.parametrize("column", COLUMNS)
async def test_every_aggregate_by_every_column(
    board: Board, column: str, function: Aggregate
) -> None:
    """By its name or its role; over all rows, the total is no average of averages."""
    for user in USERS:
        name = COLUMNS[column]
        chart = chart_of(group_by=column, series=(series_of(aggregate=function),))
        (series,) = (facet := only(await board.chart(user, chart))).series
        expected = board.select(
            f"{name}, {function}(measure_value)", user, rest=f"GROUP BY {name} ORDER BY {name}"
        )
        assert list(zip(keys_of(facet), series.values, strict=True)) == expected
        assert [(series.total,)] == board.select(f"{function}(measure_value)", user)


async def test_null_labels_are_named(board: Board) -> None:
    """A NULL has a text that says of what, and no key; the empty text is another value."""
    chart = await board.chart("root", chart_of(type="bar", group_by="region"))
    assert [(label.key, label.text) for label in only(chart).labels] == [
        ("", ""),
        ("Bay", "Bay"),
        ("Coast", "Coast"),
        (None, "no region"),
    ]
    assert (chart.column, chart.column_type) == ("region", "text")
    dated = await board.chart("root", chart_of())
    assert only(dated).labels[-1].text == "no date"
    assert (dated.column, dated.column_type) == ("date_index", "date")


@pytest.mark.parametrize("function", ["sum", "avg", "min", "max", "count"])
@pytest.mark.parametrize("user", ["root", "north"])
async def test_top_and_other_are_exact(board: Board, user: str, function: Aggregate) -> None:
    """The rest is one label, computed over all of its rows, and so a hidden rest is counted."""
    series = (series_of(), series_of("second", aggregate=function))
    ranked = board.select(
        "practice_uid, sum(measure_value)",
        user,
        rest="GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1",
    )
    shown = [key for key, _ in ranked[:2]]
    rest = ranked[2:]
    for other in ("all others", None):
        chart = await board.chart(
            user,
            chart_of(
                type="bar", group_by="practice", series=series, top=2, other=other, sort="-value"
            ),
        )
        facet = only(chart)
        assert keys_of(facet) == [*shown, *([other] if other else [])]
        assert chart.hidden == (0 if other else len(rest))
        among = f"practice_uid IN ({', '.join(map(str, shown))})"
        top = dict(
            board.select(
                f"practice_uid, {function}(measure_value)",
                user,
                f"measure = 'Charges' AND {among}",
                "GROUP BY 1",
            )
        )
        expected = [top[key] for key in shown]
        if other:
            ((figure,),) = board.select(
                f"{function}(measure_value)",
                user,
                f"measure = 'Charges' AND ({among}) IS NOT TRUE",
            )
            expected.append(figure)
        assert list(facet.series[1].values) == expected
        assert [(facet.series[1].total,)] == board.select(f"{function}(measure_value)", user)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (None, "practice_uid"),
        ("label", "practice_uid"),
        ("-label", "practice_uid DESC NULLS FIRST"),
        ("value", "sum(measure_value), practice_uid"),
        ("-value", "sum(measure_value) DESC NULLS LAST, practice_uid"),
    ],
)
async def test_labels_are_sorted(board: Board, sort: Any, order: str) -> None:
    """By label or by value, either way round."""
    chart = await board.chart("root", chart_of(type="bar", group_by="practice", sort=sort))
    expected = board.select("practice_uid", "root", rest=f"GROUP BY 1 ORDER BY {order}")
    assert [(key,) for key in keys_of(only(chart))] == expected


async def test_names_stand_for_ids(board: Board) -> None:
    """Rows of one id are one label, whatever its names; one without a name shows its id."""
    chart = await board.chart(
        "north",
        chart_of(type="bar", group_by="practice", series=(series_of(aggregate="avg"),)),
        names={"practice": "practice_name"},
    )
    facet = only(chart)
    assert [(label.key, label.text) for label in facet.labels] == [
        (101, "Old name"),
        (102, "Practice N"),
        (103, "103"),
    ]
    expected = board.select(
        "practice_uid, avg(measure_value)", "north", rest="GROUP BY 1 ORDER BY 1"
    )
    assert list(zip(keys_of(facet), facet.series[0].values, strict=True)) == expected


async def test_a_measure_is_split_into_series(board: Board) -> None:
    """A series for each value of a column, each with its own total."""
    for user in USERS:
        chart = chart_of(split_by="region", series=(series_of(), series_of("low", aggregate="min")))
        facet = only(await board.chart(user, chart))
        regions = [key for (key,) in board.select("region", user, rest="GROUP BY 1 ORDER BY 1")]
        assert [each.id for each in facet.series] == [
            f"{own}/{'~' if region is None else region}"
            for region in regions
            for own in ("charges", "low")
        ]
        for region in regions:
            is_it = "region IS NULL" if region is None else f"region = '{region}'"
            for own, function in (("charges", "sum"), ("low", "min")):
                series = series_named(facet, f"{own}/{'~' if region is None else region}")
                where = f"measure = 'Charges' AND {is_it}"
                by_date = dict(
                    board.select(
                        f"date_index, {function}(measure_value)", user, where, "GROUP BY 1"
                    )
                )
                assert list(series.values) == [by_date.get(key) for key in keys_of(facet)]
                assert [(series.total,)] == board.select(f"{function}(measure_value)", user, where)
                assert series.split == region
                assert series.name == f"{own.title()}: {'no region' if region is None else region}"


async def test_of_split_series_only_the_top_ones_are_shown(board: Board) -> None:
    """Over dates it is the series that are sorted, chosen and put together."""
    chart = chart_of(split_by="practice", top=3, other="others", sort="-value")
    facet = only(await board.chart("root", chart))
    ranked = board.select(
        "practice_uid, sum(measure_value)", "root", rest="GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    shown = [key for key, _ in ranked[:3]]
    assert [each.id for each in facet.series] == [
        *(f"charges/{key}" for key in shown),
        "charges/~other",
    ]
    assert [each.name for each in facet.series] == [*map(str, shown), "others"]
    rest = f"(practice_uid IN ({', '.join(map(str, shown))})) IS NOT TRUE"
    by_date = dict(
        board.select(
            "date_index, sum(measure_value)",
            "root",
            f"measure = 'Charges' AND {rest}",
            "GROUP BY 1",
        )
    )
    assert list(facet.series[-1].values) == [by_date.get(key) for key in keys_of(facet)]


async def test_small_multiples_are_pictures_of_their_own(board: Board) -> None:
    """One for each value, all over the same labels, each with the figures of its own rows."""
    for user in USERS:
        chart = await board.chart(
            user, chart_of(type="bar", multiples="practice", group_by="region")
        )
        practices = [
            key for (key,) in board.select("practice_uid", user, rest="GROUP BY 1 ORDER BY 1")
        ]
        assert [facet.key for facet in chart.facets] == practices
        for facet in chart.facets:
            where = "practice_uid IS NULL" if facet.key is None else f"practice_uid = {facet.key}"
            where = f"measure = 'Charges' AND {where}"
            by_region = dict(
                board.select("region, sum(measure_value)", user, where, "GROUP BY region")
            )
            (series,) = facet.series
            assert list(series.values) == [by_region.get(key) for key in keys_of(facet)]
            assert [(series.total,)] == board.select("sum(measure_value)", user, where)
            assert facet.title == ("no practice uid" if facet.key is None else str(facet.key))


@pytest.mark.parametrize(("missing", "hole"), [("skip", ()), ("gap", None), ("zero", Decimal(0))])
async def test_dates_without_rows(board: Board, missing: Any, hole: Any) -> None:
    """April has no rows: it isn't there, or a gap, or zero; the ends aren't filled up."""
    chart = chart_of(missing=missing, series=(series_of(), series_of("p", measure="Payments")))
    facet = only(await board.chart("north", chart, YEAR))
    months = "generate_series(DATE '2024-01-01', DATE '2024-12-01', INTERVAL '1 month')"
    for own, measure in (("charges", "Charges"), ("p", "Payments")):
        expected = board.sql(
            "SELECT d::date, sum(measure_value), count(f.*) > 0 AS has "
            f"FROM {months} d LEFT JOIN ih.facts f ON date_index = d::date "
            f"AND measure = '{measure}' AND {USERS['north']} GROUP BY 1 ORDER BY 1"
        )
        if hole == ():
            expected = [row for row in expected if row[0].month != 4]
        hole_value = None if hole == () else hole
        assert list(zip(keys_of(facet), series_named(facet, own).values, strict=True)) == [
            (day, value if has else hole_value) for day, value, has in expected
        ]


@pytest.mark.parametrize(
    ("filters", "where"),
    [
        (YEAR, "date_index BETWEEN '2024-01-01' AND '2024-12-31'"),
        (
            UniversalFilters(preset="all", where={"region": ("Bay", None)}),
            "(region = 'Bay' OR region IS NULL)",
        ),
        (UniversalFilters(preset="all", where={"region": (None,)}), "region IS NULL"),
        (UniversalFilters(preset="all", where={"region": ()}), "FALSE"),
        (
            UniversalFilters(preset="all", where={"provider": ("1", 2), "region": ("",)}),
            "provider_uid IN (1, 2) AND region = ''",
        ),
        (UniversalFilters(preset="all", practices=(101, "103")), "practice_uid IN (101, 103)"),
        (UniversalFilters(preset="all", practices=()), "FALSE"),
        (UniversalFilters(preset="all", organization="north-east"), "practice_uid = 103"),
        (UniversalFilters(preset="all", providers=(3,)), "provider_uid = 3"),
        (UniversalFilters(preset="last_month"), "date_index = '2024-12-01'"),
    ],
)
async def test_filters_of_the_page_narrow_all_charts(
    board: Board, filters: UniversalFilters, where: str
) -> None:
    """Whatever is filtered by, together with a chart's own conditions."""
    for user in USERS:
        own = (Filter("measure_value", "gt", 0),)
        charts = await board.charts(
            user, chart_of("all"), chart_of("own", where=own), filters=filters
        )
        for chart, condition in zip(charts, (where, f"{where} AND measure_value > 0"), strict=True):
            facet = only(chart)
            expected = board.select(
                "date_index, sum(measure_value)",
                user,
                f"measure = 'Charges' AND {condition}",
                "GROUP BY 1 ORDER BY 1",
            )
            assert list(zip(keys_of(facet), facet.series[0].values, strict=True)) == expected


async def test_conditions_of_a_series_are_its_own(board: Board) -> None:
    """Beside those of the chart; NULL may be among what is wanted."""
    where = (Filter("region", "in", [NULL, "Bay"]),)
    chart = chart_of(
        group_by=None,
        type="number",
        series=(series_of(), series_of("some", where=(Filter("provider", "eq", 2),))),
        where=where,
    )
    facet = only(await board.chart("root", chart))
    region = "measure = 'Charges' AND (region = 'Bay' OR region IS NULL)"
    assert [(each.total,) for each in facet.series] == [
        *board.select("sum(measure_value)", "root", region),
        *board.select("sum(measure_value)", "root", f"{region} AND provider_uid = 2"),
    ]


@pytest.mark.parametrize("kind", CHART_TYPES)
@pytest.mark.parametrize(
    ("measure", "values"),
    [("Zeros", [0, 0]), ("Single", [Decimal("-4.25")]), ("Nothing of that name", [])],
)
async def test_zeros_one_point_and_no_rows(
    board: Board, kind: ChartType, measure: str, values: list[Any]
) -> None:
    """Zero is a value, one point is a chart, and without rows there are neither labels nor sums."""
    is_single = kind in ("number", "progress")
    chart = await board.chart(
        "north",
        chart_of(
            type=kind,
            series=(series_of(measure=measure),),
            group_by=None if is_single else "date",
            target=Target(value=Decimal(0)) if kind == "progress" else None,
        ),
    )
    (series,) = only(chart).series
    total = sum(values) if values else None
    assert series.total == total
    assert list(series.values) == ([total] if is_single else values)
    if kind == "progress":
        assert chart.progress is not None
        assert chart.progress.target == 0
        assert chart.progress.share is None
    is_pie = kind in ("pie", "doughnut") and measure == "Single"
    assert chart.notes == (("negative values have no slice; the table shows them",) * is_pie)


async def test_a_progress_is_a_share_of_its_target(board: Board) -> None:
    """Of a figure, or of another series' total."""
    series = (series_of(), series_of("wanted", measure="Payments", is_hidden=True))
    ((charges, payments),) = board.sql(
        "SELECT sum(measure_value) FILTER (WHERE measure = 'Charges') c, "
        "sum(measure_value) FILTER (WHERE measure = 'Payments') p FROM ih.facts "
        f"WHERE {USERS['north']}"
    )
    for target, figure in (
        (Target(value=Decimal(1000)), Decimal(1000)),
        (Target(series="wanted"), payments),
    ):
        chart = await board.chart(
            "north", chart_of(type="progress", group_by=None, series=series, target=target)
        )
        assert chart.progress is not None
        assert chart.progress.target == figure
        assert [(chart.progress.share,)] == board.sql(f"SELECT {charges} / {figure}::numeric")


async def test_five_hundred_series(board: Board) -> None:
    """As many measures as that, each with SQL's numbers."""
    series = tuple(
        series_of(f"s{number}", where=(Filter("measure_value", "gte", number),))
        for number in range(500)
    )
    facet = only(await board.chart("root", chart_of(series=series)))
    assert len(facet.series) == 500
    for number in (0, 17, 69, 499):
        by_date = dict(
            board.select(
                "date_index, sum(measure_value)",
                "root",
                f"measure = 'Charges' AND measure_value >= {number}",
                "GROUP BY 1",
            )
        )
        found = series_named(facet, f"s{number}").values
        assert list(found) == [by_date.get(key) for key in keys_of(facet)]


async def test_a_chart_beyond_all_bounds_is_an_error(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More figures than a chart may have aren't cut."""
    monkeypatch.setattr("warmcube.dashboard.assemble.MOST_FIGURES", 10)
    with pytest.raises(LimitExceeded, match="more than 10"):
        await board.chart("root", chart_of())


async def test_reals_have_as_many_digits_as_in_sql(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Averages are those of doubles, sums are reals again, whatever they are put together of."""
    execute(
        postgres_db,
        "CREATE SCHEMA ih",
        "CREATE TABLE ih.facts (measure text, practice_uid integer, provider_uid integer, "
        "frequency text, date_index date, measure_value real, size real)",
        "INSERT INTO ih.facts SELECT 'Charges', 101 + i % 7, 1, 'Monthly', DATE '2024-01-01', "
        "i / 7.0, (i % 4) / 3.0 FROM generate_series(1, 3000) i",
    )
    async with make_cache(tmp_path, redis_url, postgres_db) as cache:
        board = Board(cache, postgres_db)
        for aggregate in ("avg", "sum"):
            chart = chart_of(group_by="size", series=(series_of(aggregate=aggregate),))
            facet = only(await board.chart("root", chart))
            values = "measure_value::float8"
            expected = board.sql(
                f"SELECT size::text, {aggregate}({values})::text FROM ih.facts GROUP BY size "
                "ORDER BY size"
            )
            ((total,),) = board.sql(f"SELECT {aggregate}({values})::text FROM ih.facts")
            digits = Decimal("1e-11") if aggregate == "avg" else Decimal("1e-7")
            assert [Decimal(label.text) for label in facet.labels] == [key for key, _ in expected]
            found = [*facet.series[0].values, facet.series[0].total]
            for figure, true in zip(found, [*(each for _, each in expected), total], strict=True):
                assert figure is not None
                assert abs(figure / true - 1) < digits
                if aggregate == "sum":
                    assert len(figure.normalize().as_tuple().digits) <= 9


async def test_series_with_one_frequency_tell_the_step(board: Board) -> None:
    """It counts wherever it is said: 2023's Januaries and Aprils alone would look quarterly."""
    series = (series_of(frequency="Monthly", where=(Filter("date", "in", MONTHS),)),)
    chart = chart_of(series=series, frequency=None, missing="gap")
    facet = only(await board.chart("root", chart))
    assert keys_of(facet) == [date(2023, month, 1) for month in (1, 2, 3, 4)]


async def test_a_column_of_seven_hundred_values_splits_into_as_many(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Each is a series with SQL's numbers; of those of one sum the smaller values are the top."""
    execute(
        postgres_db,
        "CREATE SCHEMA ih",
        "CREATE TABLE ih.facts (measure text, practice_uid integer, provider_uid integer, "
        "frequency text, date_index date, measure_value numeric(9,2))",
        "INSERT INTO ih.facts SELECT 'Charges', 101, 1 + i % 700, 'Monthly', "
        "DATE '2024-01-01' + (i % 3) * 31, (i % 5) / 4.0 FROM generate_series(0, 2099) i",
    )
    async with make_cache(tmp_path, redis_url, postgres_db) as cache:
        board = Board(cache, postgres_db)
        facet = only(await board.chart("root", chart_of(split_by="provider")))
        expected: dict[int, dict[date, Decimal]] = {}
        for key, day, value in board.select(
            "provider_uid, date_index, sum(measure_value)", "root", rest="GROUP BY 1, 2"
        ):
            expected.setdefault(key, {})[day] = value
        assert [each.split for each in facet.series] == list(range(1, 701))
        for each in facet.series:
            own = expected[each.split]
            assert list(each.values) == [own.get(day) for day in keys_of(facet)]
            assert each.total == sum(own.values())
        top = only(await board.chart("root", chart_of(split_by="provider", top=40, other="rest")))
        ranked = "GROUP BY 1 ORDER BY sum(measure_value) DESC, 1 LIMIT 40"
        shown = sorted(key for (key,) in board.select("provider_uid", "root", rest=ranked))
        assert [each.split for each in top.series] == [*shown, None]
        rest = f"measure = 'Charges' AND provider_uid NOT IN ({', '.join(map(str, shown))})"
        assert [(top.series[-1].total,)] == board.select("sum(measure_value)", "root", rest)
