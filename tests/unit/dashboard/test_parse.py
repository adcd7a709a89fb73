"""A file's data become a dashboard, or all that is wrong with it, each with its place."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from warmcube.dashboard.definition import (
    Calculation,
    Chart,
    Comparison,
    Dashboard,
    DateRange,
    Drill,
    Format,
    MeasureSeries,
    Target,
)
from warmcube.dashboard.parse import parse
from warmcube.model.request import Filter

CHART = {"id": "c", "title": "C", "type": "bar", "measure": "Charges", "group_by": "region"}


def page(*charts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A dashboard with these charts, or one that is right."""
    return {"id": "d", "title": "D", "datasource": 1, "charts": list(charts or [CHART]), **fields}


def chart(**fields: Any) -> dict[str, Any]:
    """A chart that is right but for these; None takes a field away."""
    return {name: value for name, value in (CHART | fields).items() if value is not None}


def wrong(data: Any) -> list[str]:
    """What is said of data, without the file's name."""
    parsed = parse(data, "f")
    assert (parsed.dashboard is None) == bool(parsed.troubles)
    return [str(trouble).removeprefix("f: ") for trouble in parsed.troubles]


def of(**fields: Any) -> Chart:
    """The chart that a right one becomes with these fields."""
    parsed = parse(page(chart(**fields)))
    assert parsed.troubles == ()
    assert parsed.dashboard is not None
    return parsed.dashboard.charts[0]


def test_a_whole_file() -> None:
    """Every field ends up where the definition has it."""
    text = """
        id = "exec"
        title = "Executive"
        datasource = 3
        description = "All"
        roles = ["boss"]
        dates = "this_year"
        filters = ["region"]
        where = [["region", "not_null"]]
        [names]
        practice = "practice_name"
        [defaults]
        frequency = "Monthly"
        aggregate = "avg"
        format = "currency"
        currency = "EUR"
        compare = "previous_period"
        missing = "gap"
        step = "month"
        width = 4
        height = 3
        [[charts]]
        id = "one"
        title = "One"
        type = "dual_axis"
        description = "Two axes"
        group_by = "date"
        split_by = "provider"
        multiples = "region"
        top = 5
        other = true
        dates = {start = 2025-01-01, end = "2025-12-31"}
        drill = "exec"
        where = [["practice", "in", [1, 2]], {column = "x", op = "between", value = [0.5, 2]}]
        [[charts.series]]
        id = "charges"
        name = "Charged"
        measure = "Charges"
        frequency = "Daily"
        aggregate = "sum"
        where = [["cases", "gt", 1]]
        format = {kind = "currency", currency = "USD", decimals = 0}
        colour = "#ABC"
        [[charts.series]]
        measure = "Payments"
        hidden = true
        [[charts.calculations]]
        name = "Rate"
        function = "ratio"
        of = "payments"
        to = "charges"
        format = "percent"
        axis = "right"
        draw = "area"
        colour = "red"
        [[charts]]
        id = "two"
        title = "Two"
        type = "progress"
        measure = 7
        target = 1.50
        compare = false
        width = 12
    """
    parsed = parse(tomllib.loads(text, parse_float=Decimal), "exec.toml")
    assert parsed.troubles == ()
    not_null = Filter("region", "not_null")
    assert parsed.dashboard == Dashboard(
        id="exec",
        title="Executive",
        datasource=3,
        description="All",
        roles=("boss",),
        dates="this_year",
        filters=("region",),
        names={"practice": "practice_name"},
        charts=(
            Chart(
                id="one",
                title="One",
                type="dual_axis",
                description="Two axes",
                series=(
                    MeasureSeries(
                        id="charges",
                        name="Charged",
                        measure="Charges",
                        frequency="Daily",
                        aggregate="sum",
                        where=(Filter("cases", "gt", 1),),
                        format=Format(kind="currency", currency="USD", decimals=0),
                        colour="#aabbcc",
                    ),
                    MeasureSeries(
                        id="payments",
                        name="Payments",
                        measure="Payments",
                        aggregate="avg",
                        is_hidden=True,
                    ),
                ),
                calculations=(
                    Calculation(
                        id="rate",
                        name="Rate",
                        function="ratio",
                        of="payments",
                        to="charges",
                        format=Format(kind="percent"),
                        axis="right",
                        draw="area",
                        colour="#dc2626",
                    ),
                ),
                frequency="Monthly",
                group_by="date",
                split_by="provider",
                multiples="region",
                where=(
                    not_null,
                    Filter("practice", "in", (1, 2)),
                    Filter("x", "between", (Decimal("0.5"), 2)),
                ),
                format=Format(kind="currency", currency="EUR"),
                top=5,
                other="Other",
                comparison=Comparison(kind="previous_period"),
                dates=DateRange(start=date(2025, 1, 1), end=date(2025, 12, 31)),
                step="month",
                missing="gap",
                drill=Drill(dashboard="exec"),
                width=4,
                height=3,
            ),
            Chart(
                id="two",
                title="Two",
                type="progress",
                series=(MeasureSeries(id="7", name="7", measure=7, aggregate="avg"),),
                frequency="Monthly",
                where=(not_null,),
                format=Format(kind="currency", currency="EUR"),
                missing="gap",
                target=Target(value=Decimal("1.50")),
                width=12,
                height=3,
            ),
        ),
    )


def test_what_is_not_said_is_as_the_definition_has_it() -> None:
    """The shortest dashboard."""
    assert parse(page()).dashboard == Dashboard(
        id="d",
        title="D",
        datasource=1,
        charts=(
            Chart(
                id="c",
                title="C",
                type="bar",
                series=(MeasureSeries(id="charges", name="Charges", measure="Charges"),),
                group_by="region",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("fields", "attribute", "meant"),
    [
        ({"format": "currency"}, "format", Format(kind="currency", currency="USD")),
        ({"format": {"kind": "count"}}, "format", Format(kind="count")),
        ({"compare": "previous_period"}, "comparison", Comparison(kind="previous_period")),
        ({"compare": False}, "comparison", None),
        (
            {"compare": {"shift": "3 months"}},
            "comparison",
            Comparison(kind="shift", count=3, unit="month"),
        ),
        (
            {"compare": {"shift": "1 year"}},
            "comparison",
            Comparison(kind="shift", count=1, unit="year"),
        ),
        ({"drill": "x"}, "drill", Drill(dashboard="x")),
        ({"drill": {"dashboard": "x"}}, "drill", Drill(dashboard="x")),
        ({"top": 3, "other": False}, "other", None),
        ({"top": 3, "other": "The rest"}, "other", "The rest"),
        ({"type": "stacked_bar", "percent": True}, "is_percent", True),
        ({"percent": False}, "is_percent", False),
        ({"dates": "yesterday"}, "dates", "yesterday"),
        (
            {"type": "progress", "group_by": None, "target": {"value": 5}},
            "target",
            Target(value=Decimal(5)),
        ),
        (
            {"where": [["a", "in", [1]], ["b", "is_null"]]},
            "where",
            (Filter("a", "in", (1,)), Filter("b", "is_null")),
        ),
        (
            {"where": [{"column": "a", "op": "eq", "value": 0.1}]},
            "where",
            (Filter("a", "eq", Decimal("0.1")),),
        ),
    ],
)
def test_short_forms(fields: dict[str, Any], attribute: str, meant: object) -> None:
    """Each means what the long one says."""
    assert getattr(of(**fields), attribute) == meant


def test_ids_of_series_are_made_of_what_they_measure() -> None:
    """Distinct ones, whatever the names; those that are given stay."""
    names = ["A/R > 90 days: {net} 100%", "A/R 90 days net 100", "収入", "Ünits"]
    found = of(measure=None, measures=names).series
    assert [each.id for each in found] == [
        "a_r_90_days_net_100",
        "a_r_90_days_net_100_2",
        "series_3",
        "nits",
    ]
    assert [each.name for each in found] == names
    found = of(
        measure=None,
        series=[{"name": "Rows"}, {"measure": "rows"}, {"id": "rows"}],
    ).series
    assert [(each.id, each.name) for each in found] == [
        ("rows_2", "Rows"),
        ("rows_3", "rows"),
        ("rows", "rows"),
    ]


def test_a_target_may_be_a_hidden_series() -> None:
    """By its id."""
    found = of(
        type="progress",
        group_by=None,
        measure=None,
        series=[{"measure": "Payments"}, {"measure": "Plan", "hidden": True}],
        target="plan",
    )
    assert found.target == Target(series="plan")


def test_defaults_hold_where_a_chart_can_use_them() -> None:
    """A pie has no comparison, a figure no step; that the defaults have them is no trouble."""
    defaults = {"compare": "previous_period", "step": "month"}
    charts = [
        chart(id="pie", type="pie"),
        chart(id="number", type="number", group_by=None),
        chart(id="table", type="table", group_by=None),
        chart(id="bar"),
    ]
    parsed = parse(page(*charts, defaults=defaults))
    assert parsed.dashboard is not None
    assert [(each.comparison is not None, each.step) for each in parsed.dashboard.charts] == [
        (False, "month"),
        (True, None),
        (True, None),
        (True, "month"),
    ]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """In one pass over the file, each with place, chart, value, what was expected, what is near."""
    data = page(
        chart(type="pi", widht=3, width=13),
        chart(id="c", top=0, format="curency"),
        chart(id="x", measure=None, series=[{"measure": "A", "colour": "bleu"}]),
        titel="x",
        datasource="1",
        dates="last_week_of_may",
    )
    assert wrong(data) == [
        "titel: unknown field; did you mean 'title'?",
        "datasource = '1': expected a whole number from 0 to 2147483647",
        ("dates = 'last_week_of_may': unknown preset; did you mean 'last_week'?"),
        "charts[0].widht (chart 'c'): unknown field; did you mean 'width'?",
        "charts[0].type (chart 'c') = 'pi': unknown chart type; did you mean 'pie'?",
        "charts[0].width (chart 'c') = 13: expected a whole number from 1 to 12",
        "charts[1].format (chart 'c') = 'curency': unknown format; did you mean 'currency'?",
        "charts[1].top (chart 'c') = 0: expected a whole number from 1 to 1000",
        ("charts[2].series[0].colour (chart 'x') = 'bleu': unknown colour; did you mean 'blue'?"),
        "charts[1].id (chart 'c') = 'c': charts[0] has this id already; give another",
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], ["expected a table: a dashboard"]),
        (None, ["expected a table: a dashboard"]),
        (
            {},
            [
                "id: missing; expected an id that no other dashboard has, for its address",
                "title: missing; expected the title of the page",
                "datasource: missing; expected the id of a configured data source",
                "charts: missing; expected its charts, in order",
            ],
        ),
        (page(charts={}), ["charts = {}: expected a list of charts"]),
        (page(charts=[]), ["charts: has 0 charts; expected 1 to 60"]),
        (page(charts=[chart()] * 61), ["charts: has 61 charts; expected 1 to 60"]),
        (page(charts=[1]), ["charts[0] = 1: expected a table: a chart"]),
        (page(title=2025), ["title = 2025: expected a text that isn't empty; put it in quotes"]),
        (page(title=[]), ["title = []: expected a text that isn't empty"]),
        (page(title=" "), ["title = ' ': expected a text that isn't empty"]),
        (page(title="x" * 201), None),
        (page(title="a\x1bb"), ["title = 'a\\x1bb': expected a text without control characters"]),
        (
            page(id="a b"),
            ["id = 'a b': expected an id of 1 to 64 letters, digits, - and _"],
        ),
        (
            page(datasource=True),
            ["datasource = True: expected a whole number from 0 to 2147483647"],
        ),
        (page(roles=[]), ["roles: has 0 roles; expected 1 to 100"]),
        (page(names=[]), ["names = []: expected a table"]),
        (page(names={"a": 1, " ": "b"}), None),
        (
            page(names={str(i): "x" for i in range(21)}),
            ["names: has 21 entries; expected at most 20"],
        ),
        (page(defaults=1), None),
        (page(dates={"start": "2025-02-30", "end": date(2025, 1, 1)}), None),
        (
            page(dates={"start": "1 May", "end": date(2025, 1, 1)}),
            ["dates.start = '1 May': expected a day like 2025-12-31"],
        ),
        (
            page(dates={"start": "2025-02-01", "end": date(2025, 1, 1)}),
            ["dates.start = '2025-02-01': is after end, 2025-01-01"],
        ),
        (page(dates=7), None),
    ],
)
def test_what_is_wrong_with_a_page(data: Any, said: list[str] | None) -> None:
    """Each wrong value is one trouble, at its place."""
    found = wrong(data)
    assert found if said is None else found == said


SERIES = [{"measure": "A"}, {"measure": "B"}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"measure": None}, ": has no measure; expected one of measure, measures and series"),
        ({"measures": ["A"]}, ".measures: stands beside measure; give one of them"),
        ({"measure": None, "series": 1}, ".series = 1: expected a list of series"),
        ({"measure": None, "measures": 1}, ".measures = 1: expected a list of measures"),
        ({"measure": True}, None),
        (
            {"measure": ""},
            (
                ".measure = '': expected a measure: a text of 1 to 1000 characters, or a whole "
                "number"
            ),
        ),
        (
            {"measure": None, "measures": ["A"] * 51},
            ".measures: has 51 measures; expected 1 to 50",
        ),
        (
            {"measure": None, "series": SERIES, "colour": "blue"},
            ".colour: is for measure; give each of the series its own",
        ),
        ({"colour": "#12345"}, None),
        ({"colour": 5}, ".colour = 5: expected a colour like #336699, or a name like blue"),
        ({"group_by": None}, ".group_by: missing; a bar needs the column of its labels, like date"),
        (
            {"group_by": None, "type": "table", "sort": "value"},
            ".sort: is for a chart with labels; give group_by too",
        ),
        (
            {"type": "number"},
            ".group_by: a number is one figure; leave it out, or choose another type",
        ),
        (
            {"type": "number", "group_by": None, "multiples": "region"},
            ".multiples: a number is one figure; leave it out, or choose another type",
        ),
        (
            {"type": "number", "group_by": None, "top": 3},
            ".top: a number is one figure; leave it out, or choose another type",
        ),
        (
            {"split_by": "region"},
            ".split_by = 'region': is the same column as group_by; name another",
        ),
        ({"group_by": "date", "sort": "value"}, None),
        (
            {"group_by": "date", "top": 3},
            ".top: of dates there is no top; leave it out, or give split_by",
        ),
        (
            {"type": "pie", "split_by": "x"},
            ".split_by: a pie has one series; leave it out, or choose bars",
        ),
        (
            {"type": "doughnut", "compare": "previous_period"},
            ".compare: a doughnut can't show another period; choose bars, or leave it out",
        ),
        (
            {"type": "pie", "measure": None, "series": SERIES},
            ": a pie shows one series, and there are 2; hide the others, or choose bars",
        ),
        (
            {"type": "table", "multiples": "x"},
            ".multiples: a table has no small multiples; leave it out",
        ),
        ({"percent": True}, ".percent: is for stacked_bar; this chart is a bar"),
        ({"target": 3}, ".target: is for progress; this chart is a bar"),
        (
            {"type": "progress", "group_by": None},
            ".target: missing; a progress needs a target: a number or a series' id",
        ),
        (
            {"type": "progress", "group_by": None, "target": "plan"},
            ".target = 'plan': there is no such series; expected one of charges",
        ),
        (
            {"type": "progress", "group_by": None, "target": "charges"},
            ".target = 'charges': is the series that is shown; name a hidden one",
        ),
        (
            {"type": "progress", "group_by": None, "target": {"value": 1, "series": "a"}},
            ".target: expected one of value and series",
        ),
        ({"type": "progress", "group_by": None, "target": Decimal("NaN")}, None),
        ({"type": "progress", "group_by": None, "target": {"value": "x"}}, None),
        ({"type": "progress", "group_by": None, "target": []}, None),
        (
            {"other": True},
            ".other: is for the rest beyond top, which is missing; give top, or leave it",
        ),
        ({"other": 1}, ".other = 1: expected true, or the name of the rest"),
        (
            {"measure": None, "series": [{"measure": "A", "hidden": True}]},
            ": has only hidden series; show one of them",
        ),
        (
            {"measure": None, "series": [{"measure": "A", "axis": "right"}]},
            ".series[0].axis: is for dual_axis; this chart is a bar",
        ),
        (
            {"type": "dual_axis"},
            ': a dual_axis needs a series on each axis; give one of them axis = "right"',
        ),
        (
            {"type": "dual_axis", "measure": None, "series": [{"measure": "A", "axis": "right"}]},
            ': a dual_axis needs a series on each axis; give one of them axis = "left"',
        ),
        (
            {"type": "dual_axis", "measure": None, "series": [{"measure": "A", "axis": "up"}]},
            None,
        ),
        (
            {"measure": None, "series": [{"measure": "A", "id": "x"}, {"measure": "B", "id": "x"}]},
            ".series[1].id = 'x': another series of this chart has this id; give another",
        ),
        ({"measure": None, "series": [{"measure": "A", "id": "x.comparison"}]}, None),
        ({"format": {"kind": "count", "currency": "EUR"}}, None),
        ({"format": {"kind": "x"}}, None),
        (
            {"format": {"kind": "currency", "currency": "euro"}},
            (".format.currency = 'euro': expected an ISO 4217 code of three capitals, like USD"),
        ),
        ({"compare": True}, ".compare = True: expected false"),
        ({"compare": {"shift": "three months"}}, None),
        ({"compare": {"shift": "0 months"}}, None),
        ({"compare": 3}, None),
        ({"drill": 3}, ".drill = 3: expected the id of a dashboard"),
        ({"where": ["x"]}, '.where[0] = \'x\': expected a condition like ["region", "eq", "Bay"]'),
        ({"where": [["x"]]}, None),
        ({"where": [["x", "is"]]}, None),
        ({"where": [["x", "eq"]]}, ".where[0].value: missing; eq needs a value"),
        (
            {"where": [["x", "is_null", 1]]},
            ".where[0].value = 1: is_null takes no value; leave it out",
        ),
        ({"where": [["x", "in", 1]]}, ".where[0].value = 1: in takes a list of values"),
        ({"where": [["x", "eq", [1]]]}, ".where[0].value = [1]: eq takes one value"),
        ({"where": [["x", "between", [1]]]}, None),
        ({"where": [["x", "in", [1, {}]]]}, None),
        ({"where": [["x", "eq", {}]]}, None),
        ({"where": [["x", "eq", "y" * 1001]]}, None),
        ({"where": [["x", "eq", Decimal("Infinity")]]}, None),
        ({"where": [["x", "eq", 10**39]]}, None),
    ],
)
def test_what_is_wrong_with_a_chart(fields: dict[str, Any], said: str | None) -> None:
    """What doesn't fit together is one trouble, that says what would."""
    found = wrong(page(chart(**fields)))
    assert len(found) == 1
    if said is not None:
        assert found[0].replace(" (chart 'c')", "") == f"charts[0]{said}"


RATIO = {"name": "R", "function": "ratio", "of": "a", "to": "b"}


@pytest.mark.parametrize(
    ("calculation", "fields", "said"),
    [
        ({"to": None}, {}, "to: missing; a ratio needs the other series"),
        ({"to": "bb"}, {}, "to = 'bb': there is no such series; did you mean 'b'?"),
        ({"of": "x"}, {}, "of = 'x': there is no such series; expected one of a, b, r"),
        ({"of": "r"}, {}, "of = 'r': leads back to this calculation itself; break the circle"),
        ({"function": "sum"}, {}, None),
        ({"function": "share"}, {}, "to = 'b': is for ratio, difference, growth; this is a share"),
        (
            {"function": "moving_average", "to": None},
            {},
            "window: missing; expected over how many labels the average is",
        ),
        ({"window": 3}, {}, "window: is for moving_average; this is a ratio"),
        (
            {"to": "a.comparison"},
            {},
            "to = 'a.comparison': there is no compared period; give the chart compare",
        ),
        (
            {"of": "a.comparison"},
            {"compare": False},
            "of = 'a.comparison': there is no compared period; give the chart compare",
        ),
        (
            {"function": "growth"},
            {"compare": "previous_period"},
            (
                "to = 'b': growth is against the label before, or against the compared period; "
                "leave it out, or give a.comparison"
            ),
        ),
        (
            {"to": "r.comparison"},
            {"compare": "previous_period"},
            "to = 'r.comparison': only a measure has a compared period, not a calculation",
        ),
        ({"function": 1, "of": 2, "to": 3}, {}, None),
        ({"name": 1}, {}, None),
    ],
)
def test_what_is_wrong_with_a_calculation(
    calculation: dict[str, Any], fields: dict[str, Any], said: str | None
) -> None:
    """Its series, its function, and what the function needs."""
    given = {name: value for name, value in (RATIO | calculation).items() if value is not None}
    series = [{"id": "a", "measure": "A"}, {"id": "b", "measure": "B"}]
    found = wrong(page(chart(measure=None, series=series, calculations=[given], **fields)))
    assert found
    if said is not None:
        assert [each.replace(" (chart 'c')", "") for each in found] == [
            f"charts[0].calculations[0].{said}"
        ]


@pytest.mark.parametrize("function", ["share", "running_total", "variance_from_average", "growth"])
def test_figures_have_no_labels_to_calculate_over(function: str) -> None:
    """What goes over labels needs some."""
    series = [{"id": "a", "measure": "A", "hidden": True}]
    calculation = {"name": "R", "function": function, "of": "a"}
    data = chart(
        type="number", group_by=None, measure=None, series=series, calculations=[calculation]
    )
    assert wrong(page(data)) == [
        (
            f"charts[0].calculations[0].function (chart 'c') = {function!r}: goes over labels, and "
            "this chart has none; choose another type"
        )
    ]


def test_calculations_may_be_of_calculations_and_of_the_compared_period() -> None:
    """In any order, as long as there is no circle."""
    found = of(
        compare="previous_period",
        calculations=[
            {"name": "Twice", "function": "difference", "of": "rate", "to": "before"},
            {"name": "Rate", "function": "growth", "of": "charges", "to": "charges.comparison"},
            {"name": "Before", "function": "ratio", "of": "charges.comparison", "to": "charges"},
        ],
    )
    assert [(each.id, each.of, each.to) for each in found.calculations] == [
        ("twice", "rate", "before"),
        ("rate", "charges", "charges.comparison"),
        ("before", "charges.comparison", "charges"),
    ]


def test_a_circle_of_three_is_found_at_each_of_them() -> None:
    """So that whoever breaks it sees all of it."""
    circle = [
        {"name": name, "function": "difference", "of": of, "to": "charges"}
        for name, of in (("x", "y"), ("y", "z"), ("z", "x"))
    ]
    assert wrong(page(chart(calculations=circle))) == [
        (
            f"charts[0].calculations[{position}].of (chart 'c') = {of!r}: leads back to this "
            "calculation itself; break the circle"
        )
        for position, of in enumerate("yzx")
    ]


def test_troubles_name_a_chart_only_by_an_id_that_can_be_shown() -> None:
    """A chart without a proper id is told by its position."""
    for given in (5, "x" * 65, None):
        found = parse(page(chart(id=given, width=0))).troubles
        assert {each.chart for each in found} == {None}
