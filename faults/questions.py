"""Random questions, each with the SQL that answers it as of any change."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

from faults.people import PEOPLE, Person
from faults.table import (
    ALWAYS,
    CLOCK,
    COLUMNS,
    DATASOURCE,
    DATES,
    FREQUENCIES,
    MEASURES,
    OWNERS,
    PRACTICES,
    REGIONS,
)
from warmcube import NULL, Filter, Query

__all__ = ["Question", "clock_question", "make_question"]

_NAMES: Final = tuple(name for name, _ in COLUMNS)
_GROUPS: Final = ("date_index", "practice_uid", "provider_uid", "region")
_AGGREGATES: Final = ("sum", "sum", "avg", "count", "min", "max")


@dataclass(frozen=True, slots=True)
class Question:
    """What one person asks.

    Attributes:
        person: who.
        query: as warmcube takes it.
        sql: as the history takes it: ``{rows}`` stands for the rows as of a change.
        columns: of the answer.
        is_ordered: whether the order of its rows is part of the answer.
        is_denied: whether it names what isn't theirs.
    """

    person: Person
    query: Query
    sql: str
    columns: tuple[str, ...]
    is_ordered: bool = False
    is_denied: bool = False

    @property
    def is_clock(self) -> bool:
        """Whether it asks for the number of the last change."""
        return self.query.measure == CLOCK


def clock_question(person: Person) -> Question:
    """Asks which change the answers beside it show."""
    query = Query(datasource=DATASOURCE, measure=CLOCK, frequency=ALWAYS)
    return Question(person, query, "", _NAMES)


def make_question(random: Random, person: Person | None = None) -> Question:
    """One question that somebody may ask."""
    return _Maker(random, person or random.choice(PEOPLE)).make()


class _Maker:
    def __init__(self, random: Random, person: Person) -> None:
        self._random = random
        self._person = person
        self._clauses = [f"({person.condition})"]
        self._where: list[Filter] = []
        self._is_denied = False

    def make(self) -> Question:
        random = self._random
        measure = random.choice((*MEASURES, *MEASURES[:3], *MEASURES[:3]))
        frequency = random.choice((*FREQUENCIES, *FREQUENCIES[:2], *FREQUENCIES[:2]))
        self._equals("measure", measure)
        self._equals("frequency", frequency)
        practices, providers = self._practices(), self._providers()
        start, end = self._range()
        for _ in range(random.choice((0, 0, 0, 1, 1, 2))):
            self._condition()
        groups: list[str] = []
        aggregate = None
        order: list[str] = []
        limit = None
        ordered = ""
        names = _NAMES
        shown = ", ".join(_NAMES)
        grouped = ""
        if random.random() < 0.6:
            aggregate = random.choice(_AGGREGATES)
            count = random.choice((0, 1, 1, 1, 2))
            groups = random.sample(_GROUPS, count)
            shown = ", ".join((*groups, f"{aggregate}(measure_value)"))
            names = (*groups, aggregate)
            grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
        elif random.random() < 0.25:
            order, limit = ["-measure_value", "row_id"], random.choice((1, 3, 10, 50))
            ordered = f" ORDER BY measure_value DESC, row_id LIMIT {limit}"
        query = Query(
            datasource=DATASOURCE,
            measure=NULL if measure is None else measure,
            frequency=NULL if frequency is None else frequency,
            practices=practices,
            providers=providers,
            start=start,
            end=end,
            where=self._where,
            group_by=groups,
            aggregate=aggregate,
            order_by=order,
            limit=limit,
        )
        where = " AND ".join(self._clauses)
        sql = f"SELECT {shown} FROM {{rows}} AND {where}{grouped}{ordered}"
        return Question(self._person, query, sql, names, bool(order), self._is_denied)

    def _equals(self, column: str, value: str | None) -> None:
        self._clauses.append(f"{column} IS NULL" if value is None else f"{column} = {_text(value)}")

    def _practices(self) -> list[int] | None:
        random, person = self._random, self._person
        if random.random() < 0.6:
            return None
        theirs = sorted(PRACTICES if person.practices is None else person.practices)
        if random.random() < 0.08 and person.practices is not None:
            foreign = random.choice([p for p in PRACTICES if p not in person.practices])
            self._is_denied = True
            return [*theirs[:1], foreign]
        chosen = random.sample(theirs, random.randint(0, len(theirs)))
        self._clauses.append(_in("practice_uid", chosen))
        return chosen

    def _providers(self) -> list[int] | None:
        random, person = self._random, self._person
        if random.random() < 0.75:
            return None
        if person.provider is not None:
            chosen = [person.provider]
        else:
            every = [provider for _, provider in OWNERS if provider is not None]
            chosen = random.sample(every, random.choice((1, 2, 5)))
        self._clauses.append(_in("provider_uid", chosen))
        return chosen

    def _range(self) -> tuple[str | None, str | None]:
        random = self._random
        if random.random() < 0.6:
            return None, None
        start, end = sorted(random.choices(DATES, k=2))
        self._clauses.append(f"date_index BETWEEN '{start}' AND '{end}'")
        return start.isoformat(), end.isoformat()

    def _condition(self) -> None:
        random = self._random
        match random.randrange(6):
            case 0:
                region = random.choice([each for each in REGIONS if each is not None])
                self._add("region", "eq", region, f"region = {_text(region)}")
            case 1:
                self._add("region", "is_null", None, "region IS NULL")
            case 2:
                some = random.sample([each for each in REGIONS if each is not None], 2)
                self._add("region", "in", some, f"region IN ({', '.join(map(_text, some))})")
            case 3:
                least = random.randrange(-50_000, 500_000)
                self._add("measure_value", "gt", least, f"measure_value > {least}")
            case 4:
                most = Decimal(random.randrange(0, 900_000_00)) / 100
                self._add("measure_value", "lte", str(most), f"measure_value <= {most}")
            case _:
                self._add("region", "not_null", None, "region IS NOT NULL")

    def _add(self, column: str, op: str, value: Any, sql: str) -> None:
        self._where.append(Filter(column, op, value))
        self._clauses.append(sql)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _in(column: str, values: list[int]) -> str:
    return f"{column} IN ({', '.join(map(str, values))})" if values else "false"
