"""A chart's figures as a table, for files: a row for each label, a column for each series. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np

from warmcube.dashboard.amounts import EXACT
from warmcube.dashboard.cells import key_text
from warmcube.dashboard.rendered import Label, RenderedChart
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.instants import day_of
from warmcube.query.numbers import MAX_PRECISION, digits_of, reserved

__all__ = ["figures_table"]

_TEXT: Final = ColumnType(Kind.TEXT)
_DATE: Final = ColumnType(Kind.DATE)


def figures_table(chart: RenderedChart) -> Table:
    """The table.

    Its first column is that of the labels, before which stands that of small multiples; a name that
    is shown instead of a value has a column ``label`` of its own. All numbers are exact numerics.

    Args:
        chart: without an error.
    """
    facets = chart.facets
    labels = [label for facet in facets for label in facet.labels]
    columns: dict[str, ColumnData] = {}
    if any(facet.title is not None for facet in facets):
        titles = [facet.title for facet in facets for _ in facet.labels]
        columns["multiple"] = _texts(titles)
    if chart.column is not None:
        columns[_free(chart.column, columns)] = _keys(labels)
        if any(label.is_other or label.text != _own_text(label) for label in labels):
            columns[_free("label", columns)] = _texts([label.text for label in labels])
    for place, series in enumerate(facets[0].series if facets else ()):
        values = [value for facet in facets for value in facet.series[place].values]
        columns[_free(series.name, columns)] = _numbers(values)
    return Table(columns, len(labels))


def _free(name: str, columns: dict[str, ColumnData]) -> str:
    """The name, or one that isn't taken yet."""
    number, free = 2, name
    while free in columns:
        free, number = f"{name} ({number})", number + 1
    return free


def _own_text(label: Label) -> str:
    return label.text if label.key is None else key_text(label.key)


def _keys(labels: Sequence[Label]) -> ColumnData:
    keys = [label.key for label in labels]
    known = [key for key in keys if key is not None]
    if all(isinstance(key, date) and not isinstance(key, datetime) for key in known):
        days = [0 if key is None else day_of(key) for key in keys]
        return ColumnData(_DATE, np.array(days, np.int32), _valid(keys))
    return _texts([None if key is None else key_text(key) for key in keys])


def _texts(texts: Sequence[str | None]) -> ColumnData:
    places: dict[str, int] = {}
    codes = [0 if text is None else places.setdefault(text, len(places)) for text in texts]
    return ColumnData(_TEXT, np.array(codes, np.int64), _valid(texts), tuple(places))


def _numbers(values: Sequence[Decimal | None]) -> ColumnData:
    finite = [value for value in values if value is not None and value.is_finite()]
    scale = max([-int(value.as_tuple().exponent) for value in finite] + [0])
    scaled = [int(EXACT.scaleb(value, scale)) for value in finite]
    digits = max(map(digits_of, scaled), default=1)
    kind = ColumnType(Kind.NUMERIC, max(MAX_PRECISION, digits, scale), scale)
    special = reserved(kind)
    numbers = iter(scaled)
    found = np.zeros(len(values), np.object_)
    for place, value in enumerate(values):
        if value is None:
            continue
        if value.is_finite():
            found[place] = next(numbers)
        elif value.is_nan():
            found[place] = special.nan
        else:
            found[place] = special.least if value.is_signed() else special.infinity
    return ColumnData(kind, found, _valid(values))


def _valid(values: Sequence[Any]) -> Any:
    known = np.array([value is not None for value in values], np.bool_)
    return None if known.all() else known
