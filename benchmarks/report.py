"""What was measured, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["show"]

_MEGA = 1e6


def show(console: Console, found: dict[str, Any]) -> None:
    """Print everything that was measured."""
    machine, data = found["machine"], found["data"]
    console.print(
        f"{machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB, {machine['system']}; "
        f"Python {machine['python']}, Redis {machine['redis_server']} ("
        f"{found['transport']['redis']}), Postgres {machine['postgres_server']} "
        f"({found['transport']['postgres']}); uvloop {machine['uvloop']}",
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
    figures = found["figures"]
    for form, sizes in figures.get("queries", {}).items():
        console.print(_queries(form, sizes))
    if "warm" in figures:
        console.print(_warm(figures["warm"]))
    if "entry_bytes" in figures.get("memory", {}):
        console.print(_memory(figures["memory"], data))
    if "seals" in figures:
        console.print(_times("Proving 1,000 entries of 1,100 bytes, ms", figures["seals"]))
    console.print(_goals(found["goals"]))


def _goals(goals: Mapping[str, Any]) -> Table:
    table = Table("goal", "wanted", "measured", "met", "of", title="Goals")
    for name, goal in goals.items():
        value = "-" if goal["value"] is None else f"{goal['value']:.3g}"
        of = ", ".join(
            f"{what} {'-' if figure is None else f'{figure:.4g}'}"
            for what, figure in goal["of"].items()
        )
        of += "".join(f"; not: {each}" for each, holds in goal["conditions"].items() if not holds)
        style = "green" if goal["met"] else "red"
        met = f"[{style}]{'yes' if goal['met'] else 'no'}[/]"
        of += f"; {goal['note']}" if goal["note"] else ""
        table.add_row(name, goal["goal"], value, met, of.removeprefix("; "))
    table.columns[2].justify = "right"
    for column in table.columns[:4]:
        column.no_wrap = True
    return table


def _queries(form: str, sizes: Mapping[int, Mapping[str, Any]]) -> Table:
    title = "Rows: date and value, ms" if form == "rows" else "Sums by date, ms"
    table = Table("entries", "who", "rounds", "p50", "p95", "p99", title=title)
    for entries, times in sizes.items():
        for name, each in times.items():
            table.add_row(f"{entries:,}", name, str(each["samples"]), *_percentiles(each))
        table.add_section()
    return _right(table)


def _times(title: str, times: Mapping[str, Any]) -> Table:
    table = Table("", "rounds", "p50", "p95", "p99", title=title)
    for name, each in times.items():
        table.add_row(name, str(each["samples"]), *_percentiles(each))
    return _right(table)


def _warm(warm: dict[str, Any]) -> Table:
    table = Table("", "seconds", title=f"Warm (the middle one of {warm['rounds']})")
    table.columns[1].justify = "right"
    for phase, seconds in warm["phases"].items():
        table.add_row(phase, f"{seconds:.2f}")
    table.add_row("whole", f"{warm['seconds']:.2f}", style="bold")
    for name, seconds in warm["copy_seconds"].items():
        table.add_row(f"COPY, read by {name} and dropped", f"{seconds:.2f}")
    table.add_row("peak memory, MB", f"{warm['peak_bytes'] / _MEGA:.0f}")
    table.add_row("  of it before the warm", f"{warm['peak_bytes_before'] / _MEGA:.0f}")
    return table


def _memory(memory: dict[str, Any], data: dict[str, Any]) -> Table:
    table = Table("", "MB", title="Memory of Redis")
    table.add_row("entries", f"{memory['entry_bytes'] / _MEGA:.1f}")
    table.add_row("index sets and counts", f"{memory['index_bytes'] / _MEGA:.1f}")
    table.add_row("  as a share of the entries", f"{memory['index_share_of_entries']:.1%}")
    table.add_row("manifest, dictionaries", f"{memory['other_bytes'] / _MEGA:.2f}")
    table.add_row("bytes per row", f"{memory['snapshot_bytes'] / data['rows']:.0f}")
    table.columns[1].justify = "right"
    return table


def _percentiles(each: Mapping[str, Any]) -> tuple[str, str, str]:
    return f"{each['p50']:.3f}", f"{each['p95']:.3f}", f"{each['p99']:.3f}"


def _right(table: Table) -> Table:
    for column in table.columns:
        if column.header in ("entries", "rounds", "p50", "p95", "p99"):
            column.justify = "right"
    return table
