"""Reports, statistics and figures as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from rich.table import Table
from rich.text import Text

from warmcube.cli.console import plain
from warmcube.demo.check import UserReport
from warmcube.observe.stats import Stats
from warmcube.query.result import Result
from warmcube.warm.report import WarmReport

__all__ = [
    "byte_count",
    "passwords_table",
    "result_line",
    "stats_table",
    "users_table",
    "warm_line",
]


def byte_count(count: float) -> str:
    """Bytes as people read them: ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def result_line(result: Result) -> str:
    """Where an answer came from, in one line."""
    meta = result.meta
    parts = [f"{_some(len(result), 'row')} from the {meta.origin}"]
    total = meta.timings.get("total")
    if total is not None:
        parts[0] += f" in {total:.2f} ms"
    if meta.origin != "database":
        fetched = _some(meta.rows_fetched, "row")
        parts.append(f"{_some(meta.entries, 'entry', 'entries')} with {fetched} fetched")
    if meta.as_of is not None:
        age = timedelta(seconds=max(0, round((datetime.now(UTC) - meta.as_of).total_seconds())))
        parts.append(f"the table as of {age} ago")
    if meta.stale:
        parts.append("stale: warm it again")
    return "; ".join([*parts, *meta.notes])


def warm_line(report: WarmReport, name: str) -> str:
    """What a warm did, in one line."""
    how = ""
    if report.because:
        how = f", all of it since {report.because}"
    elif report.carried or report.dropped:
        how = f", {report.refreshed:,} of them read, {report.carried:,} carried over"
    gone = f", {report.dropped:,} gone" if report.dropped else ""
    return (
        f"{name}: {_some(report.rows, 'row')} in {_some(report.entries, 'entry', 'entries')} and "
        f"{_some(report.partitions, 'partition')} ({byte_count(report.bytes)}, index "
        f"{byte_count(report.index_bytes)}, sums {byte_count(report.sums_bytes)}) "
        f"warm in {report.seconds:.2f} s{how}{gone}; "
        f"snapshot {report.snapshot}"
    )


def stats_table(stats: Stats) -> Table:
    """What the cache holds of one data source."""
    table = Table(show_header=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in _facts(stats).items():
        if value is not None:
            table.add_row(name, Text(value))
    return table


def _facts(stats: Stats) -> Mapping[str, str | None]:
    def number(value: int | None) -> str | None:
        return None if value is None else f"{value:,}"

    def size(value: int | None) -> str | None:
        return None if value is None else byte_count(value)

    uses = None
    if stats.hits is not None and stats.misses is not None:
        rate = "" if stats.hit_rate is None else f" ({stats.hit_rate:.1%} hits)"
        uses = f"{stats.hits:,} hits, {stats.misses:,} misses{rate}"
    age = stats.age_seconds
    return {
        "data source": f"{stats.datasource}: {plain(stats.name)}",
        "state": stats.state,
        "warming": stats.warming,
        "snapshot": stats.snapshot,
        "rows": number(stats.rows),
        "entries": number(stats.entries),
        "partitions": number(stats.partitions),
        "index sets": number(stats.index_sets),
        "bytes of entries": size(stats.entry_bytes),
        "bytes of the index": size(stats.index_bytes),
        "bytes of sums": size(stats.sums_bytes),
        "measures": number(stats.measures),
        "frequencies": number(stats.frequencies),
        "practices": number(stats.practices),
        "providers": number(stats.providers),
        "first date": stats.first_date,
        "last date": stats.last_date,
        "last warm": stats.last_warm,
        "table as of": stats.as_of,
        "age": None if age is None else str(timedelta(seconds=round(age))),
        "fresh until": stats.fresh_until,
        "serves until": stats.serve_until,
        "queries since": uses,
        "verified": None
        if stats.verdict is None
        else f"{stats.verdict}, {stats.verified_at}"
        + ("" if stats.verified_snapshot == stats.snapshot else "; another snapshot"),
        "pinned by": None if stats.pinned_by is None else plain(stats.pinned_by),
        "kept": "\n".join(
            f"{each.snapshot}, as of {each.as_of}, {byte_count(each.bytes)}" for each in stats.kept
        )
        or None,
        "kept warm by": None if stats.worker is None else plain(stats.worker),
        "next warm": stats.next_warm,
        "next verification": stats.next_verify,
        "because": stats.held or stats.next_reason,
        "failed in a row": number(stats.failures or None),
        "last error": None if stats.last_error is None else plain(stats.last_error),
        "damaged parts": number(stats.damaged or None),
    }


def users_table(users: Mapping[str, UserReport], about: Mapping[str, str]) -> Table:
    """What each of the demo's users sees, and how fast."""
    table = Table(title="Charges, Monthly, as each sample user", title_justify="left")
    for name in ("user", "who"):
        table.add_column(name)
    for name in ("rows", "rows by SQL", "cache ms", "SQL ms"):
        table.add_column(name, justify="right")
    for user, report in users.items():
        is_right = report.rows == report.expected_rows
        table.add_row(
            user,
            about[user],
            Text(f"{report.rows:,}", style="" if is_right else "bold red"),
            f"{report.expected_rows:,}",
            f"{report.ms:.2f}",
            f"{report.sql_ms:.2f}",
        )
    return table


def passwords_table(passwords: Mapping[str, str], about: Mapping[str, str]) -> Table:
    """As whom one can sign in to the demo's pages, and how."""
    table = Table()
    for name in ("user", "password", "who"):
        table.add_column(name)
    for user, password in passwords.items():
        table.add_row(user, password, about[user])
    return table


def _some(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
