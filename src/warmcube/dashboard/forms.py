"""The values of a dashboard's fields that have a form of their own, or several. Pure.

Short forms are brought into the one that the definition has.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from warmcube.dashboard.dates import PRESETS
from warmcube.dashboard.definition import (
    AGGREGATES,
    COMPARISONS,
    FORMATS,
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
    Fields,
    Flag,
    Items,
    Key,
    Number,
    Scalar,
    Table,
    Text,
    Whole,
    field_of,
)
from warmcube.dashboard.troubles import Place
from warmcube.model.request import OPERATORS, Filter

__all__ = [
    "AGGREGATE",
    "COLOURS",
    "COLUMN",
    "COMPARE",
    "CONDITION",
    "CURRENCY",
    "DATES",
    "DESCRIPTION",
    "DRILL",
    "FORMAT",
    "FREQUENCY",
    "ID",
    "MEASURE",
    "OTHER",
    "REFERENCE",
    "TARGET",
    "TITLE",
    "WHERE",
    "Colour",
]

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

ID: Final = Text(
    longest=64, pattern=ID_PATTERN, expected="an id of 1 to 64 letters, digits, - and _"
)
REFERENCE: Final = Text(
    longest=75,
    pattern=rf"{ID_PATTERN}(?:\.comparison)?",
    expected="the id of a series, or <id>.comparison",
)
CURRENCY: Final = Text(
    longest=3, pattern="[A-Z]{3}", expected="an ISO 4217 code of three capitals, like USD"
)
TITLE: Final = Text()
DESCRIPTION: Final = Text(longest=2000)
COLUMN: Final = Text()
MEASURE: Final = Key("measure")
FREQUENCY: Final = Key("frequency")
AGGREGATE: Final = Choice("aggregate", AGGREGATES)
_PRESET: Final = Choice("preset", tuple(PRESETS))


def _colour(value: str) -> str:
    value = COLOURS.get(value, value).lower()
    return value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:])


class Colour:
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


CONDITION: Final = Table(
    noun="column, op and value",
    fields={
        "column": field_of(COLUMN, "the column, by its name or its role", is_required=True),
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
        return CONDITION.read(dict(zip(("column", "op", "value"), value, strict=False)), at)

    def schema(self) -> dict[str, Any]:
        fields = CONDITION.fields
        return {
            "type": "array",
            "prefixItems": [fields[name].shape.schema() for name in ("column", "op", "value")],
            "minItems": 2,
            "maxItems": 3,
        }

    def takes(self, value: Any) -> bool:
        return isinstance(value, list)


WHERE: Final = Items(
    of=Either(
        of=(_ConditionList(), CONDITION),
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


FORMAT: Final = Either(
    of=(
        Choice("format", FORMATS),
        Table(
            noun="kind, currency and decimals",
            fields={
                "kind": field_of(Choice("format", FORMATS), "how numbers look", is_required=True),
                "currency": field_of(CURRENCY, "of `currency`, which one"),
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


COMPARE: Final = Either(
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


DATES: Final = Either(
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


TARGET: Final = Either(
    of=(
        Number(),
        ID,
        Table(
            noun="value or series",
            fields={
                "value": field_of(Number(), "a figure"),
                "series": field_of(ID, "the id of a series, whose total it is"),
            },
            make=_target_table,
        ),
    ),
    expected="a number, or the id of a series",
    make=_target,
)

DRILL: Final = Either(
    of=(
        ID,
        Table(
            noun="dashboard",
            fields={"dashboard": field_of(ID, "the id of a dashboard", is_required=True)},
            make=lambda fields, _: fields["dashboard"],
        ),
    ),
    expected="the id of a dashboard",
    make=lambda value: Drill(dashboard=value),
)

OTHER: Final = Either(
    of=(Flag(), TITLE),
    expected="true, or the name of the rest",
    make=lambda value: ("Other" if value else None) if isinstance(value, bool) else value,
)
