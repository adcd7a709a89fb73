"""The sink that a configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from warmcube.audit.file_sink import FileSink
from warmcube.audit.postgres_sink import PostgresSink
from warmcube.audit.sink import Sink
from warmcube.audit.stream_sink import StreamSink
from warmcube.errors import ConfigError, TableMismatch
from warmcube.postgres.url import PostgresUrl
from warmcube.source.names import parse_table

__all__ = ["SinkKind", "open_sink"]

SinkKind: TypeAlias = Literal["file", "stdout", "postgres", "none"]


def open_sink(
    kind: SinkKind,
    *,
    path: Path | None = None,
    url: str | None = None,
    table: str = "warmcube.audit",
    required: bool = False,
    stdout: int = 1,
) -> Sink | None:
    """The sink for audit lines; nothing is opened before the first line.

    Args:
        kind: of sink.
        path: of the file.
        url: of the database.
        table: in the database, made if it isn't there.
        required: whether lines have to be on the disk before they count as written.
        stdout: the descriptor that kind "stdout" writes to; the command line, whose answers go to
            standard output, gives that of standard error.

    Returns:
        None where nothing is audited.

    Raises:
        ConfigError: the URL or the table's name can't be read.
    """
    if kind == "none":
        return None
    if kind == "stdout":
        return StreamSink(stdout)
    if kind == "file":
        if path is None:
            raise ConfigError('[audit] sink = "file" needs a path')
        return FileSink(path, sync=required)
    if url is None:
        raise ConfigError('[audit] sink = "postgres" needs a url')
    try:
        name = parse_table(table)
    except TableMismatch as error:
        raise ConfigError(f"[audit] table: {error}") from error
    return PostgresSink(PostgresUrl.parse(url, "[audit] url"), name)
