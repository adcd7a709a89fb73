"""A first dashboard is right, and shows what the data are about, whatever they are called."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.dashboard.definition import Dashboard, DateRange
from warmcube.dashboard.guess import MeasureFacts, best_frequency, look_of, name_column
from warmcube.dashboard.parse import parse
from warmcube.dashboard.propose import Facts, propose
from warmcube.model.schema import Datasource, Roles

TODAY = date(2026, 3, 15)
FULL = Datasource(id=1, name="Practice analytics", source="s", table="t")
BARE = Roles(measure=None, practice=None, provider=None, frequency=None, date=None)


def proposed(facts: Facts) -> Dashboard:
    """The dashboard that is proposed."""
    name, text = propose(facts, TODAY)
    parsed = parse(tomllib.loads(text))
    assert parsed.troubles == (), text
    assert parsed.dashboard is not None
    assert parsed.dashboard.id == name
    return parsed.dashboard


MEASURES = [
    MeasureFacts(name="Visits", most=40, least=1, is_whole=True, total=900),
    MeasureFacts(name="Charges", most=4000.5, least=1, total=50_000),
    MeasureFacts(name="Payments", most=4000.5, least=1, total=30_000),
    MeasureFacts(name="Denial Rate", most=12, least=1, total=400),
]


def test_a_table_like_most() -> None:
    """Numbers, a trend, a breakdown, the largest of both kinds, rates, and a table."""
    found = proposed(
        Facts(
            datasource=FULL,
            frequency="Monthly",
            measures=MEASURES,
            kinds={"note": 5000, "region": 5, "specialty": 30},
            names={"practice": "practice_name"},
            first=date(2023, 1, 1),
            last=date(2026, 3, 1),
        )
    )
    assert (found.title, found.dates, found.filters) == (
        "Practice analytics",
        "last_12_full_months",
        ("region", "specialty"),
    )
    assert [
        (each.type, [series.measure for series in each.series], each.group_by, each.format.kind)
        for each in found.charts
    ] == [
        ("number", ["Charges"], None, "currency"),
        ("number", ["Payments"], None, "currency"),
        ("number", ["Visits"], None, "count"),
        ("number", ["Denial Rate"], None, "of_hundred"),
        ("line", ["Charges", "Payments"], "date", "currency"),
        ("doughnut", ["Charges"], "region", "currency"),
        ("horizontal_bar", ["Charges"], "practice", "currency"),
        ("horizontal_bar", ["Charges"], "provider", "currency"),
        ("line", ["Denial Rate"], "date", "of_hundred"),
        ("table", ["Charges", "Payments", "Visits", "Denial Rate"], "practice", "number"),
    ]
    assert {each.frequency for each in found.charts} == {"Monthly"}
    assert [each.comparison is not None for each in found.charts] == [True] * 4 + [False] * 6
    assert [series.aggregate for each in found.charts[:4] for series in each.series] == [
        *("sum", "sum", "sum", "avg")
    ]


def test_old_data_are_shown_for_the_year_in_which_they_end() -> None:
    """A preset would show nothing; less than two years have no year before."""
    found = proposed(
        Facts(
            datasource=FULL,
            frequency="Monthly",
            measures=MEASURES[:1],
            first=date(2024, 1, 1),
            last=date(2025, 2, 1),
            repeats=True,
        )
    )
    assert found.dates == DateRange(start=date(2024, 3, 1), end=date(2025, 2, 28))
    assert {each.comparison for each in found.charts} == {None}
    assert {(each.column, each.op) for chart in found.charts for each in chart.where} == {
        ("provider", "not_null")
    }


def test_a_table_that_is_a_value_and_a_text() -> None:
    """What has no measures is shown as one; where nothing can be told apart, a number is all."""
    datasource = Datasource(id=7, name="収入", source="s", table="t", roles=BARE)
    measure = MeasureFacts(name=None)
    with_text = Facts(datasource=datasource, frequency=None, measures=[measure], kinds={"kind": 3})
    found = proposed(with_text)
    assert found.id == "data-7"
    assert [(each.type, each.group_by, each.series[0].measure) for each in found.charts] == [
        ("number", None, None),
        ("doughnut", "kind", None),
        ("table", "kind", None),
    ]
    found = proposed(Facts(datasource=datasource, frequency=None, measures=[measure]))
    assert [each.type for each in found.charts] == ["number"]


def test_it_looks_tidy() -> None:
    """Rows of charts are full, and nobody reads the cents of millions."""
    rates = [MeasureFacts(name=name, unit="percentage", most=90) for name in ("a", "b", "c")]
    money = MeasureFacts(name="Charges", unit="currency", total=2e6)
    small = MeasureFacts(name="Fees", unit="currency", total=900)
    facts = Facts(datasource=FULL, frequency="M", measures=[money, small, *rates])
    found = proposed(facts)
    decimals = {each.title: each.format.decimals for each in found.charts[:2]}
    assert decimals == {"Charges": 0, "Fees": None}
    assert [(each.title, each.width) for each in found.charts if each.type == "line"] == [
        ("Charges and Fees over time", 12),
        ("a, b and c", 12),
    ]
    assert [each.width for each in found.charts if each.type == "number"] == [4, 4, 4]


def test_rates_alone() -> None:
    """Nothing is added up, and nothing put together as others."""
    found = proposed(Facts(datasource=FULL, frequency="M", measures=MEASURES[3:]))
    assert {series.aggregate for each in found.charts for series in each.series} == {"avg"}
    assert {each.other for each in found.charts} == {None}


_NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30
)


@given(
    st.lists(_NAMES, min_size=1, max_size=8, unique=True),
    st.dictionaries(_NAMES, st.integers(0, 50), max_size=3),
    st.sampled_from([None, "practice_name", 'a "b"\\']),
    st.booleans(),
)
def test_odd_names_make_right_files(
    names: list[str], kinds: dict[str, int], label: str | None, has_roles: bool
) -> None:
    """Whatever measures and columns are called, what is written can be read, and means them."""
    readable = {name: count for name, count in kinds.items() if name.strip() and name.isprintable()}
    roles: Any = Roles() if has_roles else Roles(practice=None, provider=None)
    datasource = Datasource(id=1, name=names[0], source="s", table="t", roles=roles)
    found = proposed(
        Facts(
            datasource=datasource,
            frequency=names[0],
            measures=[MeasureFacts(name=name) for name in names],
            kinds=readable,
            names={} if label is None else {"practice": label},
        )
    )
    shown = {series.measure for each in found.charts for series in each.series}
    assert shown
    assert shown <= set(names)


@pytest.mark.parametrize(
    ("measure", "look", "is_level"),
    [
        (MeasureFacts(name="Charges"), "currency", False),
        (MeasureFacts(name="Visits", is_whole=True), "count", False),
        (MeasureFacts(name="Weight"), "number", False),
        (MeasureFacts(name="Denial Rate", most=12), "of_hundred", True),
        (MeasureFacts(name="Denial Rate", most=0.3), "percent", True),
        (MeasureFacts(name="Days in A/R", is_whole=True), "count", True),
        (MeasureFacts(name="x", unit="currency"), "currency", False),
        (MeasureFacts(name="Charges", unit="count", is_whole=True), "count", False),
        (MeasureFacts(name="x", unit="count"), "number", False),
        (MeasureFacts(name="x", unit="percentage"), "of_hundred", True),
        (MeasureFacts(name=None), "number", False),
    ],
)
def test_what_a_measure_is_taken_for(measure: MeasureFacts, look: str, is_level: bool) -> None:
    """Its unit counts for more than its name, and that for more than its values."""
    assert (look_of(measure), measure.is_level) == (look, is_level)


def test_which_frequency_a_page_begins_with() -> None:
    """Months, else weeks, quarters, days, years; else what has most rows."""
    assert best_frequency([("Daily", 900), ("Monthly", 30), ("monthly_adj", 40)]) == "monthly_adj"
    assert best_frequency([("Daily", 900), ("Weekly", 30)]) == "Weekly"
    assert best_frequency([("x", 1), ("y", 2)]) == "y"
    assert best_frequency([]) is None


def test_which_column_has_the_names() -> None:
    """The text column that is called like the ids' column."""
    assert name_column("practice_uid", ["region", "practice_name"]) == "practice_name"
    assert name_column("providerid", ["provider"]) == "provider"
    assert name_column("provider", ["provider", "region"]) is None
