"""From what a file says to a `Dashboard`, or to all that is wrong with it. Pure.

Shapes are read first (`warmcube.dashboard.fields`), then what must hold between fields is checked
(`warmcube.dashboard.relations`), as far as the fields themselves could be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from warmcube.dashboard.definition import (
    Calculation,
    Chart,
    Dashboard,
    Drill,
    Format,
    MeasureSeries,
)
from warmcube.dashboard.fields import DASHBOARD
from warmcube.dashboard.relations import FIGURES, PIES, check_chart, check_ids
from warmcube.dashboard.shapes import WRONG, Fields
from warmcube.dashboard.troubles import Place, Trouble, Troubles
from warmcube.model.request import Filter

__all__ = ["Parsed", "parse"]

DEFAULT_CURRENCY: Final = "USD"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What came of a file: a dashboard, or troubles; never both."""

    dashboard: Dashboard | None
    troubles: tuple[Trouble, ...] = ()


def parse(data: Any, file: str = "dashboard") -> Parsed:
    """The dashboard that a file's data mean.

    Args:
        data: dicts, lists and plain values, as TOML or YAML gave them.
        file: how messages name the file.
    """
    troubles = Troubles(file, data)
    fields = DASHBOARD.read(data, Place(troubles))
    if fields is WRONG:
        return Parsed(None, troubles.found)
    defaults = _known(fields.get("defaults"))
    charts = fields["charts"]
    if charts is not WRONG:
        check_ids(charts, Place(troubles) / "charts")
        for position, chart in enumerate(charts):
            if chart is not WRONG:
                _spell_out(chart)
                check_chart(_with_defaults(chart, defaults), Place(troubles) / "charts" / position)
    if troubles.found:
        return Parsed(None, troubles.found)
    return Parsed(_dashboard(fields, defaults))


def _known(fields: Any) -> Fields:
    """The fields of a table that could be read."""
    if not isinstance(fields, Mapping):
        return {}
    return {name: value for name, value in fields.items() if value is not WRONG}


def _spell_out(chart: Fields) -> None:
    """Brings the short forms into the long one, and gives an id to each series without one."""
    if "series" in chart:
        given = chart["series"]
    elif "measures" in chart:
        given = chart["measures"]
        given = given if given is WRONG else [{"measure": each} for each in given]
    else:
        names = ("measure", "colour")
        given = [{name: chart[name] for name in names if name in chart}]
    series = _usable(given) if "measure" in chart or given != [{}] else []
    calculations = _usable(chart.get("calculations"))
    taken = {each["id"] for each in (*series, *calculations) if "id" in each}
    for position, each in enumerate((*series, *calculations)):
        if "id" not in each:
            each["id"] = _free_id(each, position, taken)
            taken.add(each["id"])
    chart["all_series"], chart["all_calculations"] = series, calculations


def _usable(listed: Any) -> list[Fields]:
    return [each for each in listed if each is not WRONG] if isinstance(listed, list) else []


def _free_id(fields: Fields, position: int, taken: set[Any]) -> str:
    said = next((fields[key] for key in ("measure", "name") if key in fields), "")
    text = "" if said is WRONG else str(said).lower()
    base = re.sub(r"[^a-z0-9]+", "_", text).strip("_")[:50] or f"series_{position + 1}"
    free = (f"{base}_{number}" for number in count(2))
    return base if base not in taken else next(each for each in free if each not in taken)


def _with_defaults(chart: Fields, defaults: Fields) -> Fields:
    """A chart with what the dashboard says for all of them, as far as its type can use it."""
    unused = ["currency"]
    kind = chart.get("type")
    if kind in FIGURES:
        unused.append("step")
    elif kind in PIES:
        unused.append("compare")
    elif "group_by" not in chart:
        unused.append("step")
    return {name: value for name, value in defaults.items() if name not in unused} | chart


def _dashboard(fields: Fields, defaults: Fields) -> Dashboard:
    plain = ("id", "title", "datasource", "description", "dates", "names")
    return Dashboard(
        **{name: fields[name] for name in plain if name in fields},
        roles=tuple(fields.get("roles", ())),
        filters=tuple(fields.get("filters", ())),
        charts=tuple(
            _chart(each, defaults, tuple(fields.get("where", ()))) for each in fields["charts"]
        ),
    )


def _chart(given: Fields, defaults: Fields, where: tuple[Filter, ...]) -> Chart:
    fields = _with_defaults(given, defaults)
    currency = defaults.get("currency", DEFAULT_CURRENCY)
    plain = (
        *("id", "title", "type", "description", "frequency", "group_by", "split_by", "multiples"),
        *("sort", "top", "other", "dates", "step", "missing", "target", "width", "height"),
    )
    return Chart(
        **{name: fields[name] for name in plain if name in fields},
        series=tuple(_series(each, fields, currency) for each in fields["all_series"]),
        calculations=tuple(_calculation(each, currency) for each in fields["all_calculations"]),
        where=(*where, *fields.get("where", ())),
        format=_in(currency, fields.get("format")) or Format(),
        is_percent=fields.get("percent", False),
        comparison=fields.get("compare"),
        drill=fields.get("drill", Drill()),
    )


def _series(fields: Fields, chart: Fields, currency: str) -> MeasureSeries:
    plain = ("id", "measure", "frequency", "colour", "axis", "draw")
    return MeasureSeries(
        **{name: fields[name] for name in plain if name in fields},
        name=fields.get("name") or str(fields.get("measure", fields["id"])),
        aggregate=fields.get("aggregate") or chart.get("aggregate", "sum"),
        where=tuple(fields.get("where", ())),
        format=_in(currency, fields.get("format")),
        is_hidden=fields.get("hidden", False),
    )


def _calculation(fields: Fields, currency: str) -> Calculation:
    plain = ("id", "name", "function", "of", "to", "window", "colour", "axis", "draw")
    return Calculation(
        **{name: fields[name] for name in plain if name in fields},
        format=_in(currency, fields.get("format")),
        is_hidden=fields.get("hidden", False),
    )


def _in(currency: str, format: Format | None) -> Format | None:
    """A format with the currency that it left out."""
    if format is not None and format.kind == "currency" and format.currency is None:
        return replace(format, currency=currency)
    return format
