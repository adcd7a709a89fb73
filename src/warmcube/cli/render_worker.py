"""What a worker does, as lines, and what all of them do, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from warmcube.cli.console import plain
from warmcube.cli.render import warm_line
from warmcube.jobs.share import share_of
from warmcube.worker.events import Event, EventKind
from warmcube.worker.status import SourceStatus, Status

__all__ = ["event_facts", "event_line", "status_tables"]

_OF_ALL = {
    EventKind.STARTED: "keeps {names} warm",
    EventKind.WAITING: "waits for the store: {error}",
    EventKind.BACK: "the store is back",
    EventKind.ENDING: "ends as soon as what runs is done; once more gives that up",
    EventKind.ENDED: "ended",
}


def event_line(event: Event, names: Mapping[int, str]) -> str:
    """One event, for people.

    Args:
        event: what happened.
        names: of the data sources, by id.
    """
    if event.datasource is None:
        text = _OF_ALL[event.kind].format(
            names=", ".join(f"{number} ({name})" for number, name in names.items()),
            error=event.error,
        )
        return f"worker: {text}"
    named = f"{event.datasource} ({names[event.datasource]})"
    if event.report is not None:
        return f"{event.datasource} {warm_line(event.report, f'({names[event.datasource]})')}"
    if event.progress is not None:
        progress = event.progress
        return f"{named}: {share_of(progress):.0%}, {progress.phase}, {progress.rows:,} rows"
    return f"{named}: {_IN_WORDS[event.kind](event)}"


def _verified(event: Event) -> str:
    report = event.verified
    if report is None:
        return "verifies, by its schedule"
    advice = f"; {report.advice}" if report.advice else ""
    return f"verified: {report.verdict}, {report.findings_total:,} findings{advice}"


_IN_WORDS: Mapping[EventKind, Callable[[Event], str]] = {
    EventKind.WARMING: lambda event: f"warms, {_why(event.reason)}",
    EventKind.FAILED: lambda event: f"not warmed: {event.error}",
    EventKind.LEFT: lambda event: f"left to another worker: {event.error}",
    EventKind.GIVEN_UP: lambda _: "given up, told to end; the old snapshot goes on serving",
    EventKind.VERIFYING: _verified,
    EventKind.VERIFIED: _verified,
    EventKind.UNVERIFIED: lambda event: f"not verified: {event.error}",
}


def event_facts(event: Event) -> dict[str, Any]:
    """One event, for programs: a line of JSON has it."""
    facts: dict[str, Any] = {"event": event.kind.value.replace(" ", "_")}
    if event.datasource is not None:
        facts |= {"datasource": event.datasource, "reason": event.reason}
    if event.progress is not None:
        facts["progress"] = {**asdict(event.progress), "done": share_of(event.progress)}
    if event.report is not None:
        facts["report"] = asdict(event.report)
    if event.verified is not None:
        facts["verified"] = asdict(event.verified)
    if event.error is not None:
        facts["error"] = event.error
    return facts


def status_tables(status: Status) -> Iterable[Table]:
    """The workers, and what comes next of each data source."""
    workers = Table(title="Workers", title_justify="left")
    for name in ("worker", "version", "since", "looks after", "warms now"):
        workers.add_column(name)
    for card in status.workers:
        workers.add_row(
            Text(plain(f"{card.host} process {card.process}")),
            Text(plain(card.version)),
            _ago(status.now_ms - card.since_ms),
            _listed(card.datasources),
            ("ending; " if card.is_ending else "")
            + (_listed(card.warming) or "nothing")
            + (f"; leaves {_listed(card.leaves)} to others" if card.leaves else ""),
        )
    yield workers
    sources = Table(title="Data sources", title_justify="left")
    for name in ("data source", "state", "next warm", "why", "next verification", "last error"):
        sources.add_column(name)
    for each in status.datasources:
        sources.add_row(*_source_row(each, status.now_ms))
    yield sources


def _source_row(each: SourceStatus, now_ms: int) -> tuple[str | Text, ...]:
    named, outlook = Text(plain(f"{each.datasource}: {each.name}")), each.outlook
    running = "" if each.job is None else f"{each.job.done:.0%}, {each.job.phase or 'queued'}"
    if outlook is None:
        return named, running or "no worker", "", "", "", ""
    state = f"{outlook.state} {running}".strip()
    if outlook.damaged:
        state += f"; {outlook.damaged} damaged"
    error = "" if outlook.error is None else f"{outlook.failures} times: {outlook.error}"
    why = outlook.held or (None if outlook.reason is None else _why(outlook.reason)) or ""
    verify = _in(outlook.verify_ms, now_ms)
    return named, state, _in(outlook.next_ms, now_ms), Text(plain(why)), verify, Text(plain(error))


def _why(reason: str | None) -> str:
    return {
        "cold": "since it is cold",
        "aging": "before its snapshot is too old",
        "scheduled": "by its schedule",
        "damage": "since it is damaged",
    }.get(reason or "", reason or "")


def _in(at_ms: int | None, now_ms: int) -> str:
    if at_ms is None:
        return "when asked for"
    if at_ms <= now_ms:
        return "now"
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S UTC} (in {timedelta(seconds=round((at_ms - now_ms) / 1000))})"


def _ago(milliseconds: int) -> str:
    return str(timedelta(seconds=max(0, round(milliseconds / 1000))))


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))
