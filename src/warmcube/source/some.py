"""The condition that rows lie in some partitions. Pure: builds texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from warmcube.access.ids import holds
from warmcube.entry.keys import PartitionName
from warmcube.model.schema import Datasource
from warmcube.source.names import quote
from warmcube.source.select import Parameter, SelectColumn

__all__ = ["Bind", "bound_to", "literal", "partitions_condition"]

Bind: TypeAlias = Callable[[str | Sequence[str]], str]
"""Turns a text, or several, into what stands for it in SQL: of type text or text[]."""


def bound_to(values: list[Parameter]) -> Bind:
    """Placeholders for what is appended to `values`."""

    def bind(value: str | Sequence[str]) -> str:
        values.append(value)
        return f"${len(values)}::text" + ("" if isinstance(value, str) else "[]")

    return bind


def literal(value: str | Sequence[str]) -> str:
    r"""A text, or several, as Postgres's Unicode escapes.

    For COPY, which is by far the fastest way to read and takes no parameters. Every character is
    written as its number, so that nothing in a value can be taken for anything but itself.
    """
    if isinstance(value, str):
        return "U&'" + "".join([f"\\+{ord(c):06X}" for c in value]) + "'::text"
    return f"ARRAY[{', '.join(map(literal, value))}]::text[]"


def partitions_condition(
    columns: Mapping[str, SelectColumn],
    datasource: Datasource,
    names: Collection[PartitionName],
    bind: Bind,
) -> str:
    """The condition that a row lies in one of some partitions; ``FALSE`` if none can.

    However many they are, each row is compared with few things: partitions are taken together by
    whichever of measure and frequency has fewer values, and the others of each looked up at once.

    Args:
        columns: of the table, by name.
        datasource: whose roles count.
        names: of the partitions.
        bind: see there.
    """
    measure = columns.get(datasource.roles.measure or "")
    frequency = columns.get(datasource.roles.frequency or "")
    pairs = [(name.measure, name.frequency) for name in names]
    few, many = frequency, measure
    if len({m for m, _ in pairs}) < len({f for _, f in pairs}):
        few, many = measure, frequency
    else:
        pairs = [(f, m) for m, f in pairs]
    groups: defaultdict[str | None, set[str | None]] = defaultdict(set)
    for one, other in pairs:
        groups[one].add(other)
    conditions = []
    for one in sorted(groups, key=str):
        left, right = _among(few, {one}, bind), _among(many, groups[one], bind)
        if left is not None and right is not None:
            conditions.append(f"({left} AND {right})")
    return "(" + " OR ".join(conditions) + ")" if conditions else "FALSE"


def _among(column: SelectColumn | None, values: set[str | None], bind: Bind) -> str | None:
    """The condition that a role column has one of some values; None if it can't."""
    if column is None:
        return "TRUE" if None in values else None
    parts = [f"{quote(column.name)} IS NULL"] if None in values else []
    left, right = column.key
    possible = sorted(v for v in values if v is not None and holds(v, column.type))
    if len(possible) == 1:
        parts.append(f"{left} = {bind(possible[0])}::{right}")
    elif possible:
        parts.append(f"{left} = ANY({bind(possible)}::{right}[])")
    return "(" + " OR ".join(parts) + ")" if parts else None
