"""``warmcube directory``: keep the users and their rights in a database, and check them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from warmcube.access.defects import defects_error
from warmcube.cli.console import say
from warmcube.cli.starter import write_new
from warmcube.cli.state import run, state_of
from warmcube.cli.where import WhereCommand
from warmcube.config import Settings, load
from warmcube.directory.file import DirectoryFile, parse_file
from warmcube.directory.keeping import DirectoryKeeper
from warmcube.engine import directory_url
from warmcube.errors import ConfigError, DirectoryError

__all__ = ["directory"]

directory = typer.Typer(
    help="Keep the directory of users and their rights: in a database, or check it in any form.",
    no_args_is_help=False,
    rich_markup_mode=None,
)


@directory.command("init", cls=WhereCommand)
def init(context: typer.Context) -> None:
    """Make the directory's tables in the database of [directory] url.

    Safe to repeat. The triggers that tell every process of a change are made with them.
    """
    keeper = _keeper(context)
    made = run(keeper.create())
    say(f"{keeper.place}: the tables {'are made' if made else 'are there already'}")


@directory.command("import", cls=WhereCommand)
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An access.toml.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove first what the tables hold.")
    ] = False,
) -> None:
    """Put what an access.toml holds into the tables, all or nothing."""
    keeper = _keeper(context)
    content = _content(file)
    counts = run(keeper.fill(parse_file(content, str(file)), str(file), replace=replace))
    say(f"{keeper.place}: " + ", ".join(f"{count:,} {table}" for table, count in counts.items()))


@directory.command("export", cls=WhereCommand)
def export_file(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to; stdout without it.")
    ] = None,
    without_deleted: Annotated[
        bool, typer.Option("--without-deleted", help="Leave out what is deleted.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write the tables as an access.toml that grants the same.

    What a file has no word for is refused and listed, rather than dropped.
    """
    text = run(_keeper(context).write_out(without_deleted=without_deleted))
    if file is None:
        sys.stdout.write(text)
    else:
        write_new(file, text, force=force)
        say(f"{file} is written")


@directory.command("reload", cls=WhereCommand)
def reload(context: typer.Context) -> None:
    """Have every process read the directory again now.

    Changes by SQL announce themselves; this is for those that couldn't, as with triggers disabled.
    """
    settings = _settings(context)
    if settings.directory.url is None:
        run(_read_file(settings))
        say(
            f"{settings.directory_path} is in order; every process looks at it twice a second by "
            "itself"
        )
        return
    keeper = _keeper(context)
    run(keeper.announce())
    say(
        f"{keeper.place}: announced; processes that can't listen read it within "
        f"{settings.directory.max_age_unheard:g} s"
    )


async def _read_file(settings: Settings) -> None:
    source = DirectoryFile(settings.directory_path)
    found = await source.read(None)
    if found is not None and found.defects:
        raise defects_error(source.name, found.defects)


def _settings(context: typer.Context) -> Settings:
    return load(state_of(context).config, os.environ)


def _keeper(context: typer.Context) -> DirectoryKeeper:
    settings = _settings(context)
    url = directory_url(settings)
    if url is None:
        raise ConfigError(
            "the directory is a file here; name a database in [directory] url to keep it in one"
        )
    return DirectoryKeeper(url, settings.directory.schema_name)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DirectoryError(
            f"{file} can't be read: {error.strerror or error}; check that it is there and may be "
            "read"
        ) from error
