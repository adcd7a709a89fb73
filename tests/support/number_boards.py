"""Random dashboards, as their files say them, and random filters; made from a seed."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any, Final

from tests.support.number_tables import MEASURES, STEPS, World

__all__ = ["Definition", "random_chart", "random_dashboard", "random_filters"]

Definition = dict[str, Any]

AGGREGATES: Final = ("sum", "avg", "count", "min", "max")
COLUMNS: Final = (
    *("practice", "provider", "region", "grade", "size", "flag", "joined"),
    *("practice_name", "provider_uid"),
)
TYPES: Final = (
    *("line", "area", "bar", "horizontal_bar", "stacked_bar", "pie", "doughnut"),
    *("number", "progress", "table", "dual_axis"),
)
_OF_FIGURES: Final = ("ratio", "difference")
_OVER_LABELS: Final = (
    *("ratio", "difference", "growth", "growth", "share"),
    *("moving_average", "running_total", "variance_from_average"),
)
_FIGURES: Final = ("number", "progress")
_PIES: Final = ("pie", "doughnut")


def random_dashboard(random: Random, charts: int) -> Definition:
    """One of several charts."""
    found: Definition = {
        "id": "random",
        "title": "Random",
        "datasource": 1,
        "dates": "all",
        "charts": [random_chart(random, f"chart-{number}") for number in range(charts)],
    }
    if random.random() < 0.5:
        found["names"] = {"practice": "practice_name", "provider_uid": "provider_name"}
    if random.random() < 0.2:
        found["where"] = [_condition(random)]
    return found


def random_chart(random: Random, id: str) -> Definition:
    """One that the reference allows."""
    kind = random.choice(TYPES)
    frequency = random.choice(tuple(STEPS))
    chart: Definition = {"id": id, "title": id.title(), "type": kind, "frequency": frequency}
    chart |= _columns(random, kind) | _dates(random, kind)
    if "group_by" in chart:
        if frequency == "Month ends" or random.random() < 0.5:
            chart["step"] = STEPS[frequency]
        chart["missing"] = random.choice(("skip", "gap", "zero"))
    if random.random() < 0.2:
        chart["where"] = [_condition(random)]
    chart["series"] = _series(random, kind)
    if random.random() < 0.2:
        for each in chart["series"]:
            each["frequency"] = frequency
        del chart["frequency"]
    calculations = _calculations(random, chart)
    if calculations:
        chart["calculations"] = calculations
    if kind == "dual_axis":
        chart["series"][0]["axis"] = "right"
    return chart | _own_fields(random, chart)


def _own_fields(random: Random, chart: Definition) -> Definition:
    """What only one type of chart has."""
    if chart["type"] == "stacked_bar":
        return {"percent": random.random() < 0.5}
    if chart["type"] == "progress":
        hidden = [each["id"] for each in chart["series"] if each.get("hidden")]
        return {"target": random.choice([0, 12.5, *hidden])}
    return {}


def _dates(random: Random, kind: str) -> Definition:
    if kind not in _PIES and random.random() < 0.5:
        shift = random.choice(("3 months", "1 month", "2 weeks", "10 days", "1 year"))
        compare = ("previous_period", "same_period_last_year", {"shift": shift})
        return {"compare": random.choice(compare), "dates": _period(random)}
    return {"dates": _period(random)} if random.random() < 0.3 else {}


def _columns(random: Random, kind: str) -> Definition:
    if kind in _FIGURES or (kind == "table" and random.random() < 0.2):
        return {}
    columns = random.sample(COLUMNS, 3)
    if {"provider", "provider_uid"} <= set(columns):
        columns.remove("provider_uid")
        columns.append("region" if "region" not in columns else "flag")
    is_dated = random.random() < 0.5
    found: Definition = {"group_by": "date" if is_dated else columns[0]}
    if kind not in _PIES and random.random() < 0.5:
        found["split_by"] = columns[1]
    if kind != "table" and random.random() < 0.25:
        found["multiples"] = columns[2]
    if not is_dated and columns[0] != "joined":
        if random.random() < 0.7:
            found["sort"] = random.choice(("label", "-label", "value", "-value"))
        if random.random() < 0.5:
            found["top"] = random.randint(1, 6)
    elif is_dated and "split_by" in found and random.random() < 0.5:
        found["top"] = random.randint(1, 4)
    if "top" in found and random.random() < 0.6:
        found["other"] = random.choice((True, "all others"))
    return found


def _series(random: Random, kind: str) -> list[Definition]:
    count = random.randint(1, 3) if kind != "dual_axis" else random.randint(2, 3)
    found = []
    for number in range(count):
        each: Definition = {
            "id": f"s{number}",
            "name": f"Series {number}",
            "measure": random.choice((*MEASURES, MEASURES[0], "No such measure"))
            if random.random() < 0.9
            else MEASURES[1],
            "aggregate": random.choice(AGGREGATES),
        }
        if random.random() < 0.2:
            each["where"] = [_condition(random)]
        if number and kind in (*_FIGURES, *_PIES):
            each["hidden"] = True
        found.append(each)
    return found


def _calculations(random: Random, chart: Definition) -> list[Definition]:
    is_compared = "compare" in chart
    measured = [each["id"] for each in chart["series"]]
    compared = [f"{each}.comparison" for each in measured] if is_compared else []
    has_labels = chart["type"] not in _FIGURES
    known = [*measured, *compared]
    found: list[Definition] = []
    for number in range(random.choice((0, 0, 1, 2, 4))):
        function = random.choice(_OVER_LABELS if has_labels else _OF_FIGURES)
        each: Definition = {
            "id": f"c{number}",
            "name": f"Calculation {number}",
            "function": function,
            "of": random.choice(known),
        }
        if function in ("ratio", "difference"):
            each["to"] = random.choice(known)
        if function == "growth" and is_compared and random.random() < 0.6:
            each |= {"of": measured[0], "to": f"{measured[0]}.comparison"}
        if function == "moving_average":
            each["window"] = random.randint(2, 5)
        if chart["type"] in (*_FIGURES, *_PIES) or random.random() < 0.15:
            each["hidden"] = True
        found.append(each)
        known.append(each["id"])
    random.shuffle(found)
    return found


def _period(random: Random) -> Definition:
    whole = random.random() < 0.6
    year, month = random.choice((2023, 2024, 2024)), random.randint(1, 12)
    first = date(year, month, 1)
    if not whole:
        first = date(2024, 1, 15) + timedelta(days=random.randint(-50, 50))
        if random.random() < 0.15:
            first = date(2024, 2, 29)
        return {"start": first, "end": first + timedelta(days=random.choice((0, 6, 13, 40, 365)))}
    months = random.choice((1, 3, 6, 12))
    place = year * 12 + month - 1 + months
    return {"start": first, "end": date(place // 12, place % 12 + 1, 1) - timedelta(days=1)}


def _condition(random: Random) -> Definition:
    column, op, value = random.choice(
        (
            ("region", "in", ["Bay", "", "Coast"]),
            ("region", "eq", ""),
            ("region", "is_null", None),
            ("measure_value", "gt", 0),
            ("measure_value", "not_null", None),
            ("provider", "not_null", None),
            ("flag", "eq", True),
            ("size", "lte", 1.5),
            ("grade", "neq", 0.5),
        )
    )
    return {"column": column, "op": op} | ({} if value is None else {"value": value})


def random_filters(random: Random, world: World) -> Definition:
    """What a page may be narrowed by."""
    found: Definition = {}
    if random.random() < 0.4:
        period = _period(random)
        found["start"] = period["start"].isoformat()
        if random.random() < 0.8:
            found["end"] = period["end"].isoformat()
    if random.random() < 0.2:
        found["organization"] = random.choice(("north", "north-east"))
    if random.random() < 0.3:
        found["practices"] = random.sample(world.practices, random.randint(0, 5))
    if random.random() < 0.2:
        found["providers"] = random.sample(world.providers, random.randint(0, 4))
    if random.random() < 0.3:
        column, values = random.choice(
            (
                ("region", ["Bay", None]),
                ("region", [None]),
                ("region", []),
                ("region", ["", "other"]),
                ("flag", [True, None]),
                ("size", ["1.50", "10.25"]),
            )
        )
        found["where"] = {column: values}
    return found
