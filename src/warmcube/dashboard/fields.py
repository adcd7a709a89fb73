"""Every field of a dashboard's file, declared once, for the parser and the JSON schema. Pure.

The tables here become plain dicts; `warmcube.dashboard.parse` makes the definition of them.
"""

from __future__ import annotations

from typing import Final

from warmcube.dashboard.definition import (
    CALCULATIONS,
    CHART_TYPES,
    MISSING,
    STEPS,
)
from warmcube.dashboard.forms import (
    AGGREGATE,
    COLUMN,
    COMPARE,
    CONDITION,
    CURRENCY,
    DATES,
    DESCRIPTION,
    DRILL,
    FORMAT,
    FREQUENCY,
    ID,
    MEASURE,
    OTHER,
    REFERENCE,
    TARGET,
    TITLE,
    WHERE,
    Colour,
)
from warmcube.dashboard.shapes import (
    Choice,
    Field,
    Flag,
    Items,
    Named,
    Table,
    Whole,
    field_of,
)

__all__ = ["DASHBOARD", "TABLES"]

MOST_CHARTS: Final = 60
MOST_SERIES: Final = 50

_LOOK: Final[dict[str, Field]] = {
    "format": field_of(FORMAT, "how its numbers look; when absent, as the chart's"),
    "colour": field_of(Colour(), "`#rrggbb`, `#rgb` or a name; when absent, the palette's next"),
    "axis": field_of(Choice("axis", ("left", "right")), "of `dual_axis`: which; `left`"),
    "draw": field_of(
        Choice("way to draw", ("line", "bar", "area")),
        "of `dual_axis`: how; bars on the left, a line on the right",
    ),
    "hidden": field_of(Flag(), "only there for calculations or a target; false"),
}

_SERIES: Final = Table(
    noun="a series",
    fields={
        "id": field_of(ID, "what calculations call it; made of the measure or the name"),
        "name": field_of(TITLE, "what the legend calls it; the measure"),
        "measure": field_of(
            MEASURE, "which measure; only left out where the table has no measure column"
        ),
        "frequency": field_of(FREQUENCY, "which frequency; the chart's"),
        "aggregate": field_of(AGGREGATE, "over the value column; the chart's"),
        "where": field_of(WHERE, "conditions of this series alone, besides the chart's"),
        **_LOOK,
    },
)

_CALCULATION: Final = Table(
    noun="a calculation",
    fields={
        "name": field_of(TITLE, "what the legend calls it", is_required=True),
        "id": field_of(ID, "what other calculations call it; made of the name"),
        "function": field_of(Choice("calculation", CALCULATIONS), "which", is_required=True),
        "of": field_of(
            REFERENCE,
            "the id of the series that it is of; or `<id>.comparison`, the same in the compared "
            "period",
            is_required=True,
        ),
        "to": field_of(
            REFERENCE,
            "the other series of `ratio` and `difference`; or `<id>.comparison`, the same in the "
            "compared period, also for `growth`",
        ),
        "window": field_of(
            Whole(2, 1000), "of `moving_average`: over how many labels, this one included"
        ),
        **_LOOK,
        "format": field_of(FORMAT, "how its numbers look; when absent, what fits the function"),
    },
)

_SHARED: Final[dict[str, Field]] = {
    "frequency": field_of(FREQUENCY, "of series that have none of their own"),
    "aggregate": field_of(AGGREGATE, "of series that have none of their own; `sum`"),
    "format": field_of(FORMAT, "of series that have none of their own; `number`"),
    "compare": field_of(
        COMPARE,
        "with which other period: `previous_period`, `same_period_last_year`, "
        '`{ shift = "3 months" }`, or false',
    ),
    "missing": field_of(
        Choice("way to show what is missing", MISSING),
        "a date without rows between others is left out (`skip`), a `gap`, or `zero`; `skip`",
    ),
    "step": field_of(
        Choice("step", STEPS), "how far dates lie apart; told by the frequency or the dates"
    ),
    "width": field_of(Whole(1, 12), "of twelve columns; 6"),
    "height": field_of(Whole(1, 12), "in rows of the page; 2"),
}

_DEFAULTS: Final = Table(
    noun="what holds for all charts that say nothing else",
    fields={
        **_SHARED,
        "currency": field_of(CURRENCY, "of `currency` formats that name none; `USD`"),
    },
)

_CHART: Final = Table(
    noun="a chart",
    fields={
        "id": field_of(ID, "an id that no other chart of the dashboard has", is_required=True),
        "title": field_of(TITLE, "what stands above it", is_required=True),
        "type": field_of(Choice("chart type", CHART_TYPES), "how it is drawn", is_required=True),
        "description": field_of(DESCRIPTION, "what stands below the title"),
        "measure": field_of(MEASURE, "its one measure: short for `series`"),
        "measures": field_of(
            Items(of=MEASURE, noun="measures", most=MOST_SERIES),
            "its measures, a series each: short for `series`",
        ),
        "series": field_of(
            Items(of=_SERIES, noun="series", most=MOST_SERIES), "its series, in order"
        ),
        "colour": field_of(Colour(), "of `measure`: the colour"),
        "calculations": field_of(
            Items(of=_CALCULATION, noun="calculations", most=MOST_SERIES),
            "series that are computed of others, drawn after them",
        ),
        **_SHARED,
        "group_by": field_of(
            COLUMN, "the column of the labels: `date`, `practice`, `provider` or any other"
        ),
        "split_by": field_of(COLUMN, "a column each of whose values becomes a series"),
        "multiples": field_of(COLUMN, "a column each of whose values becomes a small chart"),
        "where": field_of(WHERE, "conditions on all of its series"),
        "sort": field_of(
            Choice("order", ("label", "-label", "value", "-value")),
            "of labels that are no dates: by themselves, or by the first series; `-` for "
            "descending",
        ),
        "top": field_of(
            Whole(1, 1000), "only so many labels (of dates: split series), the largest ones"
        ),
        "other": field_of(OTHER, "with `top`: put the rest together, true for the name `Other`"),
        "percent": field_of(Flag(), "of `stacked_bar`: each bar as shares of 100 %; false"),
        "dates": field_of(DATES, "a preset, or `start` and `end`, whatever the page's"),
        "target": field_of(TARGET, "of `progress`: a number, or the id of a series"),
        "drill": field_of(DRILL, "the dashboard to which a click leads; when absent, the rows"),
    },
)

DASHBOARD: Final = Table(
    noun="a dashboard",
    fields={
        "id": field_of(ID, "an id that no other dashboard has, for its address", is_required=True),
        "title": field_of(TITLE, "the title of the page", is_required=True),
        "datasource": field_of(
            Whole(0, 2**31 - 1), "the id of a configured data source", is_required=True
        ),
        "description": field_of(DESCRIPTION, "what stands below the title"),
        "roles": field_of(
            Items(of=TITLE, noun="roles", most=100),
            "for users without one of these roles it doesn't exist; when absent, for everybody",
        ),
        "dates": field_of(
            DATES,
            "what the page begins with: a preset, or `start` and `end`; `last_12_full_months`",
        ),
        "where": field_of(WHERE, "conditions on all charts, besides their own"),
        "filters": field_of(
            Items(of=COLUMN, noun="columns", most=20),
            "columns that the filter bar offers, besides organization, practices, providers and "
            "dates",
        ),
        "names": field_of(
            Named(of=COLUMN, most=20),
            'for columns of ids the columns of their names: `practice = "practice_name"`',
        ),
        "defaults": field_of(_DEFAULTS, "what holds for all charts that say nothing else"),
        "charts": field_of(
            Items(of=_CHART, noun="charts", most=MOST_CHARTS),
            "its charts, in order",
            is_required=True,
        ),
    },
)

TABLES: Final = {
    "dashboard": DASHBOARD,
    "defaults": _DEFAULTS,
    "chart": _CHART,
    "series": _SERIES,
    "calculation": _CALCULATION,
    "condition": CONDITION,
}
"""The tables of a file, by what the reference calls them."""
