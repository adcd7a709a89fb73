"""``warmcube directory``: keep the users and their rights in a database, and check them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from warmcube.access.defects import defects_error
from warmcube.audit.events import DirectoryChanged
from warmcube.cli.console import say
from warmcube.cli.starter import write_new
from warmcube.cli.state import STDERR, operator, run, state_of
from warmcube.cli.where import WhereCommand
from warmcube.config import Settings, load
from warmcube.directory.check import DatasourceKeys, Finding, check_directory
from warmcube.directory.file import DirectoryFile, parse_file
from warmcube.directory.keeping import DirectoryKeeper
from warmcube.engine import AnalyticsCache
from warmcube.errors import ConfigError, DirectoryError, SourceError
from warmcube.opening import directory_url, open_directory, open_trail

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
    records = parse_file(_content(file), str(file))
    counts = run(_fill(_settings(context), keeper, records, str(file), replace=replace))
    say(f"{keeper.place}: " + ", ".join(f"{count:,} {table}" for table, count in counts.items()))


async def _fill(
    settings: Settings,
    keeper: DirectoryKeeper,
    records: Mapping[str, Any],
    name: str,
    *,
    replace: bool,
) -> dict[str, int]:
    """Fill the tables, and have that audited."""
    changed = partial(DirectoryChanged, actor=operator(), source=f"{name} into {keeper.place}")
    trail = open_trail(settings, stdout=STDERR)
    try:
        counts = await keeper.fill(records, name, replace=replace)
        trail.note(
            changed(
                outcome="done",
                users=counts["users"],
                organizations=counts["organizations"],
                roles=counts["roles"],
            )
        )
    except DirectoryError as error:
        trail.note(changed(outcome="failed", error=str(error)))
        raise
    finally:
        await trail.close()
    return counts


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


@directory.command("check", cls=WhereCommand)
def check(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    without_data: Annotated[
        bool, typer.Option("--without-data", help="Don't look at the data beside the directory.")
    ] = False,
) -> None:
    """List what is wrong with the directory, and what is odd about it beside the data.

    Exit status 1 where something is wrong; what is merely odd may be meant so.
    """
    settings = _settings(context)
    findings = run(_check(settings, with_data=not without_data))
    defects = sum(each.is_defect for each in findings)
    if as_json:
        say(json.dumps([asdict(each) for each in findings], indent=2, ensure_ascii=False))
    else:
        for each in findings:
            say(f"{'defect' if each.is_defect else 'odd'}: {each.place}: {each.problem}")
        say(f"{defects:,} defects, {len(findings) - defects:,} oddities")
    raise typer.Exit(1 if defects else 0)


async def _check(settings: Settings, *, with_data: bool) -> list[Finding]:
    source = open_directory(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(source.close)
        found = await source.read(None)
        if found is None:
            raise DirectoryError(f"{source.name} holds no directory; write one")
        unread: list[Finding] = []
        keys: dict[int, DatasourceKeys] = {}
        if with_data and found.directory is not None:
            cache = await stack.enter_async_context(
                AnalyticsCache(settings, actor=operator(), stdout=STDERR)
            )
            for datasource in settings.datasources:
                try:
                    keys[datasource.id] = await cache.owners(datasource.id)
                except SourceError as error:
                    place = f"data source {datasource.id}"
                    unread.append(Finding(place, f"its data couldn't be looked at: {error}"))
    return check_directory(found, settings.datasources, keys) + unread
