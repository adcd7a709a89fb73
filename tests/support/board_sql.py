"""What the charts of a dashboard of the demo must show, asked of Postgres.

Written from what a definition says, apart from the product's code: sums by label, split and small
multiple, for the days and the viewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tests.support.sql import reading

from warmcube.demo.expected import Case, expected_sql
from warmcube.model.request import Query

__all__ = ["Figures", "figures_by_sql"]

Figures = dict[tuple[str, str, str], Decimal | None]
"""By the values of the small multiple, the label and the split, "" where there is none."""

_COLUMNS: Final = {
    "date": "date_index",
    "practice": "practice_uid",
    "provider": "provider_uid",
}


def figures_by_sql(
    url: str,
    user: str,
    practices: int,
    chart: Mapping[str, Any],
    series: Mapping[str, Any],
    days: tuple[str, str],
    where: str = "TRUE",
) -> Figures:
    """The figures of one measure of a chart.

    Args:
        url: of the database.
        user: who looks.
        practices: how many the demo has.
        chart: as the service describes it.
        series: one of its measures.
        days: first and last.
        where: the page's filters.
    """
    axes = [_axis(chart[name]) for name in ("multiples", "group_by", "split_by")]
    frequency = series["frequency"] or chart["frequency"]
    sql = (
        f"SELECT {', '.join(axes)}, {series['aggregate']}(measure_value)::text "
        "FROM ih.agg_app_measures "
        f"WHERE visible AND measure = {_text(series['measure'])} "
        f"AND frequency = {_text(frequency)} AND provider_uid IS NOT NULL "
        f"AND date_index BETWEEN '{days[0]}' AND '{days[1]}' AND {where} GROUP BY 1, 2, 3"
    )
    with reading(url) as cursor:
        case = Case(name=chart["id"], query=Query(datasource=1), sql=sql)
        cursor.execute(expected_sql(case, user, practices))
        return {
            (str(multiple), str(label), str(split)): None if value is None else Decimal(value)
            for multiple, label, split, value in cursor.fetchall()
        }


def _axis(name: str | None) -> str:
    if name is None:
        return "''"
    return f"coalesce({_COLUMNS.get(name, name)}::text, '')"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
