"""The list of all settings, for the documentation and ``--help``: made from their declarations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Secret
from pydantic.fields import FieldInfo

from warmcube.config.environment import SECTIONS, variable_of
from warmcube.config.problems import KeyPath, key_text, kind_of, section_of
from warmcube.config.sections import DatasourceSection, SourceSection

__all__ = ["Setting", "all_settings"]

_LAST: Final = ("worker", "directory", "audit", "service", "auth")
"""The tables that stand after the data sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as its documentation shows it."""

    key: str  # "cache.ttl"
    variable: str  # "CACHE_TTL"
    default: str  # as TOML; "" where it must be given, or is absent
    unit: str  # "seconds", or ""
    help: str


def all_settings() -> Iterator[Setting]:
    """Every setting there is, in the order of the file."""
    for name, model in SECTIONS.items():
        if name not in _LAST:
            yield from _settings_of(model, (name,))
    yield from _settings_of(SourceSection, ("sources", "NAME"))
    yield from _settings_of(DatasourceSection, ("datasources", 0))
    for name in _LAST:
        yield from _settings_of(SECTIONS[name], (name,))


def _settings_of(model: type[BaseModel], prefix: KeyPath) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        kind = kind_of(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings_of(kind, (*prefix, name))
            continue
        if (section := section_of(field)) is not None:
            yield from _settings_of(section, (*prefix, name, 0))
            continue
        extra = field.json_schema_extra
        yield Setting(
            key=key_text((*prefix, name)),
            variable=variable_of((*prefix, name), field),
            default=_toml(field),
            unit=str(extra.get("unit", "")) if isinstance(extra, dict) else "",
            help=field.description or "",
        )


def _toml(field: FieldInfo) -> str:
    default: Any = field.default
    if field.is_required() or default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return str(list(default)).replace("'", '"')
    return f'"{default}"' if isinstance(default, str | Secret) else str(default)
