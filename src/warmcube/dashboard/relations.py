"""What must hold between the fields of a chart, checked as far as they could be read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from warmcube.dashboard.references import check_references, members, value_of
from warmcube.dashboard.shapes import WRONG, Fields
from warmcube.dashboard.troubles import Place

__all__ = ["FIGURES", "PIES", "check_chart", "check_ids"]

FIGURES: Final = ("number", "progress")
"""Types that show one figure, and so have no labels."""

PIES: Final = ("pie", "doughnut")


def check_ids(charts: Sequence[Any], at: Place) -> None:
    """Notes ids that two charts share."""
    first: dict[str, int] = {}
    for position, chart in enumerate(charts):
        own = value_of(chart, "id") if chart is not WRONG else None
        if own in first:
            (at / position / "id").wrong(
                f"charts[{first[own]}] has this id already; give another", value=own
            )
        elif own is not None:
            first[own] = position


def check_chart(chart: Fields, at: Place) -> None:
    """Notes what is wrong between the fields of one chart.

    Args:
        chart: its fields, the dashboard's defaults among them, the series in their long form.
        at: where it is.
    """
    _check_forms(chart, at)
    kind = value_of(chart, "type")
    if kind is not None:
        _check_labels(chart, kind, at)
        _check_columns(chart, kind, at)
        _check_kind(chart, kind, at)
        _check_count(chart, kind, at)
        _check_axes(chart, kind, at)
    if value_of(chart, "other") is not None and "top" not in chart:
        (at / "other").wrong("is for the rest beyond top, which is missing; give top, or leave it")
    check_references(chart, at, has_labels=kind not in FIGURES)


def _check_forms(chart: Fields, at: Place) -> None:
    """That the measures are given once, in one of the forms."""
    forms = [name for name in ("measure", "measures", "series") if name in chart]
    if not forms:
        at.wrong("has no measure; expected one of measure, measures and series")
    for name in forms[1:]:
        (at / name).wrong(f"stands beside {forms[0]}; give one of them")
    if "colour" in chart and "measure" not in chart:
        (at / "colour").wrong("is for measure; give each of the series its own")


def _check_labels(chart: Fields, kind: str, at: Place) -> None:
    """Whether there are labels, and what needs some."""
    needing = [name for name in ("split_by", "sort", "top", "step") if name in chart]
    if kind in FIGURES:
        for name in ("group_by", "multiples", *needing):
            if name in chart:
                (at / name).wrong(f"a {kind} is one figure; leave it out, or choose another type")
    elif "group_by" not in chart:
        if kind != "table":
            (at / "group_by").wrong(f"missing; a {kind} needs the column of its labels, like date")
        for name in needing:
            (at / name).wrong("is for a chart with labels; give group_by too")
    elif chart["group_by"] == "date":
        if "sort" in chart:
            (at / "sort").wrong("dates are always in their order; leave it out")
        if "top" in chart and "split_by" not in chart:
            (at / "top").wrong("of dates there is no top; leave it out, or give split_by")


def _check_columns(chart: Fields, kind: str, at: Place) -> None:
    """That columns differ, and that the type of chart can show them."""
    if kind in PIES and "split_by" in chart:
        (at / "split_by").wrong(f"a {kind} has one series; leave it out, or choose bars")
    if kind == "table" and "multiples" in chart:
        (at / "multiples").wrong("a table has no small multiples; leave it out")
    columns = [(name, value_of(chart, name)) for name in ("group_by", "split_by", "multiples")]
    for position, (name, column) in enumerate(columns):
        for other, earlier in columns[:position]:
            if column is not None and column == earlier:
                (at / name).wrong(f"is the same column as {other}; name another", value=column)


def _check_kind(chart: Fields, kind: str, at: Place) -> None:
    """Fields that are for one type of chart only."""
    for name, only in (("percent", "stacked_bar"), ("target", "progress")):
        if name in chart and kind != only and chart[name] is not False:
            (at / name).wrong(f"is for {only}; this chart is a {kind}")
    if kind == "progress" and "target" not in chart:
        (at / "target").wrong("missing; a progress needs a target: a number or a series' id")
    if kind in PIES and value_of(chart, "compare") is not None:
        (at / "compare").wrong(f"a {kind} can't show another period; choose bars, or leave it out")


def _check_count(chart: Fields, kind: str, at: Place) -> None:
    """How many series a type of chart can show."""
    if not (chart["all_series"] or chart["all_calculations"]):
        return
    count = len(_shown(chart))
    if not count:
        at.wrong("has only hidden series; show one of them")
    elif kind in (*FIGURES, *PIES) and count > 1:
        at.wrong(
            f"a {kind} shows one series, and there are {count}; hide the others, or choose bars"
        )


def _check_axes(chart: Fields, kind: str, at: Place) -> None:
    if kind != "dual_axis":
        for each, place in members(chart, at):
            for name in ("axis", "draw"):
                if name in each:
                    (place / name).wrong(f"is for dual_axis; this chart is a {kind}")
        return
    sides = {each.get("axis", "left") for each in _shown(chart)}
    if WRONG not in sides and len(sides) == 1:
        missing = "right" if "left" in sides else "left"
        at.wrong(f'a dual_axis needs a series on each axis; give one of them axis = "{missing}"')


def _shown(chart: Fields) -> list[Fields]:
    series = (*chart["all_series"], *chart["all_calculations"])
    return [each for each in series if not value_of(each, "hidden")]
