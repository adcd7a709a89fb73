"""Where series of a chart name others: that these are there, and nothing goes in circles. Pure.

Like all checks between fields, these go as far as the fields could be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from warmcube.config.problems import nearest
from warmcube.dashboard.shapes import WRONG, Fields
from warmcube.dashboard.troubles import Place

__all__ = ["check_references", "members", "value_of"]

_OVER_LABELS: Final = ("share", "moving_average", "running_total", "variance_from_average")
_WITH_OTHER: Final = ("ratio", "difference", "growth")


def value_of(fields: Fields, name: str) -> Any:
    """A field's value; None where it isn't there, or can't be used."""
    value = fields.get(name)
    return None if value is WRONG else value


def members(chart: Fields, at: Place) -> Iterator[tuple[Fields, Place]]:
    """Each series and calculation that is written out, with its place."""
    for name in ("series", "calculations"):
        listed = chart.get(name)
        for position, each in enumerate(listed if isinstance(listed, list) else ()):
            if each is not WRONG:
                yield each, at / name / position


@dataclass(frozen=True, slots=True)
class _Chart:
    """What calculations of a chart may refer to."""

    measured: dict[str, Fields]
    computed: dict[str, Fields]
    is_compared: bool
    has_labels: bool

    @property
    def known(self) -> dict[str, Fields]:
        return self.measured | self.computed

    def missing(self, reference: str) -> str | None:
        """Why there is nothing of this name; None where there is."""
        series, dot, _ = reference.partition(".")
        if series not in self.known:
            return f"there is no such series{nearest(series, self.known)}"
        if dot and series not in self.measured:
            return "only a measure has a compared period, not a calculation"
        if dot and not self.is_compared:
            return "there is no compared period; give the chart compare"
        return None


def check_references(chart: Fields, at: Place, *, has_labels: bool) -> None:
    """Notes what is wrong with ids, calculations and the target.

    Args:
        chart: its fields, the series in their long form.
        at: where it is.
        has_labels: whether its type has labels.
    """
    around = _Chart(
        measured=_by_id(chart["all_series"]),
        computed=_by_id(chart["all_calculations"]),
        is_compared=chart.get("compare") is not None,
        has_labels=has_labels,
    )
    seen: set[str] = set()
    for each, place in members(chart, at):
        own = value_of(each, "id")
        if own is not None and own in seen:
            (place / "id").wrong(
                "another series of this chart has this id; give another", value=own
            )
        seen.add(own)
        if "function" in each:
            _check_calculation(each, around, place)
    _check_target(chart, around, at)


def _by_id(series: list[Fields]) -> dict[str, Fields]:
    return {each["id"]: each for each in series if each["id"] is not WRONG}


def _check_calculation(fields: Fields, around: _Chart, at: Place) -> None:
    function, of = value_of(fields, "function"), value_of(fields, "of")
    if of is not None and (what := around.missing(of)) is not None:
        (at / "of").wrong(what, value=of)
    if function is None:
        return
    if function == "moving_average" and "window" not in fields:
        (at / "window").wrong("missing; expected over how many labels the average is")
    if function != "moving_average" and "window" in fields:
        (at / "window").wrong(f"is for moving_average; this is a {function}")
    if function in ("ratio", "difference") and "to" not in fields:
        (at / "to").wrong(f"missing; a {function} needs the other series")
    if value_of(fields, "to") is not None:
        _check_other(fields, around, at)
    needs_labels = function in _OVER_LABELS or (function == "growth" and "to" not in fields)
    if needs_labels and not around.has_labels:
        (at / "function").wrong(
            "goes over labels, and this chart has none; choose another type", value=function
        )
    if _leads_back(fields, around.computed):
        (at / "of").wrong("leads back to this calculation itself; break the circle", value=of)


def _check_other(fields: Fields, around: _Chart, at: Place) -> None:
    """The other series of a calculation, or a series' compared period."""
    function, of, to = (value_of(fields, name) for name in ("function", "of", "to"))
    what: str | None
    if function not in _WITH_OTHER:
        what = f"is for {', '.join(_WITH_OTHER)}; this is a {function}"
    elif function == "growth" and of is not None and to != f"{of}.comparison":
        what = (
            "growth is against the label before, or against the compared period; leave it out, or "
            f"give {of}.comparison"
        )
    else:
        what = around.missing(to)
    if what is not None:
        (at / "to").wrong(what, value=to)


def _leads_back(fields: Fields, computed: dict[str, Fields]) -> bool:
    """Whether a calculation is, by others, of itself."""

    def sources(of: Fields) -> list[Any]:
        return [value_of(of, name) for name in ("of", "to")]

    reached: set[str] = set()
    waiting = sources(fields)
    while waiting:
        name = waiting.pop()
        if name in computed and name not in reached:
            reached.add(name)
            waiting += sources(computed[name])
    return fields["id"] in reached


def _check_target(chart: Fields, around: _Chart, at: Place) -> None:
    target = value_of(chart, "target")
    if target is None or target.series is None:
        return
    series = around.known.get(target.series)
    what = None
    if series is None:
        what = f"there is no such series{nearest(target.series, around.known)}"
    elif not value_of(series, "hidden"):
        what = "is the series that is shown; name a hidden one"
    if what is not None:
        (at / "target").wrong(what, value=target.series)
