"""``warmcube demo``: everything, on practice data, with nothing installed beforehand."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from warmcube.cli.console import say, say_error, stdout
from warmcube.cli.progress import counting, warming
from warmcube.cli.prompt import end_of_input, prompt
from warmcube.cli.render import passwords_table, users_table, warm_line
from warmcube.cli.state import integer, run
from warmcube.demo.calls import sample_calls
from warmcube.demo.check import CheckReport
from warmcube.demo.expected import CASES
from warmcube.demo.files import DATASOURCE, USERS
from warmcube.demo.generate import DEFAULT_ROWS, MINIMUM_ROWS
from warmcube.demo.session import DEFAULT_FOLDER, Demo, open_demo
from warmcube.errors import ServeError
from warmcube.warm.report import WarmReport

__all__ = ["demo"]

_PORT: Final = 8080


def demo(
    rows: Annotated[
        int,
        typer.Option(
            parser=integer, metavar="N", help=f"Rows of practice data, at least {MINIMUM_ROWS:,}."
        ),
    ] = DEFAULT_ROWS,
    port: Annotated[
        int | None,
        typer.Option(
            parser=integer,
            metavar="P",
            help="Of the service, on 127.0.0.1; without it 8080, or a free one if that is taken.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare every user's answers with SQL, print JSON, and exit 0 or 1."
        ),
    ] = False,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the demo keeps its data.")
    ] = DEFAULT_FOLDER,
) -> None:
    """Try it out: practice data, sample users.

    Start an embedded Redis and Postgres, load practice data, warm them, and show what each sample
    user sees and how fast; then serve pages to sign in to as each of them, and answer queries over
    HTTP, and at a prompt, until Ctrl-C or the end of what is typed or piped into it.

    The data stay in the folder; other commands can use them with
    --config .warmcube/demo/warmcube.toml, while the demo runs and afterwards.
    """
    if rows < MINIMUM_ROWS:
        raise typer.BadParameter(f"--rows {rows}: expected at least {MINIMUM_ROWS}")
    if port is not None and not 0 < port < 65536:
        raise typer.BadParameter(f"--port {port}: expected 1 to 65535")
    work = _check if check else partial(_show, port=port)
    raise typer.Exit(run(_run(folder, rows, work, is_json=check)))


async def _run(
    folder: Path, rows: int, work: Callable[[Demo, WarmReport], Awaitable[int]], *, is_json: bool
) -> int:
    """Start, load and warm; then do the work, and stop the servers however it ends."""
    async with AsyncExitStack() as stack:
        with counting("loading rows", rows) as loaded:
            running = await stack.enter_async_context(open_demo(folder, rows, loaded))
        if not is_json:
            say(f"The data {'were' if running.was_loaded else 'are'} loaded: {rows:,} rows.")
        with warming("Practice analytics") as progress:
            report = await running.cache.warm(DATASOURCE, force=True, progress=progress)
        return await work(running, report)


async def _compare(running: Demo) -> CheckReport:
    with counting("comparing with SQL", len(USERS) * len(CASES)) as bar:
        return await running.check(lambda done, _total: bar(done))


async def _check(running: Demo, report: WarmReport) -> int:
    """Print the comparison as one JSON object."""
    checked = await _compare(running)
    mismatches: list[dict[str, Any]] = [asdict(each) for each in checked.mismatches]
    if report.rows != running.rows:
        what = f"{report.rows} rows were warmed, of {running.rows}"
        mismatches.append({"user": None, "case": "the warm itself", "what": what})
    outcome = {
        "rows": report.rows,
        "entries": report.entries,
        "partitions": report.partitions,
        "bytes": report.bytes,
        "warm_seconds": round(report.seconds, 3),
        "queries": checked.queries,
        "users": {user: asdict(each) for user, each in checked.users.items()},
        "mismatches": mismatches,
    }
    say(json.dumps(outcome, indent=2))
    return 1 if mismatches else 0


async def _show(running: Demo, report: WarmReport, port: int | None) -> int:
    """Show what each user sees, and serve while somebody is there."""
    say(warm_line(report, "Practice analytics"))
    checked = await _compare(running)
    stdout().print(users_table(checked.users, USERS))
    for mismatch in checked.mismatches:
        say_error(f"{mismatch.user}, {mismatch.case}: {mismatch.what}")
    if not checked.mismatches:
        say(f"{checked.queries} queries as {len(USERS)} users: every answer as SQL's, row for row.")
    say(f"Other commands can use these data: warmcube --config {running.configuration} stats")
    async with _serving(running, port) as url:
        say(f"The API answers on {url}. What each user may see of one query:")
        for user, call in sample_calls(running.cache.settings, url):
            say(f"\n# {user}, {USERS[user]}\n{call}")
        # Last, so that the long lines above don't push it off the screen.
        say(f"\nOpen {url} in a browser, and sign in as any of these users:")
        stdout().print(passwords_table(running.passwords, USERS))
        sys.stdout.flush()
        if sys.stdin.isatty() and sys.stdout.isatty():
            await prompt(running.cache)
        else:
            await end_of_input()
    return 1 if checked.mismatches else 0


@asynccontextmanager
async def _serving(running: Demo, port: int | None) -> AsyncIterator[str]:
    """The service beside the prompt, on the wanted port, or else on one that is free."""
    # The demo's libraries are loaded; those of the service needn't be for --check.
    from warmcube.service.app import create_app  # noqa: PLC0415
    from warmcube.service.serve import served  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        ports = (_PORT, 0) if port is None else (port,)
        for each in ports:
            section = running.cache.settings.service.model_copy(update={"port": each})
            settings = replace(running.cache.settings, service=section)
            try:
                url = await stack.enter_async_context(served(settings, create_app))
            except ServeError:
                if each == ports[-1]:
                    raise
            else:
                break
        yield url
