"""A chart's figures as a file that leaves the house."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from warmcube.dashboard.figures import figures_table
from warmcube.dashboard.rendered import RenderedChart, RenderedDashboard
from warmcube.errors import InvalidQuery, LimitExceeded
from warmcube.query.csvform import csv_header, csv_lines
from warmcube.query.formats import to_parquet
from warmcube.query.result import Meta, Result
from warmcube.query.wording import shown
from warmcube.service.forms import MEDIA_TYPES, META_HEADER
from warmcube.service.strict import one_of

__all__ = ["FiguresForm", "figures_file", "figures_form"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_FORMATS: Final = ("csv", "parquet")


@dataclass(frozen=True, slots=True)
class FiguresForm:
    """How the file is written; CSV is for spreadsheets unless somebody says otherwise."""

    format: str
    spreadsheet: bool


def figures_form(given: Mapping[str, Any]) -> FiguresForm:
    """The form that a request's fields ask for.

    Raises:
        InvalidQuery: there is no such form.
    """
    kind = one_of("format", given.get("format"), _FORMATS, "csv")
    spreadsheet = given.get("spreadsheet")
    if spreadsheet is not None and not isinstance(spreadsheet, bool):
        raise InvalidQuery(f"spreadsheet is {shown(spreadsheet)}; expected true or false")
    if spreadsheet is not None and kind != "csv":
        raise InvalidQuery(f"spreadsheet is for the format csv, not {kind}; leave it out")
    return FiguresForm(kind, spreadsheet is not False)


async def figures_file(rendered: RenderedDashboard, form: FiguresForm, most: int) -> Response:
    """The one chart of a rendered dashboard as a file.

    Args:
        rendered: with nothing but this chart.
        form: of the file.
        most: bytes.

    Raises:
        WarmcubeError: the chart's own error, if it has one.
        LimitExceeded: the file is larger.
    """
    (chart,) = rendered.charts
    if chart.error is not None:
        raise chart.error
    data = await asyncio.to_thread(_encode, chart, form)
    if len(data) > most:
        raise LimitExceeded(
            f"the file has {len(data):,} bytes, more than [limits] answer = {most:,}; narrow the "
            "dashboard, or export the rows with /api/export"
        )
    meta, name = chart.meta, _UNSAFE.sub("_", chart.id)
    told = {
        "origin": meta.origin,
        "snapshot": meta.snapshot,
        "as_of": None if meta.as_of is None else meta.as_of.isoformat(),
        "stale": meta.stale,
        "notes": chart.notes,
        "dropped": len(rendered.dropped),
    }
    return Response(
        data,
        media_type=MEDIA_TYPES[form.format],
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{name}.{form.format}"',
            META_HEADER: json.dumps(told, separators=(",", ":")),
        },
    )


def _encode(chart: RenderedChart, form: FiguresForm) -> bytes:
    table = figures_table(chart)
    if form.format == "csv":
        head = csv_header(table.columns, spreadsheet=form.spreadsheet)
        lines = csv_lines(table, spreadsheet=form.spreadsheet)
        return (head + lines).encode(errors="replace")  # a title may be half of a surrogate pair
    return to_parquet(Result(table, Meta(origin=chart.meta.origin or "store")))
