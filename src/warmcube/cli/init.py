"""``warmcube init``: from a table to a configuration that works."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote

import typer
from rich.table import Table
from rich.text import Text

from warmcube.cli.console import plain, say, stdout
from warmcube.cli.starter import ACCESS, configuration, write_new
from warmcube.cli.state import not_empty, run, state_of
from warmcube.config import load, masked
from warmcube.config.environment import CONFIG_VARIABLE
from warmcube.config.file import DEFAULT_FILE
from warmcube.embedded.redis_server import redis_executable
from warmcube.errors import ConfigError, EmbeddedError
from warmcube.source.connect import open_source
from warmcube.source.proposal import Proposal
from warmcube.source.propose import propose

__all__ = ["init"]

_SOURCE: Final = "main"
_LOCAL_REDIS: Final = "redis://127.0.0.1:6379/0"


def init(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Option(
            metavar="URL",
            parser=not_empty,
            help="postgresql://user@host:5432/db, duckdb:///file.duckdb or parquet:///dir/*.parquet.",
        ),
    ],
    table: Annotated[
        str,
        typer.Option(metavar="SCHEMA.TABLE", parser=not_empty, help="The table or view."),
    ],
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            parser=not_empty,
            help="The Redis or Valkey; without it the embedded one where it is installed.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a configuration that is there.")
    ] = False,
) -> None:
    """Look at a table, and write a configuration for it.

    Proposes which columns play which role and says what it wasn't sure of. Writes warmcube.toml
    and, where there is none, an access.toml with the user admin, who may see everything.
    """
    file = state_of(context).config or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)
    if file.exists() and not force:
        raise ConfigError(
            f"{file} is there already and stays as it is; replace it with --force, or name another "
            "with --config"
        )
    url = _absolute(source)
    proposal = run(_propose(url, table))
    text = configuration(
        store=store or _default_store(),
        source=url,
        table=table,
        columns={role: proposed.column for role, proposed in proposal.roles.items()},
        remarks={
            role: proposed.unsure
            for role, proposed in proposal.roles.items()
            if proposed.unsure is not None
        },
    )
    write_new(file, text, force=force)
    load(file, {})  # what was written must work
    access = file.with_name("access.toml")
    is_new = not access.exists()
    if is_new:
        write_new(access, ACCESS, force=False)
    _tell(proposal, file, access if is_new else None, has_secret=masked(url) != url)


async def _propose(url: str, table: str) -> Proposal:
    opened = open_source(_SOURCE, url)
    try:
        return await propose(opened, table)
    finally:
        await opened.close()


def _absolute(url: str) -> str:
    """A file's URL, from wherever the configuration will be used."""
    scheme, found, path = url.partition("://")
    if found and scheme in ("duckdb", "parquet") and path and not path.startswith("/"):
        return f"{scheme}://{Path(unquote(path)).absolute().as_posix()}"
    return url


def _default_store() -> str:
    try:
        redis_executable()
    except EmbeddedError:
        return _LOCAL_REDIS
    return "embedded"


def _tell(proposal: Proposal, file: Path, access: Path | None, *, has_secret: bool) -> None:
    """What was found, what was written, and what comes next."""
    types = {column.name: str(column.type) for column in proposal.columns}
    roles = Table(title=Text(f"The columns of {plain(proposal.table)}"), title_justify="left")
    for name in ("role", "column", "type", "not sure, because"):
        roles.add_column(name, overflow="fold")
    for role, proposed in proposal.roles.items():
        column = proposed.column
        others = f"; or {', '.join(proposed.alternatives)}" if proposed.alternatives else ""
        doubt = f"{proposed.unsure}{others}" if proposed.unsure else ""
        roles.add_row(
            role,
            Text(plain(column)) if column else Text("none", style="dim"),
            types.get(column or "", ""),
            Text(plain(doubt)),
        )
    stdout().print(roles)
    say(f"Wrote {file}: check the columns under [datasources.columns].")
    if has_secret:
        say(
            "It holds the database's password and only you can read it (mode 0600); to keep the "
            "password out of it, remove the url and set WARMCUBE_SOURCES__MAIN__URL."
        )
    if access is not None:
        say(f"Wrote {access}: the user admin may see everything; add organizations and users.")
    option = "" if file == Path(DEFAULT_FILE) else f"--config {shlex.quote(str(file))} "
    say(f"Next: warmcube {option}warm 1")
    user = "USER" if access is None else "admin"
    say(f"Then: warmcube {option}query 1 --as {user}{_example(proposal)} --limit 10")
    say(
        f"Or in a browser: warmcube {option}dashboard new 1, warmcube {option}password {user}, "
        f"and warmcube {option}serve"
    )


def _example(proposal: Proposal) -> str:
    """A measure and a frequency that the table has, as options."""
    words = ""
    for role in ("measure", "frequency"):
        column = proposal.roles[role].column
        if column is None:
            continue
        values = next(
            (each.values for each in proposal.columns if each.name == column), frozenset()
        )
        example = min((value for value in values if value), default=role.upper())
        words += f" --{role} {shlex.quote(example)}"
    return words
