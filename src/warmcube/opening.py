"""Opening what a configuration names: its directory, its audit, its seal."""

from __future__ import annotations

import logging
from typing import Final

from warmcube.audit.connect import open_sink
from warmcube.audit.trail import Trail
from warmcube.config import Settings
from warmcube.directory.database import DirectoryDatabase
from warmcube.directory.file import DirectoryFile
from warmcube.entry.seal import Checksum, Mac, Seal
from warmcube.errors import ConfigError, WarmcubeError
from warmcube.postgres.url import PostgresUrl

__all__ = ["directory_url", "open_directory", "open_seal", "open_trail"]

_LOG: Final = logging.getLogger("warmcube")


def open_directory(settings: Settings) -> DirectoryFile | DirectoryDatabase:
    """The configured directory, which is read when first asked for.

    Raises:
        ConfigError: its URL can't be read.
    """
    section = settings.directory
    url = directory_url(settings)
    if url is None:
        return DirectoryFile(settings.directory_path, max_age=section.max_age)
    return DirectoryDatabase(
        url,
        section.schema_name,
        max_age=section.max_age,
        max_age_unheard=section.max_age_unheard,
    )


def directory_url(settings: Settings) -> PostgresUrl | None:
    """Where the database of the directory is; None where it is a file.

    Raises:
        ConfigError: the URL can't be read.
    """
    url = settings.directory.url
    return None if url is None else PostgresUrl.parse(url.get_secret_value(), "[directory] url")


def open_trail(settings: Settings, *, is_probe: bool = False, stdout: int = 1) -> Trail:
    """What is audited goes to the configured sink; trouble with that is logged.

    Raises:
        ConfigError: the sink's URL or table can't be read.
    """
    section = settings.audit
    sink = open_sink(
        section.sink,
        path=settings.audit_path,
        url=None if section.url is None else section.url.get_secret_value(),
        table=section.table,
        required=section.required,
        stdout=stdout,
    )
    return Trail(sink, required=section.required, is_probe=is_probe, report=_warn)


def _warn(error: WarmcubeError) -> None:
    _LOG.warning("%s", error)


def open_seal(settings: Settings) -> Seal:
    """What the store's values bear.

    Raises:
        ConfigError: the configured one needs a key.
    """
    if settings.store.integrity == "checksum":
        return Checksum()
    key = settings.store.mac_key
    if key is None:
        raise ConfigError('[store] integrity = "mac" needs [store] mac_key')
    return Mac(key.get_secret_value().encode())
