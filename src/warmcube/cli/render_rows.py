"""An answer's rows for somebody who reads: a table, or one block for each row where that is wide.

Nothing is shortened to fit: a figure that lost its last digits is a wrong figure.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from warmcube.cli.console import plain
from warmcube.query.formats import to_terminal
from warmcube.query.result import Result
from warmcube.query.textform import texts

__all__ = ["rows_of"]

_TABLE_ROWS: Final = 100
_BLOCKS: Final = 20


def rows_of(result: Result, console: Console, *, is_cut: bool) -> RenderableType:
    """The rows as one thing to print.

    Args:
        result: the answer.
        console: what it must fit on.
        is_cut: whether to show only the first rows, and say how many more there are: right on a
            terminal, wrong in a pipe.
    """
    table = to_terminal(result, _TABLE_ROWS if is_cut else None)
    needed = Measurement.get(console, console.options.update(width=100_000), table).maximum
    return table if needed <= console.width else _blocks(result, _BLOCKS if is_cut else len(result))


def _blocks(result: Result, most: int) -> RenderableType:
    shown = min(most, len(result))
    columns = [texts(column.take(np.arange(shown))) for column in result.table.columns.values()]
    parts: list[RenderableType] = []
    for number, row in enumerate(zip(*columns, strict=True), start=1):
        block = Table(show_header=False, box=None, pad_edge=False)
        block.add_column(style="dim", no_wrap=True)
        block.add_column(overflow="fold")
        for name, value in zip(result.columns, row, strict=True):
            shown_value = Text("NULL", style="dim") if value is None else Text(plain(value))
            block.add_row(Text(plain(name)), shown_value)
        parts += [Rule(f"row {number}", align="left", style="dim"), block]
    if shown < len(result):
        hidden = f"{len(result) - shown:,} more {'row' if len(result) - shown == 1 else 'rows'}"
        parts.append(Text(f"{hidden}; --format csv shows all", "italic"))
    return Group(*parts)
