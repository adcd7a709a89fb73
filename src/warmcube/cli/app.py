"""The commands, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from typer.core import TyperCommand, TyperGroup

import warmcube
from warmcube.cli.answer import answer, check_format
from warmcube.cli.console import say
from warmcube.cli.dashboard import dashboard
from warmcube.cli.demo import demo
from warmcube.cli.directory import directory
from warmcube.cli.explain_access import explain_access
from warmcube.cli.init import init
from warmcube.cli.invalidate import invalidate
from warmcube.cli.password import password
from warmcube.cli.prove import prove
from warmcube.cli.query import query
from warmcube.cli.request import Request
from warmcube.cli.serve import serve
from warmcube.cli.state import State, open_cache, run
from warmcube.cli.stats import stats
from warmcube.cli.steer import disable, enable, rollback, unpin
from warmcube.cli.token import token
from warmcube.cli.values import measures, values
from warmcube.cli.verify import verify
from warmcube.cli.warm import warm
from warmcube.cli.where import WhereCommand
from warmcube.cli.worker import worker

__all__ = ["commands", "root_command"]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
)
app.command(cls=WhereCommand)(demo)
app.command(cls=WhereCommand)(init)
app.command(cls=WhereCommand)(warm)
app.command(cls=WhereCommand)(query)
app.command(cls=WhereCommand)(values)
app.command(cls=WhereCommand)(measures)
app.command(cls=WhereCommand)(invalidate)
app.command(cls=WhereCommand)(rollback)
app.command(cls=WhereCommand)(unpin)
app.command(cls=WhereCommand)(disable)
app.command(cls=WhereCommand)(enable)
app.command(cls=WhereCommand)(stats)
app.command(cls=WhereCommand)(verify)
app.command(cls=WhereCommand)(worker)
app.command(cls=WhereCommand)(serve)
app.command(cls=WhereCommand)(prove)
app.command(cls=WhereCommand)(password)
app.command(cls=WhereCommand)(token)
app.add_typer(directory, name="directory")
app.add_typer(dashboard, name="dashboard")
app.command("explain-access", cls=WhereCommand)(explain_access)


def _show_version(value: bool) -> None:
    if value:
        say(f"warmcube {warmcube.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The configuration; otherwise $WARMCUBE_CONFIG, then ./warmcube.toml.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it all
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version, and exit."
        ),
    ] = False,
) -> None:
    """Keep whole tables of measures warm in Redis, and answer every user from them.

    Exit status: 0 done, 1 failed, 2 usage, 3 access denied. WARMCUBE_DEBUG=1 shows tracebacks.
    """
    if context.invoked_subcommand is None:
        raise typer.BadParameter(
            f"a command is missing; expected one of {', '.join(commands())}", ctx=context
        )
    context.obj = State(config=config, ask=lambda request: _ask(config, request))


def _ask(config: Path | None, request: Request) -> None:
    check_format(request)

    async def ask() -> None:
        async with open_cache(config) as cache:
            await answer(cache, request)

    run(ask())


def root_command() -> TyperGroup:
    """The whole command line as click's command."""
    return cast("TyperGroup", typer.main.get_command(app))


def commands() -> dict[str, TyperCommand]:
    """Each command by its name."""
    return cast("dict[str, TyperCommand]", root_command().commands)
