"""From a file and the environment to `Settings`, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from warmcube.config.auth_sections import AuthSection
from warmcube.config.environment import SECTIONS, overlay
from warmcube.config.file import DEFAULT_FILE, find, read_toml
from warmcube.config.problems import KeyPath, Problems, nearest
from warmcube.config.relations import check_relations
from warmcube.config.sections import (
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
from warmcube.config.settings import Settings, datasource_of

__all__ = ["load"]

_Section = TypeVar("_Section", bound=BaseModel)


def load(path: str | Path | None, environment: Mapping[str, str]) -> Settings:
    """Reads and checks a whole configuration; the environment wins over the file.

    Args:
        path: the file; None for ``$WARMCUBE_CONFIG``, else ``./warmcube.toml``, else the
            environment alone where that names data sources.
        environment: the environment variables, normally ``os.environ``.

    Raises:
        ConfigError: with everything that is wrong: file or variable, key, value, what was
            expected.
    """
    file = find(None if path is None else Path(path), environment)
    raw = {} if file is None else read_toml(file)
    unusable: list[str] = []
    origins = overlay(raw, environment, unusable)
    problems = Problems(str(file or DEFAULT_FILE), origins)
    for text in unusable:
        problems.add_text(text)
    settings = _checked(raw, file, problems)
    problems.raise_if_any()
    return cast("Settings", settings)


def _checked(raw: dict[str, Any], file: Path | None, problems: Problems) -> Settings | None:
    known = (*SECTIONS, "sources", "datasources")
    for name in raw:
        if name not in known:
            problems.add((name,), f"unknown table or key{nearest(name, known)}")
    sections = {
        name: _section(model, raw.get(name, {}), (name,), problems)
        for name, model in SECTIONS.items()
    }
    sources = _sources(raw.get("sources", {}), problems)
    datasources = _datasources(raw.get("datasources", []), problems)
    valid = {name: section for name, section in sections.items() if section is not None}
    check_relations(raw, valid, problems)
    if len(valid) < len(sections) or None in datasources:
        return None
    return Settings(
        file=file,
        base=(file.parent if file is not None else Path()).absolute(),
        store=cast("StoreSection", sections["store"]),
        embedded=cast("EmbeddedSection", sections["embedded"]),
        cache=cast("CacheSection", sections["cache"]),
        limits=cast("LimitsSection", sections["limits"]),
        sources=sources,
        datasources=tuple(datasource_of(each) for each in datasources if each is not None),
        warm_at={
            each.id: each.warm_at
            for each in datasources
            if each is not None and each.warm_at is not None
        },
        verify_at={
            each.id: each.verify_at
            for each in datasources
            if each is not None and each.verify_at is not None
        },
        refreshes={
            each.id: each.refresh
            for each in datasources
            if each is not None and each.refresh is not None
        },
        worker=cast("WorkerSection", sections["worker"]),
        directory=cast("DirectorySection", sections["directory"]),
        audit=cast("AuditSection", sections["audit"]),
        service=cast("ServiceSection", sections["service"]),
        auth=cast("AuthSection", sections["auth"]),
        dashboards=cast("DashboardsSection", sections["dashboards"]),
    )


def _section(model: type[_Section], raw: Any, path: KeyPath, problems: Problems) -> _Section | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems.add_invalid(error, model, path, raw)
        return None


def _sources(raw: Any, problems: Problems) -> dict[str, SourceSection]:
    if not isinstance(raw, dict):
        problems.add(("sources",), "expected a table [sources.NAME] for each database")
        return {}
    sections = {
        name: _section(SourceSection, table, ("sources", name), problems)
        for name, table in raw.items()
    }
    return {name: section for name, section in sections.items() if section is not None}


def _datasources(raw: Any, problems: Problems) -> list[DatasourceSection | None]:
    if not isinstance(raw, list):
        problems.add(("datasources",), "expected a [[datasources]] table (two brackets) for each")
        return [None]
    if not raw:
        problems.add(("datasources",), "missing; expected at least one [[datasources]] table")
    return [
        _section(DatasourceSection, table, ("datasources", position), problems)
        for position, table in enumerate(raw)
    ]
