"""A dashboard is held against what its data source has."""

from __future__ import annotations

from typing import Any

import pytest

from warmcube.dashboard.against import check_contents, check_roles
from warmcube.dashboard.parse import parse
from warmcube.entry.keys import PartitionName
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Roles, Schema
from warmcube.query.contents import Contents

SCHEMA = Schema(
    tuple(
        Column(name, ColumnType(kind))
        for name, kind in (
            ("measure", Kind.TEXT),
            ("practice_uid", Kind.INTEGER),
            ("provider_uid", Kind.INTEGER),
            ("frequency", Kind.TEXT),
            ("date_index", Kind.DATE),
            ("measure_value", Kind.BIGINT),
            ("region", Kind.TEXT),
        )
    )
)
ROWS = {
    PartitionName("Charges", "Monthly"): 5,
    PartitionName("Charges", "Daily"): 5,
    PartitionName("Visits", "Monthly"): 5,
    PartitionName(None, "Monthly"): 5,
}
FULL = Datasource(id=1, name="D", source="s", table="t")
CHART = {
    "id": "c",
    "title": "C",
    "type": "bar",
    "measure": "Charges",
    "frequency": "Monthly",
    "group_by": "region",
}


def said(fields: dict[str, Any], datasource: Datasource = FULL, **page: Any) -> list[str]:
    """What is said of a right chart with these fields; None takes one away."""
    chart = {name: value for name, value in (CHART | fields).items() if value is not None}
    data = {"id": "d", "title": "D", "datasource": 1, "charts": [chart], **page}
    parsed = parse(data, "f")
    assert parsed.dashboard is not None, parsed.troubles
    on = Contents(schema=SCHEMA, rows=ROWS, is_live=True)
    troubles = check_contents(parsed.dashboard, data, "f", datasource, on)
    return [str(each).removeprefix("f: ").replace(" (chart 'c')", "") for each in troubles]


def test_what_is_there_is_right() -> None:
    """Columns by name or role, measures with their frequencies, values of their columns' types."""
    assert (
        said(
            {
                "measure": None,
                "series": [
                    {"measure": "Charges", "frequency": "Daily", "where": [["region", "is_null"]]},
                    {"measure": "Visits"},
                ],
                "split_by": "provider",
                "multiples": "practice_uid",
                "dates": "last_year",
                "compare": "previous_period",
                "where": [["date", "gte", "2025-01-01"], ["practice", "in", [1, "2"]]],
            },
            filters=["region"],
            names={"practice": "region"},
            where=[["provider", "not_null"]],
        )
        == []
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"measure": "Charge"},
            (
                "charts[0].measure = 'Charge': the data source has no such measure; did you mean "
                "'Charges'?"
            ),
        ),
        (
            {"measure": None, "measures": ["Charges", "Visit"]},
            (
                "charts[0].measures[1] = 'Visit': the data source has no such measure; did you "
                "mean 'Visits'?"
            ),
        ),
        (
            {"measure": None, "series": [{"name": "x"}]},
            (
                "charts[0].series[0].measure: missing; the data source has several; expected one "
                "of Charges, Visits"
            ),
        ),
        (
            {"measure": "Visits", "frequency": "Daily"},
            (
                "charts[0].frequency = 'Daily': Visits has no such frequency; expected one of "
                "Monthly"
            ),
        ),
        (
            {"measure": None, "series": [{"measure": "Visits", "frequency": "Daily"}]},
            (
                "charts[0].series[0].frequency = 'Daily': Visits has no such frequency; expected "
                "one of Monthly"
            ),
        ),
        (
            {"frequency": None},
            (
                "charts[0].frequency: missing; the data source has several; expected one of Daily, "
                "Monthly"
            ),
        ),
        (
            {"group_by": "regoin"},
            (
                "charts[0].group_by = 'regoin': the data source has no such column; did you mean "
                "'region'?"
            ),
        ),
        (
            {"group_by": "practice", "split_by": "practice_uid"},
            "charts[0].split_by = 'practice_uid': is the same column as group_by",
        ),
        (
            {"where": [["practice", "eq", "Bay"]]},
            (
                "charts[0].where[0].value: column \"practice_uid\" is integer, and 'Bay' can't be "
                "read as such (not a number); give a number, or its text"
            ),
        ),
        (
            {"where": [["x", "like", "Bay"]]},
            (
                "charts[0].where[0].column = 'x': the data source has no such column; expected one "
                "of date_index, frequency, measure, measure_value, practice_uid, provider_uid, "
                "region"
            ),
        ),
    ],
)
def test_what_is_not_there_is_said_where_it_is_written(
    fields: dict[str, Any], expected: str
) -> None:
    """In the series, the chart, or its short forms."""
    assert said(fields) == [expected]


def test_the_page_and_its_defaults_have_places_too() -> None:
    """Where a chart gets its frequency from, and what the page itself names."""
    assert said(
        {"frequency": None},
        defaults={"frequency": "Yearly"},
        filters=["regions"],
        names={"practice": "label"},
        where=[["practice", "eq", "x"]],
    ) == [
        (
            "where[0].value: column \"practice_uid\" is integer, and 'x' can't be read as such "
            "(not a number); give a number, or its text"
        ),
        "filters[0] = 'regions': the data source has no such column; did you mean 'region'?",
        (
            "names.practice = 'label': the data source has no such column; expected one of "
            "date_index, frequency, measure, measure_value, practice_uid, provider_uid, region"
        ),
        (
            "defaults.frequency = 'Yearly': the data source has no such frequency; expected one of "
            "Daily, Monthly"
        ),
    ]


def test_a_table_that_lacks_roles() -> None:
    """No measures to name, no dates to choose, nothing but rows to count."""
    bare = Datasource(
        id=1,
        name="D",
        source="s",
        table="t",
        roles=Roles(measure=None, frequency=None, date=None, value=None),
    )
    counted = {"measure": None, "series": [{"name": "Rows", "aggregate": "count"}]}
    assert said({"frequency": None, **counted}, bare) == []
    assert said({"dates": "today", "compare": "previous_period"}, bare) == [
        "charts[0].dates: the data source has no date column; leave it out",
        "charts[0].compare: the data source has no date column; leave it out",
        "charts[0].measure = 'Charges': the data source has no measure column; leave it out",
        "charts[0].frequency = 'Monthly': the data source has no frequency column; leave it out",
        (
            "charts[0].aggregate = 'sum': the data source has no value column; only \"count\" can "
            "be shown"
        ),
    ]


def test_roles_that_the_directory_does_not_have() -> None:
    """Nobody would ever see such a dashboard."""
    data = {"id": "d", "title": "D", "datasource": 1, "charts": [CHART], "roles": ["boss", "bos"]}
    parsed = parse(data, "f")
    assert parsed.dashboard is not None
    assert [str(each) for each in check_roles(parsed.dashboard, data, "f", ["boss"])] == [
        "f: roles[1] = 'bos': the directory has no such role; did you mean 'boss'?"
    ]
