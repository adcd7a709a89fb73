"""``warmcube prove``: try to see what one may not, on one's own users and data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from warmcube.cli.console import say, stdout
from warmcube.cli.progress import proving
from warmcube.cli.render_prove import print_report
from warmcube.cli.state import integer, not_empty, operator, run, state_of
from warmcube.config import Settings
from warmcube.errors import ConfigError
from warmcube.prove.html import html_page
from warmcube.prove.options import DEFAULT_CASES, MOST_USERS, Options
from warmcube.prove.report import Report
from warmcube.prove.run import prove as run_proof

__all__ = ["prove"]

_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    as_json: bool
    html: Path | None


def prove(  # noqa: PLR0913, PLR0917 - one parameter for each option
    context: typer.Context,
    ids: Annotated[
        list[int] | None,
        typer.Argument(
            parser=integer, metavar="ID", help="The data sources; all of them without it."
        ),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="U", parser=not_empty, help="Ask as this user only; repeatable."),
    ] = None,
    sample: Annotated[
        int,
        typer.Option(
            parser=integer, metavar="N", help="Ask as so many users at most, some of every sort."
        ),
    ] = MOST_USERS,
    cases: Annotated[
        int, typer.Option(parser=integer, metavar="N", help="How many questions, at least.")
    ] = DEFAULT_CASES,
    seed: Annotated[
        int,
        typer.Option(
            parser=integer, metavar="S", help="The same seed asks the same on the same data."
        ),
    ] = 0,
    seconds: Annotated[
        int | None,
        typer.Option(parser=integer, metavar="N", help="End after so many, and say so."),
    ] = None,
    database: Annotated[
        bool,
        typer.Option("--database", help="Prove what the database answers without the cache."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page too.")
    ] = None,
) -> None:
    """Try to see what one may not, on your own users and data.

    As every user it asks many questions, and compares each answer with SQL under a predicate that
    shares no code with the cache's own; half of them try to break out. Nothing is written to the
    store or the database, and nobody's values are reported.

    Exit status: 0 nothing found, 1 something found or nothing proven.
    """
    if not cases or not sample:
        raise typer.BadParameter("--cases and --sample: expected at least 1")
    settings = state_of(context).open_cache().settings
    options = Options(
        datasources=ids or (),
        users=user or (),
        sample=sample,
        cases=cases,
        seed=seed,
        seconds=seconds,
        is_database=database,
    )
    raise typer.Exit(_prove(settings, options, _Output(as_json=as_json, html=html)))


def _prove(settings: Settings, options: Options, output: _Output) -> int:
    if output.html is not None:
        _draft(output.html, "")  # that it can be written is known before the work, not after it
    with proving(is_wanted=not output.as_json) as progress:
        report = run(run_proof(settings, options, actor=operator(), progress=progress))
    if output.html is not None:
        _draft(output.html, html_page(report)).replace(output.html)
    if output.as_json:
        say(json.dumps(report.as_json(), indent=2))
    else:
        print_report(report, stdout())
    return exit_status(report)


def exit_status(report: Report) -> int:
    """What the command exits with."""
    if report.stopped == "interrupted":
        return _INTERRUPTED
    return 0 if report.is_clean else 1


def _draft(file: Path, text: str) -> Path:
    """Write beside a file that is there, which stays as it is until the new one is whole."""
    draft = file.with_name(f".{file.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--html {file} can't be written: {error.strerror or error}; name another file"
        ) from None
    return draft
