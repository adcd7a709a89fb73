"""From a source's URL to its adapter."""

from __future__ import annotations

from warmcube.errors import ConfigError
from warmcube.source.api import Source

__all__ = ["open_source"]


def open_source(name: str, url: str) -> Source:
    """The source that a URL stands for; nothing is connected yet.

    Args:
        name: its name in the configuration, for messages.
        url: ``postgresql://…``, ``duckdb:///file.duckdb`` or ``parquet:///folder/*.parquet``.

    Raises:
        ConfigError: no adapter reads such a URL; the message doesn't show it.
    """
    # Imported here, since each driver takes a tenth of a second to load.
    scheme = url.partition(":")[0].lower()
    if scheme in ("postgresql", "postgres"):
        from warmcube.source.postgres import PostgresSource  # noqa: PLC0415

        return PostgresSource(name, url)
    if scheme in ("duckdb", "parquet"):
        from warmcube.source.duckdb import DuckdbSource  # noqa: PLC0415

        return DuckdbSource(name, url)
    raise ConfigError(
        f"[sources.{name}] url: expected postgresql://user@host:5432/database, "
        "duckdb:///file.duckdb or parquet:///folder/*.parquet"
    )
