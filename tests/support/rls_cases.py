"""Random cases for the trial under row-level security: a user, a query, and the query as SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

from tests.support.rls_ids import Ids, as_given
from tests.support.rls_world import COLUMNS, FREQUENCIES, MEASURES, Facts

from warmcube.model.request import NULL, Filter, Query

__all__ = ["Case", "Nameable", "make_case"]

_STRANGE_ORGANIZATIONS: Final = ("nowhere", "North", "*", "north:1", "101", "' OR true --")


@dataclass(frozen=True, slots=True)
class Nameable:
    """What a user may name in a data source, as far as the policy says.

    A hint for what to ask; whether something is refused is judged elsewhere.
    """

    sees_rows: bool
    any_practice: bool
    any_provider: bool
    practices: tuple[str, ...]
    organizations: tuple[str, ...]
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question of one user, in both languages.

    Attributes:
        user: who asks.
        facts: which data source.
        query: for the cache.
        names: what it names, as SQL: organization, practices, providers.
        select: the same question as a plain SELECT, without a word on what the user may see.
    """

    user: str
    facts: Facts
    query: Query
    names: tuple[str, str, str]
    select: str


def make_case(random: Random, user: str, facts: Facts, may: Nameable, organizations: Any) -> Case:
    """A question that this user may come up with; sometimes it names what isn't theirs."""
    measure = random.choices(MEASURES, (12, 8, 1))[0]
    frequency = random.choices(FREQUENCIES, (12, 8, 1))[0]
    clauses = [_equals("measure", measure), _equals("frequency", frequency)]
    organization = _some_organization(random, may, organizations)
    practices = _some_ids(random, facts.practices, may.practices, may.any_practice, often=0.4)
    providers = _some_ids(random, facts.providers, may.providers, may.any_provider, often=0.3)
    # A table without the column can't be asked so; once in a while it is.
    if not facts.has_practice and random.random() < 0.9:
        organization = practices = None
    if not facts.has_provider and random.random() < 0.9:
        providers = None
    if organization is not None:
        below = f"(SELECT isolation.practices_of({_text(organization)}))::text[]"
        clauses.append(f"practice_uid::text = ANY ({below})")
    for column, named in (("practice_uid", practices), ("provider_uid", providers)):
        if named is not None:
            clauses.append(f"{column}::text = ANY ({_array(named)})")
    start, end = sorted([_day(random), _day(random)])
    start = start if random.random() < 0.12 else ""
    end = end if random.random() < 0.12 else ""
    clauses += [f"date_index >= '{start}'"] * bool(start) + [f"date_index <= '{end}'"] * bool(end)
    where = [_condition(random, facts) for _ in range(random.choice([0, 0, 0, 0, 0, 1, 1, 2]))]
    aggregate, groups, shown, grouped = _aggregation(random)
    return Case(
        user=user,
        facts=facts,
        query=Query(
            datasource=facts.id,
            measure=NULL if measure is None else measure,
            frequency=NULL if frequency is None else frequency,
            organization=organization,
            practices=_given(random, practices, facts.practices),
            providers=_given(random, providers, facts.providers),
            start=start or None,
            end=end or None,
            where=[condition for condition, _ in where],
            aggregate=aggregate,
            group_by=groups,
        ),
        names=(_text(organization), _array(practices), _array(providers)),
        select=(
            f"SELECT {shown} FROM {facts.table} "
            f"WHERE {' AND '.join([*clauses, *(text for _, text in where)])}{grouped}"
        ),
    )


def _text(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _array(ids: Sequence[str] | None) -> str:
    return "NULL" if ids is None else f"ARRAY[{', '.join(map(_text, ids))}]::text[]"


def _equals(column: str, value: str | None) -> str:
    return f"{column} IS NULL" if value is None else f"{column} = {_text(value)}"


def _day(random: Random) -> str:
    return f"2024-{random.randint(1, 8):02}-{random.choice((1, 2, 15, 28)):02}"


def _some_organization(random: Random, may: Nameable, known: Iterable[str]) -> str | None:
    share = random.random()
    if share < 0.7:
        return None
    if share < 0.95:
        return random.choice(may.organizations) if may.organizations else None
    return random.choice([*known, *_STRANGE_ORGANIZATIONS])


def _some_ids(
    random: Random, ids: Ids, mine: Iterable[str], is_any_mine: bool, *, often: float
) -> list[str] | None:
    if random.random() > often:
        return None
    known = ids.nameable
    allowed = [each for each in known if is_any_mine or each in mine]
    if random.random() < 0.5:
        allowed = [each for each in allowed if each in mine] or allowed
    kind = random.random()
    if kind < 0.08:
        return [] if kind < 0.04 else [random.choice(known)]
    if not allowed:
        return None
    named = random.sample(allowed, min(len(allowed), random.choice([1, 1, 2, 3, 5])))
    if kind > 0.9:
        named.append(random.choice(known))
    return named


def _given(random: Random, named: Sequence[str] | None, ids: Ids) -> list[Any] | None:
    return None if named is None else [as_given(random, each, ids.type) for each in named]


def _aggregation(random: Random) -> tuple[str | None, list[str], str, str]:
    """The aggregate, the columns to group by, and both in SQL."""
    if random.random() < 0.85:
        return None, [], ", ".join(COLUMNS), ""
    function = random.choice(["sum", "count", "min", "max"])
    groups = random.sample(
        ["practice_uid", "provider_uid", "date_index", "note"], random.randint(0, 2)
    )
    shown = ", ".join([*groups, f"{function}(measure_value)"])
    return function, groups, shown, f" GROUP BY {', '.join(groups)}" if groups else ""


def _condition(random: Random, facts: Facts) -> tuple[Filter, str]:
    return random.choice(_CONDITIONS)(random, facts)


def _on_id(random: Random, facts: Facts) -> tuple[Filter, str]:
    """On a role column: it narrows, and is never refused."""
    column, ids = random.choice(
        [("practice_uid", facts.practices), ("provider_uid", facts.providers)]
    )
    one = random.choice(ids.nameable)
    match random.choice(["eq", "neq", "in", "not_in"]):
        case "eq":
            return Filter(column, "eq", one), f"{column}::text = {_text(one)}"
        case "neq":
            return Filter(column, "neq", one), f"{column}::text <> {_text(one)}"
        case op:
            some = random.sample(ids.nameable, random.randint(0, 4))
            within = f"{column}::text = ANY ({_array(some)})"
            if op == "in":
                return Filter(column, "in", some), within
            return Filter(column, "not_in", some), f"({column} IS NOT NULL AND NOT {within})"


def _on_null(random: Random, facts: Facts) -> tuple[Filter, str]:
    column = random.choice(["practice_uid", "provider_uid", "note", "measure_value", "date_index"])
    if random.random() < 0.5:
        return Filter(column, "is_null"), f"{column} IS NULL"
    return Filter(column, "not_null"), f"{column} IS NOT NULL"


def _on_value(random: Random, facts: Facts) -> tuple[Filter, str]:
    bound = Decimal(random.randint(-500, 9_500))
    op, sign = random.choice([("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")])
    return Filter("measure_value", op, bound), f"measure_value {sign} {bound}"


def _on_note(random: Random, facts: Facts) -> tuple[Filter, str]:
    needle = random.choice(["", "0%", "IT'S", "_", "of", "PLAIN", "zz"])
    text = f'position(lower({_text(needle)} COLLATE "C") IN lower(note COLLATE "C")) > 0'
    return Filter("note", "like", needle), text


def _on_date(random: Random, facts: Facts) -> tuple[Filter, str]:
    first = random.randint(1, 7)
    start, end = f"2024-{first:02}-01", f"2024-{random.randint(first, 8):02}-28"
    return (
        Filter("date_index", "between", [start, end]),
        f"date_index BETWEEN '{start}' AND '{end}'",
    )


_CONDITIONS: Final[tuple[Callable[[Random, Facts], tuple[Filter, str]], ...]] = (
    _on_id, _on_id, _on_null, _on_value, _on_note, _on_date,
)  # fmt: skip
