"""`Settings`: a whole configuration, valid and resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warmcube.config.auth_sections import AuthSection
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
from warmcube.errors import UnknownDatasource
from warmcube.model.schema import Datasource, Roles

__all__ = ["Settings", "datasource_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a file and the environment together say; `warmcube.config.load` makes it.

    Attributes:
        file: the configuration file; None where everything came from the environment.
        base: the folder that relative paths count from.
        sources: by name.
        datasources: in the order of the file; their ids differ.
        warm_at: by the id of a data source, the cron expression by which workers warm it.
        verify_at: likewise, by which they verify it.
        refreshes: likewise, what they read anew, where that is said.
    """

    file: Path | None
    base: Path
    store: StoreSection
    embedded: EmbeddedSection
    cache: CacheSection
    limits: LimitsSection
    sources: Mapping[str, SourceSection]
    datasources: tuple[Datasource, ...]
    warm_at: Mapping[int, str]
    verify_at: Mapping[int, str]
    refreshes: Mapping[int, Literal["whole", "changed"]]
    worker: WorkerSection
    directory: DirectorySection
    audit: AuditSection
    service: ServiceSection
    auth: AuthSection
    dashboards: DashboardsSection

    @property
    def embedded_folder(self) -> Path:
        """Where embedded servers keep their data."""
        return self.base / self.embedded.folder

    @property
    def directory_path(self) -> Path:
        """The file of users, unless the directory is a database."""
        return self.base / (self.directory.path or "access.toml")

    @property
    def dashboards_path(self) -> Path:
        """The folder of dashboards."""
        return self.base / (self.dashboards.path or "dashboards")

    @property
    def audit_path(self) -> Path | None:
        """The file of audit lines; None where they go elsewhere."""
        if self.audit.sink != "file":
            return None
        if self.audit.path is None:
            return self.embedded_folder / "audit.jsonl"
        return self.base / self.audit.path

    @property
    def credentials_path(self) -> Path | None:
        """The file of local users' passwords; None where there are no local users."""
        local = self.auth.local
        return None if local is None else self.base / local.path

    @property
    def has_sign_in(self) -> bool:
        """Whether people can sign in, so that there are pages."""
        return self.auth.local is not None or self.auth.oidc is not None

    def datasource(self, id: int) -> Datasource:
        """The data source with this id.

        Raises:
            UnknownDatasource: if none has it.
        """
        for datasource in self.datasources:
            if datasource.id == id:
                return datasource
        known = ", ".join(f"{each.id} ({each.name})" for each in self.datasources)
        raise UnknownDatasource(f"there is no data source {id}; name one of {known}")


def datasource_of(section: DatasourceSection) -> Datasource:
    """The noun that all other parts know, from its table in the file."""
    columns = section.columns
    return Datasource(
        id=section.id,
        name=section.name,
        source=section.source,
        table=section.table,
        roles=Roles(
            measure=columns.measure,
            practice=columns.practice,
            provider=columns.provider,
            frequency=columns.frequency,
            date=columns.date,
            value=columns.value,
        ),
        time_zone=section.time_zone,
        change_column=section.change_column,
        door=None if section.roles is None else frozenset(section.roles),
    )
