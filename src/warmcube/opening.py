"""Opening what a configuration names: its store, sources, directory, audit and seal."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import Final

from warmcube.audit.connect import open_sink
from warmcube.audit.trail import Trail
from warmcube.config import Settings
from warmcube.directory.database import DirectoryDatabase
from warmcube.directory.file import DirectoryFile
from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis
from warmcube.entry.seal import Checksum, Mac, Seal
from warmcube.errors import ConfigError, WarmcubeError
from warmcube.observe.observer import Observer
from warmcube.postgres.url import PostgresUrl
from warmcube.query.answering import AnswerSettings, DamageMet
from warmcube.query.prepared import Limits
from warmcube.source.api import Source
from warmcube.source.connect import open_source
from warmcube.store.api import Store
from warmcube.store.connect import open_store
from warmcube.warm.warmer import WarmSettings

__all__ = [
    "answer_settings",
    "directory_url",
    "open_configured_store",
    "open_directory",
    "open_seal",
    "open_sources",
    "open_trail",
    "warm_settings",
]

_LOG: Final = logging.getLogger("warmcube")

GRACE_SECONDS: Final = 5.0
"""Beyond the longest query, how long a superseded snapshot's keys stay."""


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


def open_configured_store(settings: Settings, stack: AsyncExitStack) -> Store:
    """The store, which an embedded server is started for where that is configured.

    Args:
        settings: the configuration.
        stack: closes what is opened.

    Raises:
        EmbeddedError: the embedded server can't be started.
        ConfigError: the URL can't be used.
    """
    url = settings.store.url.get_secret_value()
    if settings.store.is_embedded:
        url = stack.enter_context(EmbeddedRedis(settings.embedded_folder / "redis")).url
    store = open_store(url)
    stack.push_async_callback(store.close)
    return store


def open_sources(settings: Settings, stack: AsyncExitStack) -> dict[str, Source]:
    """The databases by name; nothing is read from them yet.

    Args:
        settings: the configuration.
        stack: closes what is opened.

    Raises:
        EmbeddedError: the embedded server can't be started.
        ConfigError: a URL can't be used.
    """
    sources: dict[str, Source] = {}
    for name, section in settings.sources.items():
        url = section.url.get_secret_value()
        if section.is_embedded:
            url = stack.enter_context(EmbeddedPostgres(settings.embedded_folder / "postgres")).url
        sources[name] = open_source(name, url)
        stack.push_async_callback(sources[name].close)
    return sources


def warm_settings(settings: Settings) -> WarmSettings:
    """What warming needs of a configuration."""
    cache = settings.cache
    return WarmSettings(
        ttl=cache.ttl,
        stale_for=cache.stale_for,
        batch_size=cache.batch_size,
        grace=cache.query_timeout / 1000 + cache.max_pointer_age + GRACE_SECONDS,
        allow_eviction=settings.store.allow_eviction,
        with_sums=cache.practice_sums,
        keep_snapshots=cache.keep_snapshots,
    )


def answer_settings(
    settings: Settings, *, processes: int, observer: Observer, met_damage: DamageMet
) -> AnswerSettings:
    """What answering needs of a configuration.

    Args:
        settings: the configuration.
        processes: how many processes like this one share the database.
        observer: told how reads went.
        met_damage: told of damage.
    """
    cache, limits = settings.cache, settings.limits
    return AnswerSettings(
        limits=Limits(
            rows=limits.rows,
            groups=limits.groups,
            list=limits.list,
            conditions=limits.conditions,
        ),
        enabled=cache.enabled,
        seconds=cache.query_timeout / 1000,
        resident_bytes=cache.resident_bytes,
        running_per_user=limits.running_per_user,
        fallback_rows=limits.fallback_rows,
        fallback_slots=cache.fallback_slots,
        processes=processes,
        batch=limits.batch,
        observer=observer,
        met_damage=met_damage,
    )
