"""An answer as JSON for programs: by columns or by rows."""

from __future__ import annotations

import json
from typing import Literal

from warmcube.query.formats import json_column
from warmcube.query.result import Result

__all__ = ["columns_json", "rows_json"]


def columns_json(result: Result, *, decimals: Literal["string", "number"]) -> bytes:
    """An object with an array for each column."""
    parts = [
        f"{json.dumps(name)}:[{','.join(values)}]" for name, values in _columns(result, decimals)
    ]
    return ("{" + ",".join(parts) + "}").encode()


def rows_json(result: Result, *, decimals: Literal["string", "number"]) -> bytes:
    """An array with an object for each row."""
    named = list(_columns(result, decimals))
    names = [json.dumps(name) for name, _ in named]
    rows = (
        "{" + ",".join(f"{n}:{v}" for n, v in zip(names, row, strict=True)) + "}"
        for row in zip(*(values for _, values in named), strict=True)
    )
    return ("[" + ",".join(rows) + "]").encode()


def _columns(result: Result, decimals: str) -> list[tuple[str, list[str]]]:
    return [
        (name, json_column(column, exact_as_text=decimals == "string"))
        for name, column in result.table.columns.items()
    ]
