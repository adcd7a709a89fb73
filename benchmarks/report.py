"""What was measured, as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.seals import ENTRIES, SIZE

__all__ = ["show"]

_MEGA = 1e6


def show(console: Console, found: dict[str, Any]) -> None:
    """Print everything that was measured."""
    machine, data = found["machine"], found["data"]
    console.print(
        f"{machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB, {machine['system']}; "
        f"Python {machine['python']}, Redis {machine['redis_server']}, "
        f"Postgres {machine['postgres_server']}; uvloop {machine['uvloop']}; Unix sockets",
        soft_wrap=True,
    )
    console.print(
        f"{data['rows']:,} rows of {data['columns']} columns in {data['entries']:,} entries"
    )
    load = found["load_average"]
    console.print(
        f"Load average: {load['before']:.1f} before, {load['after']:.1f} after. Above the number "
        "of cores, something else was running, and all times are too long.",
        soft_wrap=True,
    )
    console.print(_warm(found["warm"]))
    console.print(_queries(found["queries"]))
    console.print(_memory(found["memory"], data))
    console.print(_fallback(found["fallback"]))
    console.print(_seals(found["seals"]))


def _warm(warm: dict[str, Any]) -> Table:
    table = Table("", "seconds", title=f"Warm (the middle one of {warm['rounds']})")
    table.columns[1].justify = "right"
    for phase, seconds in warm["phases"].items():
        table.add_row(phase, f"{seconds:.2f}")
    table.add_row("whole", f"{warm['seconds']:.2f}", style="bold")
    table.add_row("floor: read the table, drop it", f"{warm['floor_seconds']:.2f}")
    table.add_row("whole / floor", f"{warm['times_floor']:.1f}")
    if warm["peak_bytes"] is not None:
        table.add_row("peak memory, MB", f"{warm['peak_bytes'] / _MEGA:.0f}")
        table.add_row("  of it before the warm", f"{warm['peak_bytes_before'] / _MEGA:.0f}")
    return table


def _queries(queries: list[dict[str, Any]]) -> Table:
    table = Table("entries", "who", "what", "p50", "p95", "p99", title="Queries, ms")
    names = {
        "cache_rows": ("cache", "rows, all columns"),
        "cache_sums": ("cache", "sums by date"),
        "floor": ("SUNION, MGET", "bytes"),
        "postgres_rows": ("Postgres", "rows, 4 columns"),
        "postgres_sums": ("Postgres", "sums by date"),
    }
    for query in queries:
        for key, (who, what) in names.items():
            each = query[key]
            table.add_row(f"{query['entries']:,}", who, what, *_percentiles(each))
        table.add_section()
    return _right(table)


def _memory(memory: dict[str, Any], data: dict[str, Any]) -> Table:
    table = Table("", "MB", title="Memory of Redis")
    table.add_row("entries", f"{memory['entry_bytes'] / _MEGA:.1f}")
    table.add_row("index sets and counts", f"{memory['index_bytes'] / _MEGA:.1f}")
    table.add_row("  as a share of the entries", f"{memory['index_share_of_entries']:.1%}")
    table.add_row("manifest, dictionaries", f"{memory['other_bytes'] / _MEGA:.2f}")
    table.add_row("used_memory grew by", f"{memory['used_bytes'] / _MEGA:.1f}")
    table.add_row("  bytes per row", f"{memory['used_bytes'] / data['rows']:.0f}")
    table.columns[1].justify = "right"
    return table


def _fallback(fallback: list[dict[str, Any]]) -> Table:
    table = Table("entries", "p50", "p95", "p99", title="The same rows from the database, ms")
    for each in fallback:
        table.add_row(f"{each['entries']:,}", *_percentiles(each["rows"]))
    return _right(table)


def _seals(seals: dict[str, Any]) -> Table:
    title = f"Proving {ENTRIES:,} entries of {SIZE:,} bytes, ms"
    table = Table("integrity", "least", "p50", "p95", "p99", title=title)
    for name, each in seals.items():
        table.add_row(name, f"{each['least']:.2f}", *_percentiles(each))
    return _right(table)


def _percentiles(each: dict[str, Any]) -> tuple[str, str, str]:
    return f"{each['p50']:.2f}", f"{each['p95']:.2f}", f"{each['p99']:.2f}"


def _right(table: Table) -> Table:
    for column in table.columns:
        if column.header in ("entries", "least", "p50", "p95", "p99"):
            column.justify = "right"
    return table
