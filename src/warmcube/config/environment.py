"""Settings from environment variables: which variable sets which key, and as what type.

The five names of the contract stand for themselves (``CACHE_TTL``, …); every other key is
``WARMCUBE_<SECTION>__<KEY>``, with a data source's position in the file counted from 0::

    WARMCUBE_STORE__URL             [store] url
    WARMCUBE_SOURCES__MAIN__URL     [sources.main] url
    WARMCUBE_AUTH__OIDC__ISSUER     [auth.oidc] issuer
    WARMCUBE_DATASOURCES__0__TABLE  the first [[datasources]] table
    WARMCUBE_DATASOURCES__0__COLUMNS__PROVIDER=false
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from warmcube.config.auth_sections import AuthSection
from warmcube.config.problems import KeyPath, expected, kind_of, nearest, section_of
from warmcube.config.secret import masked
from warmcube.config.sections import (
    COLUMN_OR_FALSE,
    AuditSection,
    CacheSection,
    DashboardsSection,
    DatasourceSection,
    DirectorySection,
    EmbeddedSection,
    LimitsSection,
    ServiceSection,
    SourceSection,
    StoreSection,
    WorkerSection,
)

__all__ = ["CONFIG_VARIABLE", "DEBUG_VARIABLE", "SECTIONS", "overlay", "variable_of"]

CONFIG_VARIABLE: Final = "WARMCUBE_CONFIG"
DEBUG_VARIABLE: Final = "WARMCUBE_DEBUG"
_PREFIX: Final = "WARMCUBE_"
_TESTS: Final = "WARMCUBE_TEST_"  # what the test suite is told, see CONTRIBUTING.md

SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "store": StoreSection,
    "embedded": EmbeddedSection,
    "cache": CacheSection,
    "limits": LimitsSection,
    "directory": DirectorySection,
    "audit": AuditSection,
    "worker": WorkerSection,
    "service": ServiceSection,
    "auth": AuthSection,
    "dashboards": DashboardsSection,
}
"""The tables of the file that stand once."""

# Kubernetes puts these into every container for a service that is called warmcube, or warmcube-x.
_KUBERNETES: Final = re.compile(
    r"WARMCUBE_(?:[A-Z0-9]+_)*"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)\w*)?)"
)
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class _Unusable(Exception):
    """A variable that can't be used; its text goes on from the variable's name."""


def variable_of(path: KeyPath, field: FieldInfo | None = None) -> str:
    """The environment variable that sets a key."""
    extra = field.json_schema_extra if field is not None else None
    if isinstance(extra, dict) and isinstance(extra.get("env"), str):
        return str(extra["env"])
    return _PREFIX + "__".join(str(part) for part in path).upper().replace("-", "_")


def overlay(
    raw: dict[str, Any], environment: Mapping[str, str], problems: list[str]
) -> dict[KeyPath, str]:
    """Puts the environment's values over the file's.

    Args:
        raw: the file's tables; changed in place.
        environment: all variables.
        problems: takes a sentence for every variable that can't be used.

    Returns:
        which variable each overlaid value came from.
    """
    short = {
        variable_of(("cache", name), field): ("cache", name)
        for name, field in CacheSection.model_fields.items()
        if variable_of(("cache", name), field) != variable_of(("cache", name))
    }
    origins: dict[KeyPath, str] = {}
    for variable in sorted(environment):
        try:
            path = short.get(variable) or _path_of(variable, raw)
            if path is None:
                continue
            value = _parsed(environment[variable], _field_of(variable, path))
            _put(raw, path, value)
        except _Unusable as reason:
            problems.append(f"environment variable {variable}{reason}")
        else:
            origins[path] = variable
    return origins


def _path_of(variable: str, raw: Mapping[str, Any]) -> KeyPath | None:
    """The key that a variable of ours names; None where the variable isn't ours."""
    if (
        not variable.startswith(_PREFIX)
        or variable in (CONFIG_VARIABLE, DEBUG_VARIABLE)
        or variable.startswith(_TESTS)
    ):
        return None
    section, *keys = variable.removeprefix(_PREFIX).lower().split("__")
    if not keys and _KUBERNETES.fullmatch(variable):
        return None
    if section == "auth" and len(keys) == 3 and re.fullmatch(r"0|[1-9]\d{0,2}", keys[1]):
        return ("auth", keys[0], int(keys[1]), keys[2])
    if section in SECTIONS and (len(keys) == 1 or (section == "auth" and len(keys) == 2)):
        return (section, *keys)
    if section == "sources" and len(keys) == 2 and keys[0]:
        return ("sources", _source_name(keys[0], raw), keys[1])
    if section == "datasources" and len(keys) >= 2 and re.fullmatch(r"0|[1-9]\d{0,3}", keys[0]):
        return ("datasources", int(keys[0]), *keys[1:])
    known = [f"{_PREFIX}{name.upper()}__…" for name in (*SECTIONS, "sources", "datasources")]
    raise _Unusable(f": sets no setting; expected {', '.join(known)}")


def _source_name(folded: str, raw: Mapping[str, Any]) -> str:
    """The file's spelling of a source's name, since a variable knows neither case nor hyphen."""
    names = raw.get("sources")
    same = [
        name
        for name in (names if isinstance(names, dict) else {})
        if name.lower().replace("-", "_") == folded
    ]
    if len(same) > 1:
        raise _Unusable(f": means each of the sources {', '.join(sorted(same))}; rename one")
    return same[0] if same else folded


def _field_of(variable: str, path: KeyPath) -> FieldInfo:
    model: type[BaseModel]
    if path[0] == "sources":
        model, keys = SourceSection, path[2:]
    elif path[0] == "datasources":
        model, keys = DatasourceSection, path[2:]
    else:
        model, keys = SECTIONS[str(path[0])], path[1:]
    field: FieldInfo | None = None
    for position, key in enumerate(keys):
        if isinstance(key, int):  # which of a list of tables
            continue
        field = model.model_fields.get(str(key))
        if field is None:
            raise _Unusable(f": sets no setting{nearest(str(key), model.model_fields)}")
        kind = section_of(field) or kind_of(field.annotation)
        is_table = isinstance(kind, type) and issubclass(kind, BaseModel)
        if is_table != (position < len(keys) - 1):
            raise _Unusable(": sets no setting; a section and a key are parted by __")
        model = kind
    if field is None:  # pragma: no cover - a path always has a key
        raise _Unusable(": sets no setting")
    if (proper := variable_of(path, field)) != variable:
        raise _Unusable(f": sets no setting; this one's variable is {proper}")
    return field


def _parsed(text: str, field: FieldInfo) -> Any:
    """A variable's text as the setting's type; ranges are checked later, as the file's are."""
    kind = kind_of(field.annotation)
    value: Any = text
    if kind is int:
        value = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else None
    elif kind is float:
        number = re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", text, re.ASCII)
        value = float(text) if number else None
    elif kind is bool:
        value = _BOOLEANS.get(text.lower())
    elif get_origin(kind) is tuple:
        value = [name.strip() for name in text.split(",")] if text else []
    elif COLUMN_OR_FALSE in field.metadata and text == "false":
        value = False
    if value is None:
        raise _Unusable(f' = "{masked(text)}": expected {expected(field)}')
    return value


def _put(raw: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Sets the value at a path, with the tables and array elements on the way to it."""
    at: Any = raw
    for part, following in pairwise(path):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(part, int):
            if part > len(at):
                raise _Unusable(f": is number {part}, but number {len(at)} is missing")
            if part == len(at):
                at.append(empty)
            at = at[part]
        else:
            at = at.setdefault(part, empty)
        if not isinstance(at, type(empty)):
            raise _Unusable(f": can't be set, since {part} is no table in the file")
    at[path[-1]] = value
