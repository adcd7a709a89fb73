"""Requests that try to get out of their place, and what is to come of them.

Whatever is made up carries `MARK`, which stands in no name that exists: where it turns up, somebody
made a name into something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.support.forgery import (
    COLUMNS,
    EMPTY,
    FREQUENCIES,
    GRANTED,
    MEASURES,
    NORTH,
    ORGANIZATION,
    OWN,
    PRACTICES,
    PROVIDER,
    PROVIDERS,
    ROOT,
    ROWS,
    Row,
)

from warmcube import NULL, Filter, Query

__all__ = ["MARK", "Attempt", "allowed", "answer_to", "make_attempt"]

MARK: Final = "forged"

_USERS: Final = (ROOT, NORTH, PROVIDER)
_TEMPLATES: Final = (
    "{}'; DROP TABLE canary; --",
    "' OR 1=1 --{}",
    "') OR true; UPDATE canary SET song = '{}'; --",
    '{}"; DROP TABLE canary; --',
    "\\'{}; SELECT pg_sleep(9)",
    "$1{}",
    "{}::text[]",
    "%s{}%(x)s",
    "{{{}}}",
    "{}}}:v1-0000000000000000:p:canary",
    "101:prov:{}",
    "~{}",
    "%7E{}",
    "{}*",
    "[a-z]{}?",
    "101\r\n*1\r\n$8\r\nFLUSHALL\r\n{}",
    "{} ",
    "\u202e{}",
    "{}\u0000",
    "\ud800{}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Who asks what."""

    user: str
    measure: str | None
    frequency: str | None
    organization: str | None = None
    practices: Sequence[str] | None = None
    providers: Sequence[str] | None = None
    where: Sequence[Filter] = ()
    group_by: Sequence[str] | None = None
    order_by: Sequence[str] = ()

    @property
    def query(self) -> Query:
        return Query(
            datasource=1,
            measure=NULL if self.measure is None else self.measure,
            frequency=NULL if self.frequency is None else self.frequency,
            organization=self.organization,
            practices=self.practices,
            providers=self.providers,
            where=self.where,
            group_by=self.group_by or (),
            aggregate=None if self.group_by is None else "count",
            order_by=self.order_by,
        )

    @property
    def columns(self) -> list[str]:
        """Every column that is named."""
        return [*(each.column for each in self.where), *(self.group_by or ()), *self.order_by]


def make_attempt(random: Random) -> Attempt:
    """A request in which each part may be sound, and may be forged."""
    columns = tuple(COLUMNS.values())

    def some(names: Sequence[str | None]) -> list[str] | None:
        if random.random() < 0.4:
            return None
        return [_name(random, names) or "" for _ in range(random.choice([0, 1, 1, 2, 5]))]

    where = [_condition(random, columns) for _ in range(random.choice([0, 0, 0, 1, 2]))]
    group_by = [_name(random, columns, 0.1)] if random.random() < 0.2 else None
    order_by = [_name(random, columns, 0.1)] if group_by is None and random.random() < 0.2 else []
    return Attempt(
        user=str(_name(random, _USERS, 0.03)),
        measure=_name(random, MEASURES, 0.1),
        frequency=_name(random, FREQUENCIES, 0.1),
        organization=_name(random, (None, None, ORGANIZATION, EMPTY), 0.1),
        practices=some(random.choice([PRACTICES, tuple(GRANTED)])),
        providers=some(random.choice([PROVIDERS, tuple(OWN)])),
        where=where,
        group_by=None if group_by is None else [str(each) for each in group_by],
        order_by=[str(each) for each in order_by],
    )


def _condition(random: Random, columns: Sequence[str]) -> Filter:
    column = str(_name(random, columns, 0.1))
    names = random.choice([MEASURES, PRACTICES, PROVIDERS])
    op = random.choice(["eq", "in", "like", "gt"])
    if column in (COLUMNS["count"], COLUMNS["value"], COLUMNS["date"]):
        column = COLUMNS["note"]
    value: Any = str(_name(random, names, 0.3))
    return Filter(column, op, [value, MARK] if op == "in" else value)


def _name(random: Random, names: Sequence[str | None], forged: float = 0.15) -> str | None:
    """A sound one, or one that is made up."""
    if random.random() >= forged:
        return random.choice(names)
    make: Callable[[], str] = random.choice(
        [
            lambda: random.choice(_TEMPLATES).format(MARK),
            lambda: _inserted(random, random.choice(names) or ""),
            lambda: _inserted(random, "".join(chr(random.randrange(1, 0xD800)) for _ in range(5))),
        ]
    )
    return make()


def _inserted(random: Random, text: str) -> str:
    at = random.randint(0, len(text))
    return text[:at] + MARK + text[at:]


def allowed(user: str, row: Row) -> bool:
    """Whether a user may see a row."""
    if user == ROOT:
        return True
    is_inside = row.practice in GRANTED
    return is_inside and (user == NORTH or (user == PROVIDER and row.provider in OWN))


def answer_to(attempt: Attempt) -> Counter[Any] | None:
    """The numbers of the rows that an attempt gives, or its groups; None if it is refused."""
    if attempt.user not in _USERS or _is_outside(attempt):
        return None
    if not all(_is_text(text) for text in (attempt.measure, attempt.frequency)):
        return None
    if not {name.removeprefix("-") for name in attempt.columns} <= set(COLUMNS.values()):
        return None
    rows = [row for row in ROWS if allowed(attempt.user, row) and _is_asked_for(attempt, row)]
    if attempt.group_by is None:
        return Counter(row.number for row in rows)
    return Counter(tuple(_value(row, name) for name in attempt.group_by) for row in rows)


def _is_asked_for(attempt: Attempt, row: Row) -> bool:
    return (
        (row.measure, row.frequency) == (attempt.measure, attempt.frequency)
        and (attempt.practices is None or row.practice in attempt.practices)
        and (attempt.providers is None or row.provider in attempt.providers)
        and (
            attempt.organization is None
            or (attempt.organization == ORGANIZATION and row.practice in GRANTED)
        )
        and all(_holds(each, row) for each in attempt.where)
    )


def _is_outside(attempt: Attempt) -> bool:
    """Whether something is named that can't be, or not by this user."""
    if attempt.organization not in (None, ORGANIZATION, EMPTY):
        return True
    practices, providers = attempt.practices or (), attempt.providers or ()
    if not all(each and _is_text(each) for each in (*practices, *providers)):
        return True
    if attempt.user != ROOT and not GRANTED.issuperset(practices):
        return True
    return attempt.user == PROVIDER and not OWN.issuperset(providers)


def _is_text(text: str | None) -> bool:
    """Whether a database can hold it."""
    return text is None or not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _value(row: Row, column: str) -> Any:
    role = next(role for role, name in COLUMNS.items() if name == column)
    return getattr(row, role)


def _holds(condition: Filter, row: Row) -> bool:
    found = _value(row, condition.column)
    if found is None:
        return False
    if condition.op == "like":
        return str(condition.value).casefold() in found.casefold()
    if condition.op == "gt":
        return bool(found > condition.value)
    return found in _listed(condition.value)
