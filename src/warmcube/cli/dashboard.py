"""``warmcube dashboard``: check dashboards, begin one, and tell editors what may stand in one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from warmcube.cli.console import say
from warmcube.cli.dashboard_check import Checked, check_files
from warmcube.cli.dashboard_new import new
from warmcube.cli.state import run, state_of
from warmcube.cli.where import WhereCommand
from warmcube.config import Settings, load
from warmcube.config.environment import CONFIG_VARIABLE
from warmcube.config.file import DEFAULT_FILE
from warmcube.dashboard.schema import schema_text
from warmcube.dashboard.text import SUFFIXES
from warmcube.errors import ConfigError

__all__ = ["dashboard"]

dashboard = typer.Typer(
    help="Check the files of dashboards, begin one, or print what may stand in one.",
    no_args_is_help=False,
    rich_markup_mode=None,
)
dashboard.command("new", cls=WhereCommand)(new)


@dashboard.command("check", cls=WhereCommand)
def check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Only these; otherwise the folder's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    without_data: Annotated[
        bool, typer.Option("--without-data", help="Don't look at the data and the directory.")
    ] = False,
) -> None:
    """List all that is wrong with dashboards, each with its place.

    Beside the files themselves, the measures, frequencies, columns and roles that they name are
    looked for in the data sources and the directory, where these can be reached. Exit status 1
    where something is wrong.
    """
    config = state_of(context).config
    settings = _settings(config, is_needed=not files)
    if not files:
        files = _files_of(settings)
    checked = run(check_files(files, settings, with_data=not without_data))
    if as_json:
        say(json.dumps(checked.as_dict(), indent=2, ensure_ascii=False))
    else:
        _tell(checked)
    raise typer.Exit(1 if checked.troubles else 0)


def _tell(checked: Checked) -> None:
    for trouble in checked.troubles:
        say(str(trouble))
    for unread in checked.unread:
        say(f"not checked: {unread}")
    count = len(checked.files)
    wrong = len(checked.troubles)
    say(
        f"{count:,} {'file' if count == 1 else 'files'}, "
        f"{wrong:,} {'trouble' if wrong == 1 else 'troubles'}"
    )


def _settings(config: Path | None, *, is_needed: bool) -> Settings | None:
    """The configuration; None where none was named and none is there, and it isn't needed."""
    named = config is not None or os.environ.get(CONFIG_VARIABLE)
    if not is_needed and not named and not Path(DEFAULT_FILE).exists():
        return None
    return load(config, os.environ)


def _files_of(settings: Settings | None) -> list[Path]:
    if settings is None:  # pragma: no cover - it is only asked for where it is needed
        return []
    folder = settings.dashboards_path
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(
            f"the folder of dashboards {folder} can't be read: {error.strerror}; make it with a "
            "first dashboard in it (`warmcube dashboard new`), or set [dashboards] path"
        ) from None
    return [
        path for path in found if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]


@dashboard.command("schema", cls=WhereCommand)
def schema() -> None:
    """Print the JSON schema of dashboards, by which editors complete and check them."""
    say(schema_text().rstrip("\n"))
