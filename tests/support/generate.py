"""Random queries: every filter, operator, aggregate and order, on every column."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from tests.support.generate_people import People, Person
from tests.support.oracle_access import Nameable, nameable
from tests.support.tables import Sample, SampleColumn
from tests.support.tables_samples import PRACTICES, PROVIDERS
from tests.support.tables_values import ids

from warmcube.model.request import AGGREGATES, NULL, OPERATORS, Filter, Order, Query
from warmcube.model.schema import Kind

__all__ = ["make_query"]

_NEEDLES = (
    "",
    "a",
    "A",
    "0",
    "1",
    "-",
    ".",
    "%",
    "_",
    "\\",
    "e",
    "NULL",
    "{",
    "nan",
    "2024-",
    "日",
)
_FOREIGN = {
    Kind.INTEGER: ["999999", "-1"],
    Kind.BIGINT: ["7", "-7"],
    Kind.TEXT: ["Nowhere", "p:1:prov:2", "101 "],
    Kind.UUID: ["00000000-0000-0000-0000-000000000001"],
}


def make_query(random: Random, sample: Sample, people: People, person: Person) -> Query:
    """One query that `person` may come up with; sometimes it names what isn't theirs."""
    allowed = nameable(people, person, sample)
    return _Maker(random, sample, people, allowed, _focus(random, sample, allowed)).make()


def _focus(random: Random, sample: Sample, allowed: Nameable) -> tuple[str | None, ...]:
    """A row that the query is about: mostly one that the user may see."""
    rows = sample.data
    if random.random() < 0.9:
        if allowed.practices and sample.roles.practice is not None:
            present = sample.present(sample.roles.practice, allowed.practices)
            if present:
                rows = sample.rows_of(sample.roles.practice, random.choice(present))
        if allowed.providers is not None and sample.roles.provider is not None:
            at = sample.place(sample.roles.provider)
            rows = [row for row in rows if row[at] in allowed.providers] or rows
    return random.choice(rows)


@dataclass(frozen=True, slots=True)
class _Maker:
    random: Random
    sample: Sample
    people: People
    allowed: Nameable
    focus: tuple[str | None, ...]

    def make(self) -> Query:
        """All parts together."""
        random = self.random
        measure, frequency = self._partition()
        start, end = self._range()
        aggregate, group_by = None, list[str]()
        if random.random() < 0.55:
            aggregate = random.choice(AGGREGATES)
            if not self._can_compute(aggregate):
                aggregate = "count"
            chosen = (self._name() for _ in range(random.choice([0, 1, 1, 1, 2, 2, 3])))
            group_by = list(dict.fromkeys(chosen))
        if random.random() < 0.12 and self.sample.roles.value is not None:
            return self._chart(measure, frequency, start, end)
        order_by = self._order(aggregate, group_by)
        return Query(
            datasource=self.sample.id,
            measure=measure,
            frequency=frequency,
            organization=self._organization(),
            practices=self._practices(),
            providers=self._providers(),
            start=start,
            end=end,
            where=[self._filter() for _ in range(random.choice([0, 0, 0, 1, 1, 1, 1, 2, 3]))],
            group_by=group_by,
            aggregate=aggregate,
            order_by=order_by,
            limit=random.choice([0, 1, 2, 5, 20]) if random.random() < 0.2 else None,
        )

    def _chart(self, measure: Any, frequency: Any, start: Any, end: Any) -> Query:
        """What a dashboard asks of a whole practice: nothing tells its providers apart."""
        random, roles = self.random, self.sample.roles
        named = (roles.date, roles.date, roles.practice, roles.measure, roles.frequency)
        names = [name for name in named if name is not None]
        aggregate = random.choice(AGGREGATES)
        if not self._can_compute(aggregate):
            aggregate = "count"
        group_by = list(
            dict.fromkeys(random.choices(names, k=random.choice([0, 1, 1, 2])) if names else ())
        )
        return Query(
            datasource=self.sample.id,
            measure=measure,
            frequency=frequency,
            organization=self._organization(),
            practices=self._practices(),
            start=start,
            end=end,
            where=[
                self._filter(random.choice(names)) for _ in range(random.choice([0, 0, 1])) if names
            ],
            group_by=group_by,
            aggregate=aggregate,
            order_by=self._order(aggregate, group_by),
        )

    def _name(self) -> str:
        """A column; those that people ask about the most, the most."""
        roles = self.sample.roles
        likely = [roles.date, roles.date, roles.value, roles.practice, roles.provider]
        known = [name for name in likely if name is not None]
        if known and self.random.random() < 0.4:
            return self.random.choice(known)
        return self.random.choice(self.sample.columns).name

    def _partition(self) -> tuple[Any, Any]:
        found = list[Any]()
        for name in (self.sample.roles.measure, self.sample.roles.frequency):
            if name is None:
                # Hardly ever is something named that the table lacks.
                found.append("Charges" if self.random.random() < 0.01 else None)
                continue
            column = self.sample.column(name)
            text = self.focus[self.sample.place(name)]
            if self.random.random() < 0.02:
                text = {Kind.INTEGER: "12345", Kind.UUID: str(UUID(int=5))}.get(column.kind, "none")
            found.append(NULL if text is None else self._id(column.kind, text))
        return found[0], found[1]

    def _id(self, kind: Kind, text: str) -> Any:
        """An id as Python's type or as text."""
        if self.random.random() < 0.5:
            return text
        if kind.is_integer:
            return int(text)
        return UUID(text) if kind is Kind.UUID else text

    def _organization(self) -> str | None:
        share = self.random.random()
        if share > (0.2 if self.sample.roles.practice is not None else 0.01):
            return None
        if share < 0.004:
            return "unheard of"
        if self.allowed.organizations and share < 0.18:
            return self.random.choice(sorted(self.allowed.organizations))
        return self.random.choice(self.people.organizations).id

    def _practices(self) -> list[Any] | None:
        return self._some("practice", self.sample.roles.practice, PRACTICES, self.allowed.practices)

    def _providers(self) -> list[Any] | None:
        return self._some("provider", self.sample.roles.provider, PROVIDERS, self.allowed.providers)

    def _some(
        self, role: str, name: str | None, count: int, allowed: frozenset[str] | None
    ) -> list[Any] | None:
        random = self.random
        if random.random() > (0.25 if name is not None else 0.01):
            return None
        if random.random() < 0.04:
            return []
        kind = Kind.INTEGER if name is None else self.sample.column(name).kind
        every = [text for text in ids(role, kind, count) if text]
        if allowed is not None and random.random() < 0.94:
            every = [text for text in sorted(allowed) if _can_name(kind, text)] or every
        found = random.choices(every, k=random.choice([1, 2, 3, 5, 8]))
        center = None if name is None else self.focus[self.sample.place(name)]
        if center and random.random() < 0.7:
            found.append(center)
        if random.random() < 0.03:
            found.append(random.choice(_FOREIGN[kind]))
        if random.random() < 0.2:
            found += found[:2]
        return [self._id(kind, text) for text in found]

    def _range(self) -> tuple[Any, Any]:
        if self.random.random() > (0.35 if self.sample.roles.date is not None else 0.01):
            return None, None
        days = sorted(
            date(self.random.choice([2023, 2024]), self.random.randint(1, 12), day)
            for day in self.random.choices([1, 3, 15, 28], k=2)
        )
        if self.random.random() < 0.15:
            day = self.random.choice([date(2024, 3, 10), date(2024, 11, 3), date(2024, 10, 27)])
            days = [day, day + timedelta(days=self.random.choice([0, 0, 1]))]
        name = self.sample.roles.date
        if name is not None and self.random.random() < 0.4:
            # The day of the row in question, at one end.
            with suppress(ValueError):
                center = date.fromisoformat(str(self.focus[self.sample.place(name)])[:10])
                days = sorted([center, self.random.choice(days)])
        shown = [day if self.random.random() < 0.5 else str(day) for day in days]
        match self.random.randrange(5):
            case 0:
                return shown[0], None
            case 1:
                return None, shown[1]
            case 2 if self.random.random() < 0.3:
                return self.random.choice([("-infinity", shown[1]), (shown[0], "infinity")])
        return shown[0], shown[1]

    def _filter(self, name: str | None = None) -> Filter:
        column = self.sample.column(self._name() if name is None else name)
        op = self.random.choice((*OPERATORS, "like"))  # it has rules for every type
        if op in ("is_null", "not_null"):
            return Filter(column.name, op)
        if op == "like":
            return Filter(column.name, op, self._needle(column))
        if op == "between":
            pair = [self._value(column), self._value(column)]
            return Filter(column.name, op, pair if self.random.random() < 0.7 else tuple(pair))
        if op in ("in", "not_in"):
            count = self.random.choice([0, 1, 2, 4, 12])
            return Filter(column.name, op, [self._value(column) for _ in range(count)])
        return Filter(column.name, op, self._value(column))

    def _needle(self, column: SampleColumn) -> str:
        """What is in a text, or not; of letters only ASCII's, which all agree on."""
        if self.random.random() < 0.25:
            return self.random.choice(_NEEDLES)
        text = self._near(column)[:2000]
        start = self.random.randrange(len(text) + 1)
        part = text[start : start + self.random.choice([1, 2, 4, 10])]
        if any(not each.isascii() and each.casefold() != each.upper() for each in part):
            return "a"
        return self.random.choice([part, part.upper(), part.lower()])

    def _near(self, column: SampleColumn) -> str:
        """A value of the row in question, or of another."""
        text = self.focus[self.sample.place(column.name)]
        if text is None or self.random.random() < 0.4:
            return self.random.choice(self.sample.values(column.name) or ["anything"])
        return text

    def _value(self, column: SampleColumn) -> Any:
        """A value of a column, or one near it, in one of the forms in which it may be given."""
        text, kind = self._near(column), column.kind
        if kind is Kind.DATE:
            return self._day(text)
        if kind.is_instant:
            return self._moment(kind, text)
        forms: list[Any] = [text]
        if kind.is_integer:
            number = int(text)
            forms += [number, number, Decimal(number) + Decimal("0.5"), number + 0.5, 2**70]
        elif kind is Kind.NUMERIC:
            exact = Decimal(text)
            forms += [exact, float(exact), self._nudged(exact), 3, "1e40", "NaN"]
        elif kind.is_float:
            forms += [float(text), Decimal(text), 1, "Infinity", "NaN", -0.0]
        elif kind is Kind.BOOLEAN:
            forms.append(text == "true")
        elif kind is Kind.UUID:
            forms.append(UUID(text))
        else:
            forms += [text, text, text[:10]]
        return self.random.choice(forms)

    def _nudged(self, exact: Decimal) -> Decimal:
        if not exact.is_finite():
            return exact
        return Decimal(f"{exact:f}{'' if '.' in f'{exact:f}' else '.'}00000000001")

    def _day(self, text: str) -> Any:
        with suppress(ValueError):
            day = date.fromisoformat(text)
            return self.random.choice([text, day])
        return text

    def _moment(self, kind: Kind, text: str) -> Any:
        if "infinity" in text:
            return text
        if self.random.random() < 0.45:
            day, _, rest = text.partition(" ")
            return self._day(f"{day}{' BC' if rest.endswith('BC') else ''}")
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text)
            forms: list[Any] = [text, moment, moment.isoformat()]
            if kind is Kind.TIMESTAMPTZ:
                shifted = moment.astimezone(timezone(timedelta(hours=5, minutes=45)))
                # Without an offset it is what the clocks of the data source's zone show.
                forms += [shifted, shifted.isoformat(), moment.replace(tzinfo=None)]
                forms.append(str(moment.replace(tzinfo=None)))
            return self.random.choice(forms)
        return text

    def _can_compute(self, aggregate: str) -> bool:
        name = self.sample.roles.value
        if name is None:
            return aggregate == "count" or self.random.random() < 0.02
        kind = self.sample.column(name).kind
        return kind.is_number or aggregate in ("count", "min", "max")

    def _order(self, aggregate: str | None, group_by: Sequence[str]) -> list[str | Order]:
        """Mostly a total order, ending with what is unique."""
        random, sample = self.random, self.sample
        share = random.random()
        if share < 0.45:
            return []
        if aggregate is None:
            chosen = [self._name() for _ in range(random.choice([0, 1, 1, 2]))]
            unique = [sample.unique]
        else:
            chosen, unique = [], random.sample(group_by, len(group_by))
            value = None if sample.roles.value is None else sample.column(sample.roles.value)
            is_rounded = value is not None and value.kind.is_float and aggregate in ("sum", "avg")
            if not is_rounded and random.random() < 0.5:
                name = aggregate
                while name in group_by:
                    name += "_"
                chosen = [name]
        if share > 0.6:
            chosen += [name for name in unique if name not in chosen]
        return [self._ordering(name) for name in chosen]

    def _ordering(self, name: str) -> str | Order:
        if name.startswith("-"):
            return Order(name, self.random.random() < 0.5)
        forms: list[str | Order] = [name, f"-{name}", Order(name), Order(name, descending=True)]
        return self.random.choice(forms)


def _can_name(kind: Kind, text: str) -> bool:
    """Whether a query can name this id: whether it is one of the column's type at all."""
    if kind is Kind.TEXT:
        return bool(text)
    with suppress(ValueError):
        if kind is Kind.UUID:
            return str(UUID(text)) == text
        bits = 31 if kind is Kind.INTEGER else 63
        return str(int(text)) == text and -(2**bits) <= int(text) < 2**bits
    return False
