"""Which column of an unknown table may play which role, by name, type and values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmcube.model.schema import KEY_KINDS, ColumnType, Kind, Roles
from warmcube.source.roles import DATE_KINDS

__all__ = ["ColumnFacts", "Proposal", "RoleProposal", "propose_roles"]

ROLES: Final = ("measure", "practice", "provider", "frequency", "date", "value")

_WORDS: Final[dict[str, dict[str, int]]] = {
    "measure": {"measure": 10, "metric": 10, "kpi": 10, "indicator": 10, "statistic": 8}
    | {"series": 6, "variable": 6},
    "practice": {"practice": 10, "tenant": 10, "clinic": 10, "organization": 9, "organisation": 9}
    | {"org": 9, "account": 8, "customer": 8, "company": 8, "client": 8, "hospital": 8}
    | {"merchant": 8, "workspace": 8, "facility": 7, "store": 7, "shop": 7, "branch": 7}
    | {"site": 6, "team": 6, "location": 5, "department": 5},
    "provider": {"provider": 10, "doctor": 10, "physician": 10, "clinician": 10}
    | {"practitioner": 10, "employee": 9, "user": 9, "rep": 8, "salesperson": 8, "seller": 8}
    | {"agent": 8, "owner": 8, "staff": 8, "person": 7, "member": 7, "author": 6, "driver": 6},
    "frequency": {"frequency": 10, "freq": 10, "granularity": 10, "grain": 10, "cadence": 9}
    | {"period": 8, "interval": 8, "resolution": 7, "bucket": 6},
    "date": {"date": 9, "day": 8, "month": 7, "week": 7, "period": 7, "ts": 6, "timestamp": 6}
    | {"time": 6, "when": 6, "at": 4},
    "value": {"value": 10, "val": 10, "amount": 9, "total": 8, "sum": 8, "quantity": 8, "qty": 8}
    | {"revenue": 8, "sales": 8, "count": 7, "price": 6, "score": 6, "number": 5, "cost": 7},
}
_KEY_WORDS: Final = frozenset({"id", "uid", "uuid", "key", "code", "no", "ref"})
_ABOUT_WORDS: Final = frozenset({"type", "unit", "category", "description", "label", "format"})
_FIGURE_WORDS: Final = frozenset({"count", "total", "sum", "amount", "value", "share", "score"})
_HOUSEKEEPING: Final = frozenset(
    {"created", "updated", "modified", "inserted", "loaded", "deleted", "synced", "changed"}
)
_FREQUENCIES: Final = frozenset(
    {"hourly", "daily", "weekly", "biweekly", "monthly", "quarterly", "yearly", "annual"}
    | {"annually", "hour", "day", "week", "month", "quarter", "year"}
    | {"h", "d", "w", "m", "q", "y", "mtd", "qtd", "ytd"}
)
_KINDS: Final[dict[str, frozenset[Kind]]] = {
    "measure": KEY_KINDS,
    "practice": KEY_KINDS,
    "provider": KEY_KINDS,
    "frequency": KEY_KINDS,
    "date": DATE_KINDS,
    "value": frozenset(kind for kind in Kind if kind.is_number),
}
_TOLD_BY_TYPE: Final = ("date", "value")
_ENOUGH: Final = 6
_SURE: Final = 8
_CLOSE: Final = 2
_ALTERNATIVE: Final = 3
_FEW_FREQUENCIES: Final = 15
_MANY_MEASURES: Final = 2000
_LACKING: Final = {
    "measure": "no column looks like the name of a measure; all rows count as one measure",
    "practice": "no column looks like a tenant; without one, only who may read everything can "
    "read this table",
    "provider": "no column looks like a person's id; without one, nobody can be limited to their "
    "own rows",
    "frequency": "no column looks like a frequency; all rows count as one",
    "date": "no column is clearly the date; without one, no date ranges can be asked for",
    "value": "no column looks like a value; without one, there is nothing to aggregate",
}


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is known of a column.

    Attributes:
        name: unquoted.
        type: what it is kept as.
        distinct: how many different values were seen; None if too many to count, or none looked at.
        values: those values as text, where they are few.
    """

    name: str
    type: ColumnType
    distinct: int | None = None
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RoleProposal:
    """What may play one role.

    Attributes:
        column: the best column; None if none will do, to be written as false.
        unsure: what isn't certain about it, as a sentence without its full stop; None if nothing.
        alternatives: other columns that may be meant, best first.
    """

    column: str | None
    unsure: str | None = None
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What may play which role in a table.

    Attributes:
        table: as it was written.
        columns: what is known of its columns.
        roles: by name, in the order of ``Roles``.
        rows: how many rows were looked at; 0 means that names and types alone were judged.
    """

    table: str
    columns: tuple[ColumnFacts, ...]
    roles: Mapping[str, RoleProposal]
    rows: int

    @property
    def as_roles(self) -> Roles:
        """The proposed columns, for a data source."""
        return Roles(**{role: proposed.column for role, proposed in self.roles.items()})


def propose_roles(table: str, columns: Sequence[ColumnFacts], rows: int) -> Proposal:
    """Propose the role columns of a table.

    Args:
        table: its name, as it was written.
        columns: its columns; `distinct` and `values` only where rows were looked at.
        rows: how many rows that was.
    """
    scores = {
        (role, column.name): score
        for role in ROLES
        for column in columns
        if (score := _score(role, column)) is not None
    }
    chosen = _assign(scores)
    roles = {role: _proposed(role, chosen, scores, empty=rows == 0) for role in ROLES}
    return Proposal(table, tuple(columns), roles, rows)


def _assign(scores: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """Each role its best column, each column one role; the clearest cases first."""
    chosen: dict[str, str] = {}
    for (role, name), score in sorted(scores.items(), key=lambda item: -item[1]):
        if score >= _ENOUGH and role not in chosen and name not in chosen.values():
            chosen[role] = name
    for role in _TOLD_BY_TYPE:
        # A table with one date is about that date, whatever its name; so with one number.
        free = [n for r, n in scores if r == role and n not in chosen.values()]
        free = [n for n in free if scores[role, n] >= 0]
        if role not in chosen and len(free) == 1:
            chosen[role] = free[0]
    return chosen


def _proposed(
    role: str,
    chosen: Mapping[str, str],
    scores: Mapping[tuple[str, str], int],
    *,
    empty: bool,
) -> RoleProposal:
    column = chosen.get(role)
    # Where no name says which, the type alone makes an alternative of a date or a number.
    enough = 0 if column is None and role in _TOLD_BY_TYPE else _ALTERNATIVE
    others = sorted(
        (
            (-score, name)
            for (r, name), score in scores.items()
            if r == role and score >= enough and name not in chosen.values()
        ),
    )
    alternatives = tuple(name for _, name in others[:3])
    if column is None:
        return RoleProposal(None, _LACKING[role], alternatives)
    score = scores[role, column]
    unsure = None
    if score < _ENOUGH:
        unsure = f"{column} was chosen for its type alone"
    elif others and score + others[0][0] <= _CLOSE:
        unsure = f"{others[0][1]} fits nearly as well as {column}"
    elif score < _SURE:
        unsure = f"the name {column} doesn't say it clearly"
    elif empty and role == "frequency":
        unsure = "there are no rows to see its values"
    return RoleProposal(column, unsure, alternatives)


def _score(role: str, column: ColumnFacts) -> int | None:
    """How well a column fits a role; None if its type forbids it."""
    if column.type.kind not in _KINDS[role]:
        return None
    words = _words(column.name)
    named = max((_WORDS[role].get(word, 0) for word in words), default=0)
    return named + _ADJUST[role](column, words, named)


def _adjust_measure(column: ColumnFacts, words: frozenset[str], named: int) -> int:
    points = 0 if column.type.kind is Kind.TEXT else -3
    points -= 5 * bool(words & (_ABOUT_WORDS | {"value", "amount"}))
    if named and column.distinct is not None and column.distinct > _MANY_MEASURES:
        points -= 5
    return points


def _adjust_key(column: ColumnFacts, words: frozenset[str], named: int) -> int:
    is_key = bool(words & _KEY_WORDS) or column.type.kind is not Kind.TEXT
    points = 2 * (is_key and named > 0)
    return points - 4 * bool(words & (_ABOUT_WORDS | _FIGURE_WORDS | {"name", "title"}))


def _adjust_frequency(column: ColumnFacts, words: frozenset[str], named: int) -> int:
    points = 0 if column.type.kind is Kind.TEXT else -4
    points -= 3 * bool(words & {"id", "uid", "key"})
    if column.values and all(value.casefold() in _FREQUENCIES for value in column.values):
        return points + 8
    if named and column.distinct is not None and column.distinct > _FEW_FREQUENCIES:
        points -= 6
    return points


def _adjust_date(column: ColumnFacts, words: frozenset[str], named: int) -> int:
    points = 2 * (column.type.kind is Kind.DATE and named > 0)
    return points - 7 * bool(words & (_HOUSEKEEPING | {"birth", "dob"}))


def _adjust_value(column: ColumnFacts, words: frozenset[str], named: int) -> int:
    points = 2 * (named > 0 and not column.type.kind.is_integer)
    points -= 9 * bool(words & _KEY_WORDS)
    points -= 6 * bool(words & {"year", "month", "day", "week", "hour", "sort", "rank"})
    return points - 12 * any(words & _WORDS[role].keys() for role in ("practice", "provider"))


_ADJUST: Final = {
    "measure": _adjust_measure,
    "practice": _adjust_key,
    "provider": _adjust_key,
    "frequency": _adjust_frequency,
    "date": _adjust_date,
    "value": _adjust_value,
}


def _words(name: str) -> frozenset[str]:
    """The words of a name in snake_case, camelCase or with spaces, plurals as singulars too."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    words = {word for word in re.split(r"[^a-z]+", parted.lower()) if word}
    return frozenset(words | {word.removesuffix("s") for word in words if len(word) > 3})
