"""Random tables for dashboards: what is odd in figures, labels and dates, made from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from adbc_driver_postgresql import dbapi

__all__ = ["World", "access_of", "literal", "make_world", "settings_of"]

MEASURES: Final = ("Charges", "Payments", "Visits {x}")
VALUES: Final = {
    "numeric(14,2)": lambda random: f"{random.randint(-40_000, 60_000) / 100:.2f}",
    "integer": lambda random: str(random.randint(-50, 90)),
    "bigint": lambda random: str(random.choice((1, -1)) * random.randint(0, 2**60)),
    "numeric(34,12)": lambda random: (
        f"{random.choice('-+')}{random.randint(0, 10**19)}.{random.randint(0, 10**12 - 1):012}"
    ),
    "numeric": lambda random: f"{random.randint(-900, 900)}.{random.randint(0, 9999)}",
    "double precision": lambda random: str(random.randint(-4000, 9000) / 8),
    "real": lambda random: str(random.randint(-400, 900) / 4),
}
"""Types of value columns. Of floats only what adds up without rounding, in whatever order."""

FREQUENCIES: Final[Mapping[str, Callable[[Random], date]]] = {
    "Monthly": lambda random: date(random.choice((2023, 2024)), random.randint(1, 12), 1),
    "Month ends": lambda random: _month_end(random.choice((2023, 2024)), random.randint(1, 12)),
    "Weekly": lambda random: date(2023, 1, 2) + timedelta(days=7 * random.randint(0, 100)),
    "Daily": lambda random: date(2024, 1, 15) + timedelta(days=random.randint(-60, 60)),
}
STEPS: Final = {"Monthly": "month", "Month ends": "month", "Weekly": "week", "Daily": "day"}


def _month_end(year: int, month: int) -> date:
    first_after = date(year + month // 12, month % 12 + 1, 1)
    return first_after - timedelta(days=1)


def literal(value: Any) -> str:
    """A value in SQL."""
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


@dataclass(slots=True)
class World:
    """One table, and who sees what of it.

    Attributes:
        columns: the SQL types, by name.
        zone: of the data source.
        practices: all there are, in the form of their column.
        providers: likewise.
        scopes: for each user what they may see, as a condition.
        rows: the table's, as SQL.
    """

    columns: dict[str, str]
    zone: str
    practices: tuple[Any, ...]
    providers: tuple[Any, ...]
    scopes: dict[str, str] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)

    def fill(self, random: Random, count: int) -> None:
        """Make the rows anew."""
        names = _names(random, self)
        self.rows = [self._row(random, names) for _ in range(count)]

    def _row(self, random: Random, names: dict[tuple[str, Any], str | None]) -> str:
        frequency = random.choice(tuple(FREQUENCIES))
        practice = _or_null(random, random.choice(self.practices), 0.04)
        provider = _or_null(random, random.choice(self.providers), 0.15)
        day = FREQUENCIES[frequency](random)
        values = {
            "measure": random.choice(MEASURES),
            "frequency": frequency,
            "practice_uid": practice,
            "provider_uid": provider,
            # Now and then somebody has been renamed, or bears another's name.
            "practice_name": names["practice", random.choice((practice,) * 9 + self.practices)]
            if practice is not None
            else None,
            "provider_name": names["provider", provider] if provider is not None else None,
            "date_index": _or_null(random, self._moment(random, day), 0.04),
            "measure_value": _or_null(
                random,
                "0" if random.random() < 0.08 else VALUES[self.columns["measure_value"]](random),
                0.08,
            ),
            "region": random.choice(
                (None, "", "Bay", "Coast", "Ünder {x}", "other", "~", "no region")
            ),
            "grade": random.choice((None, "0.5", "-1.25", "3", "100", "0")),
            "size": random.choice((None, "1.50", "-2.00", "10.25", "0.00")),
            "flag": random.choice((None, "true", "false")),
            "joined": _or_null(random, date(2023, random.randint(1, 12), 28), 0.1),
        }
        cells = (f"{literal(values[name])}::{kind}" for name, kind in self.columns.items())
        return f"({', '.join(cells)})"

    def _moment(self, random: Random, day: date) -> str:
        if self.columns["date_index"] == "date":
            return day.isoformat()
        clock = random.choice(("00:00:00", "00:00:00", "12:30:00", "23:59:59.999999"))
        wall = f"{day} {clock}"
        return wall if self.columns["date_index"] == "timestamp" else f"{wall} {self.zone}"

    def load(self, url: str) -> None:
        """Create the table anew in a database."""
        definition = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS ih")
            cursor.execute("DROP TABLE IF EXISTS ih.facts")
            cursor.execute(f"CREATE TABLE ih.facts ({definition})")
            for first in range(0, len(self.rows), 500):
                rows = ", ".join(self.rows[first : first + 500])
                cursor.execute(f"INSERT INTO ih.facts VALUES {rows}")


def _or_null(random: Random, value: Any, share: float) -> Any:
    return None if random.random() < share else value


def _names(random: Random, world: World) -> dict[tuple[str, Any], str | None]:
    """Two of them may have the same name, and some have none."""
    known = ("Hill", "Lake", "Hill & Sons <b>", "", None, "Ärzte am See", "Same", "Same", "114")
    return {
        (role, key): random.choice(known)
        for role, keys in (("practice", world.practices), ("provider", world.providers))
        for key in keys
    }


def make_world(random: Random) -> World:
    """A table of random types with random rows."""
    is_text = random.random() < 0.4
    practices: tuple[Any, ...] = tuple(range(101, 111))
    providers: tuple[Any, ...] = (1, 2, 3, 4, 5)
    if is_text:
        practices = ("north", "~", "p:1", "{x}*", "Ü %", "o'hara", "z", "101", "Z", "other")
        providers = ("v1", "v 2", "v:3", "~", "null")
    key = "text" if is_text else random.choice(("integer", "bigint"))
    world = World(
        columns={
            "measure": "text",
            "frequency": "text",
            "practice_uid": key,
            "provider_uid": key,
            "practice_name": "text",
            "provider_name": "text",
            "date_index": random.choice(("date", "date", "date", "timestamp", "timestamptz")),
            "measure_value": random.choice(tuple(VALUES)),
            "region": "text",
            "grade": "double precision",
            "size": "numeric(6,2)",
            "flag": "boolean",
            "joined": "date",
        },
        zone=random.choice(("UTC", "America/New_York", "Asia/Kolkata")),
        practices=practices,
        providers=providers,
    )
    north = ", ".join(map(literal, practices[:4]))
    own = f"practice_uid IN ({north})"
    world.scopes = {
        "root": "TRUE",
        "north": own,
        "provider": f"{own} AND provider_uid = {literal(providers[2])}",
        "nobody": "FALSE",
    }
    world.fill(random, random.choice((0, 1, 40, 400, 1200, 1200)))
    return world


def access_of(world: World) -> str:
    """The directory: what `World.scopes` says in its own words."""
    practices = world.practices

    def toml(values: Any) -> str:
        return ", ".join(f'"{each}"' if isinstance(each, str) else str(each) for each in values)

    return f"""
[roles]
super_admin = ["analytics:read:all", "analytics:export:all", "cache:manage:all"]
org_analyst = ["analytics:read:organization", "analytics:export:organization"]
provider = ["analytics:read:own"]
[[organizations]]
id = "north"
practices = [{toml(practices[:3])}]
[[organizations]]
id = "north-east"
parent = "north"
practices = [{toml(practices[3:4])}]
[[organizations]]
id = "empty"
practices = []
[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
[[users]]
id = "provider"
roles = ["provider"]
organizations = ["north"]
provider = {toml(world.providers[2:3])}
[[users]]
id = "nobody"
roles = ["org_analyst"]
organizations = ["empty"]
"""


def settings_of(world: World, store: str, source: str) -> str:
    """A ``warmcube.toml``."""
    return f"""
[store]
url = "{store}"
[sources.main]
url = "{source}"
[[datasources]]
id = 1
name = "Facts"
source = "main"
table = "ih.facts"
time_zone = "{world.zone}"
"""
