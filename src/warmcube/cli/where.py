"""``--where COL OP VALUE``: an option of two or three words, which click doesn't know by itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import typer
from typer.core import TyperCommand

from warmcube.model.request import OPERATORS, Filter

__all__ = ["WhereCommand", "condition"]

_OPTION: Final = "--where"
_WITHOUT_VALUE: Final = ("is_null", "not_null")
_WITH_LIST: Final = ("in", "not_in", "between")


class WhereCommand(TyperCommand):
    """A command with ``--where``, that also refuses an option given twice instead of once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Makes one word of each condition before click sees it."""
        options = {name: param for param in self.get_params(ctx) for name in param.opts}
        return super().parse_args(ctx, list(_folded(args, options)))


def _folded(args: Sequence[str], options: Mapping[str, Any]) -> Iterable[str]:
    seen: set[str] = set()
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield word
            yield from rest
            return
        name, assigned, _ = word.partition("=")
        option = options.get(name)
        if name == _OPTION and assigned:
            raise typer.BadParameter(f"{_OPTION} takes words, not =: {_OPTION} COL OP VALUE")
        if name == _OPTION:
            size = 2 if len(rest) > 1 and rest[1] in _WITHOUT_VALUE else 3
            if len(rest) < size:
                raise typer.BadParameter(
                    f"{_OPTION} needs COL OP VALUE, or COL is_null, or COL not_null; found "
                    f"{' '.join(map(repr, rest)) or 'nothing'}"
                )
            yield f"{_OPTION}={json.dumps(rest[:size])}"
            del rest[:size]
            continue
        yield word
        if option is None:
            continue
        if not option.multiple and option.opts[0] in seen:
            raise typer.BadParameter(f"{name} is given twice; it takes one value")
        seen.add(option.opts[0])
        if rest and not assigned and not option.is_flag:
            yield rest.pop(0)


def condition(folded: str) -> Filter:
    """One condition from its words, as `WhereCommand` folded them."""
    column, op, *values = json.loads(folded)
    if op not in OPERATORS:
        raise typer.BadParameter(
            f"{_OPTION} {column} {op}: unknown operator; expected one of {', '.join(OPERATORS)}"
        )
    if not values:
        return Filter(column, op)
    if op not in _WITH_LIST:
        return Filter(column, op, values[0])
    return Filter(column, op, _list_of(values[0], f"{_OPTION} {column} {op}"))


def _list_of(text: str, option: str) -> list[Any]:
    """A list from ``a,b`` or, where values hold commas, from JSON: ``["a,b", "c"]``."""
    if not text.startswith("["):
        return text.split(",")
    try:
        values = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise typer.BadParameter(
            f'{option} {text}: expected values parted by commas, or a JSON list like ["a,b", "c"]; '
            f"{error}"
        ) from None
    return list(values)
