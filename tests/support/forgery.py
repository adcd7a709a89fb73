"""A table, users and organizations with names as odd as can be."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

__all__ = [
    "CANARY",
    "COLUMNS",
    "EMPTY",
    "FREQUENCIES",
    "GRANTED",
    "MEASURES",
    "NORTH",
    "ORGANIZATION",
    "OWN",
    "PRACTICES",
    "PROVIDER",
    "PROVIDERS",
    "ROOT",
    "ROWS",
    "TABLE",
    "Row",
    "access_toml",
    "configuration",
    "quoted",
    "statements",
    "table_of",
]

CANARY: Final = "canary"
"""A practice that no organization has, and a table that has nothing to do with all this."""

DAY: Final = date(2026, 1, 1)
TABLE: Final = ('we.ird"schema', 'ta"ble {x} %s $1; --')
"""Schema and name."""

COLUMNS: Final = {
    "measure": 'mea:sure {m} "q"',
    "practice": "prac'tice $1",
    "provider": "pro%svider $2::text",
    "frequency": "fre*quency\\",
    "date": "da--te",
    "value": "va;lue",
    "note": '"; DROP TABLE canary; --',
    "count": "count",
}
"""By what they are; the last two play no role."""

MEASURES: Final = ("Charges", "A/R > 90 days: {net} 100%", "a:freq:b}", "~", "'; DROP", "a|b", None)
FREQUENCIES: Final = ("Monthly", "}:v1-0000000000000000", None)
PRACTICES: Final = (
    *("101", "1:prov:2", "p:1:prov:2:part:1", "~", "%7E", "{x}", "*", "' OR 1=1 --", "$1"),
    *("\u00e9", "e\u0301", "a\nb", "A", "a", "a ", 'say "hi"', "\\'; SELECT pg_sleep(9)", "10%"),
    *("", CANARY, None),
)
PROVIDERS: Final = ("1", ":part:1", "~", "' OR ''='", None)

GRANTED: Final = frozenset(name for name in PRACTICES if name and name not in (CANARY, "a "))
OWN: Final = frozenset({":part:1", "~"})
ROOT, NORTH, PROVIDER = "root; --", "an'a\" OR {1=1}", "*pro:vider*"
ORGANIZATION: Final = "no'rth: {*}\n"
EMPTY: Final = "~"


@dataclass(frozen=True, slots=True)
class Row:
    """One row; its number is its value, too."""

    number: int
    measure: str | None
    frequency: str | None
    practice: str | None
    provider: str | None

    @property
    def note(self) -> str:
        return f"{self.practice!r} of {self.provider!r}"

    @property
    def date(self) -> date:
        return DAY

    @property
    def value(self) -> Decimal:
        return Decimal(self.number)

    @property
    def count(self) -> int:
        return self.number


ROWS: Final = tuple(
    Row(number, *names)
    for number, names in enumerate(
        itertools.product(MEASURES, FREQUENCIES, PRACTICES, PROVIDERS), 1
    )
)


def configuration(store_url: str, source_url: str, *, schema: str = TABLE[0]) -> str:
    """``warmcube.toml`` with the table as data source 1."""
    table = table_of(schema)
    columns = {role: COLUMNS[role] for role in COLUMNS if role not in ("note", "count")}
    sections: dict[str, dict[str, Any]] = {
        "[store]": {"url": store_url, "namespace": "ns:"},
        "[directory]": {"path": "access.toml"},
        "[sources.main]": {"url": source_url},
        "[[datasources]]": {"id": 1, "name": "odd", "source": "main", "table": table},
        "[datasources.columns]": columns,
    }
    lines: list[str] = []
    for header, values in sections.items():
        lines += [header, *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def access_toml() -> str:
    """The users: a super admin, an analyst, and a provider of two names."""
    text = json.dumps
    users: tuple[tuple[str, str, list[str], list[str]], ...] = (
        (ROOT, "super_admin", [], []),
        (NORTH, "org_analyst", [ORGANIZATION], []),
        (PROVIDER, "provider", [ORGANIZATION], sorted(OWN)),
    )
    lines = [
        '[roles]\nsuper_admin = ["analytics:read:all"]',
        'org_analyst = ["analytics:read:organization"]\nprovider = ["analytics:read:own"]',
        f"[[organizations]]\nid = {text(ORGANIZATION)}",
        f"practices = {text(sorted(GRANTED), ensure_ascii=False)}",
        f"[[organizations]]\nid = {text(EMPTY)}\nparent = {text(ORGANIZATION)}\npractices = []",
    ]
    for user, role, organizations, providers in users:
        bound = ", ".join(f"{{provider = {text(each)}}}" for each in providers)
        lines.append(
            f"[[users]]\nid = {text(user)}\nroles = [{text(role)}]\n"
            f"organizations = {text(organizations)}\nproviders = [{bound}]"
        )
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def table_of(schema: str = TABLE[0]) -> str:
    """The table in SQL, and in a configuration."""
    return f"{quoted(schema)}.{quoted(TABLE[1])}"


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def statements(schema: str = TABLE[0]) -> list[str]:
    """The SQL that makes the table, and the canary beside it; for Postgres and DuckDB alike."""
    table = table_of(schema)
    types = {"date": "date", "value": "numeric(9,2)", "count": "integer"}
    columns = ", ".join(
        f"{quoted(name)} {types.get(role, 'text')}" for role, name in COLUMNS.items()
    )
    values = ", ".join(
        "("
        + ", ".join(map(_literal, (row.measure, row.practice, row.provider, row.frequency)))
        + f", DATE '{DAY}', {row.number}, {_literal(row.note)}, {row.number})"
        for row in ROWS
    )
    return [
        f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}",
        f"CREATE TABLE {table} ({columns})",
        f"INSERT INTO {table} VALUES {values}",
        f"CREATE TABLE {CANARY} AS SELECT 'it lives' AS song",
    ]
