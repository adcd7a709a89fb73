"""Every field of a dashboard's file, declared once, for the parser and the JSON schema. Pure.

The tables here become plain dicts; `warmcube.dashboard.parse` makes the definition of them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from warmcube.dashboard.dates import PRESETS
from warmcube.dashboard.definition import (
    AGGREGATES,
    CALCULATIONS,
    CHART_TYPES,
    COMPARISONS,
    FORMATS,
    MISSING,
    STEPS,
    Comparison,
    DateRange,
    Drill,
    Format,
    Target,
)
from warmcube.dashboard.shapes import (
    WRONG,
    Choice,
    Day,
    Either,
    Field,
    Fields,
    Flag,
    Items,
    Key,
    Named,
    Number,
    Scalar,
    Table,
    Text,
    Whole,
    field_of,
)
from warmcube.dashboard.troubles import Place
from warmcube.model.request import OPERATORS, Filter

__all__ = ["COLOURS", "DASHBOARD", "ID_PATTERN", "MOST_CHARTS", "MOST_SERIES", "TABLES"]

MOST_CHARTS: Final = 60
MOST_SERIES: Final = 50
ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"

COLOURS: Final = {
    "blue": "#2563eb",
    "sky": "#0ea5e9",
    "teal": "#0d9488",
    "green": "#16a34a",
    "lime": "#65a30d",
    "yellow": "#ca8a04",
    "orange": "#ea580c",
    "red": "#dc2626",
    "pink": "#db2777",
    "purple": "#9333ea",
    "indigo": "#4f46e5",
    "grey": "#64748b",
}
"""Colours that can be named, dark enough on white and light enough on black."""

_ID: Final = Text(
    longest=64, pattern=ID_PATTERN, expected="an id of 1 to 64 letters, digits, - and _"
)
_REFERENCE: Final = Text(
    longest=75,
    pattern=rf"{ID_PATTERN}(?:\.comparison)?",
    expected="the id of a series, or <id>.comparison",
)
_CURRENCY: Final = Text(
    longest=3, pattern="[A-Z]{3}", expected="an ISO 4217 code of three capitals, like USD"
)
_TITLE: Final = Text()
_DESCRIPTION: Final = Text(longest=2000)
_COLUMN: Final = Text()
_MEASURE: Final = Key("measure")
_FREQUENCY: Final = Key("frequency")
_AGGREGATE: Final = Choice("aggregate", AGGREGATES)
_PRESET: Final = Choice("preset", tuple(PRESETS))


def _colour(value: str) -> str:
    value = COLOURS.get(value, value).lower()
    return value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:])


class _Colour:
    """``#rrggbb``, ``#rgb``, or one of the names."""

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, str):
            if value in COLOURS or re.fullmatch(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", value):
                return _colour(value)
            if not value.startswith("#"):
                at.unknown("colour", value, COLOURS)
                return WRONG
        at.wrong("expected a colour like #336699, or a name like blue", value=value)
        return WRONG

    def schema(self) -> dict[str, Any]:
        written = r"^#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$"
        return {"anyOf": [{"enum": list(COLOURS)}, {"type": "string", "pattern": written}]}


def _condition(fields: Fields, at: Place) -> Any:
    if WRONG in fields.values():
        return WRONG
    op, value = fields["op"], fields.get("value")
    what = None
    if op in ("is_null", "not_null"):
        what = None if value is None else f"{op} takes no value; leave it out"
    elif value is None:
        what = f"missing; {op} needs a value"
    elif op == "between":
        is_pair = isinstance(value, list) and len(value) == 2
        what = None if is_pair else "between takes a list of two values"
    elif (op in ("in", "not_in")) != isinstance(value, list):
        what = f"{op} takes {'one value' if isinstance(value, list) else 'a list of values'}"
    if what is not None:
        (at / "value").wrong(what, **({} if value is None else {"value": value}))
    if what is not None or (isinstance(value, list) and WRONG in value):
        return WRONG
    return Filter(fields["column"], op, tuple(value) if isinstance(value, list) else value)


_CONDITION_TABLE: Final = Table(
    noun="column, op and value",
    fields={
        "column": field_of(_COLUMN, "the column, by its name or its role", is_required=True),
        "op": field_of(Choice("operator", OPERATORS), "how it is compared", is_required=True),
        "value": field_of(
            Either(
                of=(Scalar(), Items(of=Scalar(), noun="values", most=1000)),
                expected="a value, or a list of values",
            ),
            "with what; a list for `in`, `not_in` and `between`, nothing for `is_null` and "
            "`not_null`",
        ),
    },
    make=_condition,
)


class _ConditionList:
    """A condition in short: ``["region", "eq", "Bay"]``."""

    def read(self, value: Any, at: Place) -> Any:
        if not isinstance(value, list) or not 2 <= len(value) <= 3:
            at.wrong('expected a condition like ["region", "eq", "Bay"]', value=value)
            return WRONG
        # The table's reader, with the positions as places.
        return _CONDITION_TABLE.read(dict(zip(("column", "op", "value"), value, strict=False)), at)

    def schema(self) -> dict[str, Any]:
        fields = _CONDITION_TABLE.fields
        return {
            "type": "array",
            "prefixItems": [fields[name].shape.schema() for name in ("column", "op", "value")],
            "minItems": 2,
            "maxItems": 3,
        }

    def takes(self, value: Any) -> bool:
        return isinstance(value, list)


_WHERE: Final = Items(
    of=Either(
        of=(_ConditionList(), _CONDITION_TABLE),
        expected='a condition like ["region", "eq", "Bay"]',
    ),
    noun="conditions",
    most=20,
)


def _format(fields: Fields, at: Place) -> Any:
    if WRONG in fields.values():
        return WRONG
    if "currency" in fields and fields["kind"] != "currency":
        (at / "currency").wrong('is for kind = "currency"; leave it out', value=fields["currency"])
        return WRONG
    return Format(**fields)


_FORMAT: Final = Either(
    of=(
        Choice("format", FORMATS),
        Table(
            noun="kind, currency and decimals",
            fields={
                "kind": field_of(Choice("format", FORMATS), "how numbers look", is_required=True),
                "currency": field_of(_CURRENCY, "of `currency`, which one"),
                "decimals": field_of(Whole(0, 10), "how many digits after the point"),
            },
            make=_format,
        ),
    ),
    expected=f"one of {', '.join(FORMATS)}, or a table of kind, currency and decimals",
    make=lambda value: value if isinstance(value, Format) else Format(kind=value),
)

_UNITS: Final = "|".join(STEPS)
_SHIFT: Final = Text(
    longest=20,
    pattern=rf"[1-9][0-9]{{0,2}} (?:{_UNITS})s?",
    expected=f"a shift like 3 months, in {', '.join(f'{step}s' for step in STEPS)}",
)


def _shift(fields: Fields, _: Place) -> Any:
    if fields["shift"] is WRONG:
        return WRONG
    count, unit = fields["shift"].split(" ")
    return Comparison(kind="shift", count=int(count), unit=unit.removesuffix("s"))


def _comparison(value: Any) -> Comparison | None:
    if isinstance(value, str):
        return Comparison(kind=value)  # type: ignore[arg-type]  # one of COMPARISONS
    return value if isinstance(value, Comparison) else None


_COMPARE: Final = Either(
    of=(
        Choice("comparison", COMPARISONS),
        Flag(only=False),
        Table(
            noun="shift",
            fields={"shift": field_of(_SHIFT, "how far back, as `3 months`", is_required=True)},
            make=_shift,
        ),
    ),
    expected=f'{" or ".join(COMPARISONS)}, a table like {{ shift = "3 months" }}, or false',
    make=_comparison,
)


def _range(fields: Fields, at: Place) -> Any:
    if WRONG in fields.values():
        return WRONG
    if fields["start"] > fields["end"]:
        (at / "start").wrong(f"is after end, {fields['end']}", value=str(fields["start"]))
        return WRONG
    return DateRange(**fields)


_DATES: Final = Either(
    of=(
        _PRESET,
        Table(
            noun="start and end",
            fields={
                "start": field_of(Day(), "the first day", is_required=True),
                "end": field_of(Day(), "the last day, inclusive", is_required=True),
            },
            make=_range,
        ),
    ),
    expected="a preset like last_12_full_months, or a table of start and end",
)


def _target_table(fields: Fields, at: Place) -> Any:
    if WRONG in fields.values():
        return WRONG
    if len(fields) != 1:
        at.wrong("expected one of value and series")
        return WRONG
    return Target(**fields)


def _target(value: Any) -> Target:
    if isinstance(value, Target):
        return value
    return Target(series=value) if isinstance(value, str) else Target(value=Decimal(value))


_TARGET: Final = Either(
    of=(
        Number(),
        _ID,
        Table(
            noun="value or series",
            fields={
                "value": field_of(Number(), "a figure"),
                "series": field_of(_ID, "the id of a series, whose total it is"),
            },
            make=_target_table,
        ),
    ),
    expected="a number, or the id of a series",
    make=_target,
)

_DRILL: Final = Either(
    of=(
        _ID,
        Table(
            noun="dashboard",
            fields={"dashboard": field_of(_ID, "the id of a dashboard", is_required=True)},
            make=lambda fields, _: fields["dashboard"],
        ),
    ),
    expected="the id of a dashboard",
    make=lambda value: Drill(dashboard=value),
)

_OTHER: Final = Either(
    of=(Flag(), _TITLE),
    expected="true, or the name of the rest",
    make=lambda value: ("Other" if value else None) if isinstance(value, bool) else value,
)

_LOOK: Final[dict[str, Field]] = {
    "format": field_of(_FORMAT, "how its numbers look; when absent, as the chart's"),
    "colour": field_of(_Colour(), "`#rrggbb`, `#rgb` or a name; when absent, the palette's next"),
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
        "id": field_of(_ID, "what calculations call it; made of the measure or the name"),
        "name": field_of(_TITLE, "what the legend calls it; the measure"),
        "measure": field_of(
            _MEASURE, "which measure; only left out where the table has no measure column"
        ),
        "frequency": field_of(_FREQUENCY, "which frequency; the chart's"),
        "aggregate": field_of(_AGGREGATE, "over the value column; the chart's"),
        "where": field_of(_WHERE, "conditions of this series alone, besides the chart's"),
        **_LOOK,
    },
)

_CALCULATION: Final = Table(
    noun="a calculation",
    fields={
        "name": field_of(_TITLE, "what the legend calls it", is_required=True),
        "id": field_of(_ID, "what other calculations call it; made of the name"),
        "function": field_of(Choice("calculation", CALCULATIONS), "which", is_required=True),
        "of": field_of(
            _REFERENCE,
            "the id of the series that it is of; or `<id>.comparison`, the same in the compared "
            "period",
            is_required=True,
        ),
        "to": field_of(
            _REFERENCE,
            "the other series of `ratio` and `difference`; or `<id>.comparison`, the same in the "
            "compared period, also for `growth`",
        ),
        "window": field_of(
            Whole(2, 1000), "of `moving_average`: over how many labels, this one included"
        ),
        **_LOOK,
        "format": field_of(_FORMAT, "how its numbers look; when absent, what fits the function"),
    },
)

_SHARED: Final[dict[str, Field]] = {
    "frequency": field_of(_FREQUENCY, "of series that have none of their own"),
    "aggregate": field_of(_AGGREGATE, "of series that have none of their own; `sum`"),
    "format": field_of(_FORMAT, "of series that have none of their own; `number`"),
    "compare": field_of(
        _COMPARE,
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
        "currency": field_of(_CURRENCY, "of `currency` formats that name none; `USD`"),
    },
)

_CHART: Final = Table(
    noun="a chart",
    fields={
        "id": field_of(_ID, "an id that no other chart of the dashboard has", is_required=True),
        "title": field_of(_TITLE, "what stands above it", is_required=True),
        "type": field_of(Choice("chart type", CHART_TYPES), "how it is drawn", is_required=True),
        "description": field_of(_DESCRIPTION, "what stands below the title"),
        "measure": field_of(_MEASURE, "its one measure: short for `series`"),
        "measures": field_of(
            Items(of=_MEASURE, noun="measures", most=MOST_SERIES),
            "its measures, a series each: short for `series`",
        ),
        "series": field_of(
            Items(of=_SERIES, noun="series", most=MOST_SERIES), "its series, in order"
        ),
        "colour": field_of(_Colour(), "of `measure`: the colour"),
        "calculations": field_of(
            Items(of=_CALCULATION, noun="calculations", most=MOST_SERIES),
            "series that are computed of others, drawn after them",
        ),
        **_SHARED,
        "group_by": field_of(
            _COLUMN, "the column of the labels: `date`, `practice`, `provider` or any other"
        ),
        "split_by": field_of(_COLUMN, "a column each of whose values becomes a series"),
        "multiples": field_of(_COLUMN, "a column each of whose values becomes a small chart"),
        "where": field_of(_WHERE, "conditions on all of its series"),
        "sort": field_of(
            Choice("order", ("label", "-label", "value", "-value")),
            "of labels that are no dates: by themselves, or by the first series; `-` for "
            "descending",
        ),
        "top": field_of(
            Whole(1, 1000), "only so many labels (of dates: split series), the largest ones"
        ),
        "other": field_of(_OTHER, "with `top`: put the rest together, true for the name `Other`"),
        "percent": field_of(Flag(), "of `stacked_bar`: each bar as shares of 100 %; false"),
        "dates": field_of(_DATES, "a preset, or `start` and `end`, whatever the page's"),
        "target": field_of(_TARGET, "of `progress`: a number, or the id of a series"),
        "drill": field_of(_DRILL, "the dashboard to which a click leads; when absent, the rows"),
    },
)

DASHBOARD: Final = Table(
    noun="a dashboard",
    fields={
        "id": field_of(_ID, "an id that no other dashboard has, for its address", is_required=True),
        "title": field_of(_TITLE, "the title of the page", is_required=True),
        "datasource": field_of(
            Whole(0, 2**31 - 1), "the id of a configured data source", is_required=True
        ),
        "description": field_of(_DESCRIPTION, "what stands below the title"),
        "roles": field_of(
            Items(of=_TITLE, noun="roles", most=100),
            "for users without one of these roles it doesn't exist; when absent, for everybody",
        ),
        "dates": field_of(
            _DATES,
            "what the page begins with: a preset, or `start` and `end`; `last_12_full_months`",
        ),
        "where": field_of(_WHERE, "conditions on all charts, besides their own"),
        "filters": field_of(
            Items(of=_COLUMN, noun="columns", most=20),
            "columns that the filter bar offers, besides organization, practices, providers and "
            "dates",
        ),
        "names": field_of(
            Named(of=_COLUMN, most=20),
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
    "condition": _CONDITION_TABLE,
}
"""The tables of a file, by what the reference calls them."""
