"""The progress bar of a warm, on stderr and only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from warmcube.cli.console import stderr
from warmcube.cli.render import byte_count
from warmcube.compare.report import Stage, VerifyProgress
from warmcube.prove.options import ProgressCallback as ProveCallback
from warmcube.warm.report import Phase, ProgressCallback
from warmcube.warm.report import Progress as WarmProgress

__all__ = ["counting", "proving", "verifying", "warming"]


@contextmanager
def warming(name: str, *, is_wanted: bool = True) -> Iterator[ProgressCallback | None]:
    """A bar with phase, rows, entries, bytes and the time that is left.

    Args:
        name: of the data source.
        is_wanted: False where the output is for machines.

    Yields:
        What the warm is to call; None where nobody watches.
    """
    if not is_wanted or not sys.stderr.isatty():
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(name, total=None, figures="")

        def show(progress: WarmProgress) -> None:
            bar.update(
                task,
                description=f"{name}: {progress.phase}",
                total=progress.total_rows,
                completed=progress.total_rows
                if progress.phase is Phase.DONE and progress.total_rows
                else progress.rows,
                figures=_figures(progress),
            )

        yield show


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for anything that counts up to a total."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}", markup=False),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def proving(*, is_wanted: bool = True) -> Iterator[ProveCallback | None]:
    """A bar with the cases of a proof and what was found so far.

    Args:
        is_wanted: False where the output is for machines.

    Yields:
        What the proof is to call; None where nobody watches.
    """
    if not is_wanted or not sys.stderr.isatty():
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f} cases{task.fields[found]}", markup=False),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task("trying to break out", total=None, found="")

        def show(done: int, planned: int, found: int) -> None:
            wrong = f", {found:,} wrong" if found else ""
            bar.update(task, completed=done, total=planned, found=wrong)

        yield show


@contextmanager
def verifying(name: str, *, is_wanted: bool = True) -> Iterator[VerifyProgress | None]:
    """A bar with the stage and how far it is.

    Args:
        name: of the data source.
        is_wanted: False where the output is for machines.

    Yields:
        What the verification is to call; None where nobody watches.
    """
    if not is_wanted or not sys.stderr.isatty():
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}", markup=False),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(name, total=0, unit="rows")

        def show(stage: Stage, done: int, total: int) -> None:
            unit = "slices" if stage is Stage.SLICES else "rows"
            bar.update(task, description=f"{name}: {stage}", completed=done, total=total, unit=unit)

        yield show


def _figures(progress: WarmProgress) -> str:
    rows = f"{progress.rows:,}"
    if progress.total_rows is not None:
        rows += f"/{progress.total_rows:,}"
    parts = [f"{rows} rows"]
    if progress.entries:
        parts.append(f"{progress.entries:,} entries, {byte_count(progress.bytes)}")
    if progress.eta_seconds is not None:
        parts.append(f"{progress.eta_seconds:.0f} s left")
    return ", ".join(parts)
