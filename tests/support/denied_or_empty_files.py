"""The cases of "denied or empty" as files and as a table in a database."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from tests.support.denied_or_empty import (
    DATASOURCES,
    ORGANIZATIONS,
    READS_ONLY,
    ROWS,
    SCOPES,
    STATES,
    Scope,
    user_named,
)

__all__ = ["TABLE", "access_records", "access_toml", "datasources_toml"]

_VALUES: Final = ", ".join(
    f"({number}, {practice or 'NULL'}, {provider or 'NULL'})"
    for number, (practice, provider) in ROWS.items()
)
TABLE: Final = f"""
CREATE TABLE facts AS
SELECT n::integer AS row_number, 'Charges'::text AS measure, 'Monthly'::text AS frequency,
       p::integer AS practice_uid, v::integer AS provider_uid, DATE '2026-01-01' AS date_index,
       n::numeric(9,2) AS measure_value
FROM (VALUES {_VALUES}) AS r (n, p, v)
"""

_PERMISSIONS: Final = {
    READS_ONLY: ("analytics:read",),
    "exports only": ("analytics:export",),
    "no right to read": (),
}
_EXPIRY: Final = {
    "expired": datetime(2001, 1, 1, tzinfo=UTC),
    "expires later": datetime(2999, 1, 1, tzinfo=UTC),
}


@cache
def access_records() -> Mapping[str, Any]:
    """The directory as records; without those who are unknown."""
    roles: dict[str, list[str]] = {"key": [], "key-here": [], "key-lost": []}
    for state, kind in itertools.product(STATES, ("all", "organization", "own")):
        actions = _PERMISSIONS.get(state, ("analytics:read", "analytics:export"))
        roles[f"{kind}; {state}"] = [f"{action}:{kind}" for action in actions]
    return {
        "roles": roles,
        "organizations": [{"id": name, **each} for name, each in ORGANIZATIONS.items()],
        "users": [
            _user(state, name, scope)
            for state in STATES
            if state != "unknown"
            for name, scope in SCOPES.items()
        ],
    }


def _user(state: str, name: str, scope: Scope) -> dict[str, Any]:
    held = [(f"{right.kind}; {state}", right.limit) for right in scope.rights]
    held += [("key", None), ("key-here", "north-east")]
    roles = []
    for role, limit in held:
        assignment: dict[str, Any] = {"role": role}
        if limit is not None:
            assignment["organization"] = limit
        if state in _EXPIRY:
            assignment["expires"] = _EXPIRY[state]
        roles.append(assignment)
    return {
        "id": user_named(state, name),
        "roles": roles,
        "organizations": list(scope.organizations),
        "providers": [
            {"provider": provider}
            if practice is None
            else {"practice": practice, "provider": provider}
            for practice, provider in scope.providers
        ],
        "active": state != "inactive",
    }


def access_toml() -> str:
    """The directory as ``access.toml``."""
    records = access_records()
    lines = ["[roles]"]
    lines += [f"{_toml(name)} = {_toml(held)}" for name, held in records["roles"].items()]
    for kind in ("organizations", "users"):
        for each in records[kind]:
            lines.append(f"[[{kind}]]")
            lines += [f"{key} = {_toml(value)}" for key, value in each.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def datasources_toml(source: str = "main") -> str:
    """The data sources as ``warmcube.toml`` has them."""
    lines: list[str] = []
    for number, door in DATASOURCES.items():
        lines += [
            "[[datasources]]",
            f'id = {number}\nname = "{number}"\nsource = "{source}"\ntable = "facts"',
        ]
        if door.role is not None:
            lines.append(f"roles = [{_toml(door.role)}]")
        lines.append("[datasources.columns]")
        lines += [
            f"{role} = false"
            for role, there in (("practice", door.practice), ("provider", door.provider))
            if not there
        ]
    return "\n".join(lines) + "\n"
