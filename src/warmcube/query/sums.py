"""Practice-level sums in place of entries: which queries they answer, and their columns. Pure.

Sums stand for all rows of a practice. So they are for those alone who may see all of its providers,
NULL included, and for queries that ask for nothing that tells these rows apart but their date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from warmcube.entry.codec import Block, decode_column, decode_constant, decode_ids
from warmcube.entry.keys import PartitionName, practice_field
from warmcube.entry.sums import SumsForm
from warmcube.model.columns import Array, ColumnData, Table
from warmcube.model.schema import Roles, Schema
from warmcube.model.scope import All, Scope
from warmcube.query.lookup import Target
from warmcube.query.plan import LONG_SET
from warmcube.query.prepared import Extent, PreparedQuery
from warmcube.query.read import dates_factor

__all__ = ["SumsPlan", "are_enough", "join_rows", "pick", "plan_sums", "practices_of", "sums_table"]


@dataclass(frozen=True, slots=True)
class SumsPlan:
    """How a query is answered from sums.

    Attributes:
        name: the partition.
        target: where to look.
        scope: of the query.
        form: of the sums.
        prepared: the query.
        practices: by field, those whose sums are wanted; None for all that there are.
        whole: whether the sums of the whole partition are.
    """

    name: PartitionName
    target: Target
    scope: Scope
    form: SumsForm
    prepared: PreparedQuery
    practices: dict[bytes, str | None] | None
    whole: bool


def are_enough(prepared: PreparedQuery, roles: Roles) -> bool:
    """Whether a query asks for nothing that sums don't tell."""
    aggregate = prepared.aggregate
    if aggregate is None or prepared.extent is not Extent.ROWS or aggregate.column != roles.value:
        return False
    told = (roles.date, roles.practice, roles.measure, roles.frequency)
    for name in prepared.group_by:
        if name not in told:
            return False
    for condition in prepared.conditions:  # noqa: SIM110 (for most there is nothing to go through)
        if condition.column not in told:
            return False
    return True


def practices_of(scope: Scope) -> frozenset[str] | All | None:
    """The practices all of whose rows a scope is; None where it is another kind of scope."""
    found: frozenset[str] = frozenset()
    for box in scope.boxes:
        if not isinstance(box.providers, All):
            return None
        if isinstance(box.practices, All):
            return box.practices
        found = found | box.practices if found else box.practices
    return found


def plan_sums(
    prepared: PreparedQuery,
    scope: Scope,
    name: PartitionName,
    target: Target,
    form: SumsForm | None,
    roles: Roles,
) -> SumsPlan | None:
    """What to read of sums; None where the entries have to be read.

    Args:
        prepared: the query.
        scope: not empty.
        name: the partition that is asked for.
        target: where the entries would be looked up.
        form: of the sums; None where the table has none.
        roles: of its columns.
    """
    partition = target.partition
    if not (partition.sums or partition.has_whole_sums) or not are_enough(prepared, roles):
        return None
    practices = practices_of(scope)
    if practices is None or form is None:
        return None
    wanted: dict[bytes, str | None] | None = None
    whole = False
    if not isinstance(practices, All):
        wanted = {practice_field(each): each for each in practices}
    elif roles.practice not in prepared.columns:
        whole = partition.has_whole_sums
        if not whole:
            return None
    elif partition.practices + partition.providers > LONG_SET:
        return None
    if not whole and not partition.sums:
        return None
    return SumsPlan(name, target, scope, form, prepared, wanted, whole)


def sums_table(
    plan: SumsPlan, block: Block, practices: Sequence[str | None], schema: Schema, roles: Roles
) -> tuple[Table, Array]:
    """The columns that the query needs, and how many values each row stands for.

    In the value column's place is what is to be added up, or compared.

    Args:
        plan: what was read.
        block: the sums, practice by practice.
        practices: which ones; not looked at for those of a whole partition.
        schema: of the data source.
        roles: of its columns.

    Raises:
        Damage: a value can't be read.
    """
    form, rows = plan.form, block.rows
    counts = block.raw(form.count)
    columns: dict[str, ColumnData] = {}
    for name in plan.prepared.columns:
        if name == form.date:
            columns[name] = decode_column(block, 0, _no_dictionary)
        elif name == form.value:
            columns[name] = _values(plan, block, counts)
        elif name == roles.practice:
            columns[name] = decode_ids(practices, block.rows_of, schema[name].type)
        else:
            own = plan.name.measure if name == roles.measure else plan.name.frequency
            columns[name] = decode_constant(own, rows, schema[name].type)
    return Table(columns, rows, dates_factor(columns, form.date, block.rows_of_each)), counts


def _values(plan: SumsPlan, block: Block, counts: Array) -> ColumnData:
    aggregate = plan.prepared.aggregate
    if aggregate is None:
        raise AssertionError
    # For a count it only matters where there are values.
    position = plan.form.position("min" if aggregate.function == "count" else aggregate.function)
    column = decode_column(block, position, _no_dictionary)
    return column if counts.all() else replace(column, valid=counts > 0)


def _no_dictionary(name: str) -> Sequence[str]:
    raise AssertionError(name)


def pick(block: Block, places: Sequence[int]) -> Block:
    """The sums of some practices out of those of several."""
    if len(places) == len(block.rows_of):
        return block
    is_own = np.zeros(len(block.rows_of), np.bool_)
    is_own[list(places)] = True
    own = is_own if block.records.ndim > 1 else np.repeat(is_own, block.rows_of)
    return Block(block.layout, block.records[own], block.rows_of[is_own], ())


def join_rows(
    plan: SumsPlan, sums: Table, counts: Array | None, rows: Table
) -> tuple[Table, Array]:
    """Sums of some practices and rows of others as one table.

    Args:
        plan: what is wanted.
        sums: from `sums_table`.
        counts: from there.
        rows: the columns that the query needs.
    """
    value = plan.form.value
    of_rows = np.ones(rows.rows, np.int64)
    if value is not None and value in rows.columns:
        valid = rows.columns[value].valid
        of_rows = of_rows if valid is None else valid.astype(np.int64)
    columns = {name: _concat(sums.columns[name], rows.columns[name]) for name in sums.columns}
    of_sums = np.ones(sums.rows, np.int64) if counts is None else counts
    return Table(columns, sums.rows + rows.rows), np.concatenate((of_sums, of_rows))


def _concat(first: ColumnData, second: ColumnData) -> ColumnData:
    """Rows of both, of the first one's type, which the second one's values fit."""
    values = np.concatenate((first.values, second.values.astype(first.values.dtype)))
    valid = None
    if first.valid is not None or second.valid is not None:
        valid = np.concatenate([_valid(first), _valid(second)])
    if first.dictionary is None or second.dictionary is None:
        return ColumnData(first.type, values, valid)
    texts = {*first.dictionary, *second.dictionary}
    # Practices in the order of their entries, so that groups come in the same order.
    dictionary = sorted(texts, key=lambda text: practice_field(text) + b":")
    places = {text: place for place, text in enumerate(dictionary)}
    codes = [
        np.array([places[text] for text in each.dictionary or ()], np.int64)[each.values]
        for each in (first, second)
    ]
    return ColumnData(first.type, np.concatenate(codes), valid, dictionary)


def _valid(column: ColumnData) -> Array:
    return np.ones(len(column), np.bool_) if column.valid is None else column.valid
