"""What was measured, as tables: on a terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["NAMES", "Grid", "goal_rows", "grids", "headline", "show"]

_MEGA: Final = 1e6

NAMES: Final[Mapping[str, str]] = {
    "floor": "floor: SUNION, MGET",
    "floor_redis_py": "the same by redis-py",
    "one_get": "one GET of the same bytes",
    "fetch": "MGET of known keys",
    "store": "warmcube, store",
    "store_lookup": "warmcube, store, looked up",
    "resident": "warmcube, resident",
    "postgres_numeric": "Postgres, numeric",
    "postgres_int8": "Postgres, int8",
    "postgres_int8_tuned": "Postgres, int8, tuned",
    "postgres_arrays_tuned": "Postgres, arrays, tuned",
    "postgres": "Postgres, tuned",
    "duckdb_table": "DuckDB, table",
    "duckdb_parquet": "DuckDB, Parquet",
    "v1": "v1: document for all practices",
    "v2_json": "v2: JSON documents",
    "database": "warmcube, from the database",
    "store_beside_database": "warmcube, store, beside that",
    "store_beside_v1": "warmcube, store, beside v1",
    "store_beside_v2_json": "warmcube, store, beside v2",
    "result_cache": "cache of results",
    "nine": "nine charts",
    "one": "one of them",
    "small": "the data once",
    "large": "ten times the data",
}
"""What those who take part are called in tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table before it is drawn.

    Attributes:
        title: above it.
        heads: of the columns; those from `texts` on hold numbers.
        rows: the cells.
        texts: how many columns hold text.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1

    def markdown(self) -> str:
        """The table, without its title."""
        rule = ["---" if place < self.texts else "---:" for place in range(len(self.heads))]
        lines = [self.heads, rule, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def headline(found: Mapping[str, Any]) -> list[str]:
    """What it was measured on, in sentences."""
    machine, data, load = found["machine"], found["data"], found["load_average"]
    sums = "with" if data["practice_sums"] else "without"
    transport = found["transport"]
    where = (
        f"{machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB, {machine['system']}; "
        f"Python {machine['python']}, Redis {machine['redis_server']} ({transport['redis']}), "
        f"Postgres {machine['postgres_server']} ({transport['postgres']}), "
        f"uvloop {machine['uvloop']}, {found['client']}"
    )
    what = (
        f"{data['rows']:,} rows of {data['columns']} columns in {data['entries']:,} entries; "
        f"records of {data['record_bytes']} bytes, {sums} practice-level sums"
    )
    when = (
        f"load average {load['before']:.1f} before, {load['after']:.1f} after: above the number of "
        "cores, something else was running, and times are too long"
    )
    return [where, what, when]


def grids(found: Mapping[str, Any]) -> list[Grid]:
    """Every table but that of the goals."""
    figures = found["figures"]
    single: dict[str, Callable[[Mapping[str, Any]], Grid]] = {
        "everything": _everything,
        "warm": _warm,
        "memory": lambda memory: _memory(memory, found["data"]),
        "refresh": _refresh,
        "invalidate": _invalidate,
        "scale": _scale,
        "seals": lambda seals: _times("Proving 1,000 entries of 1,100 bytes, ms", seals),
    }
    return [
        *_queries(figures.get("queries", {})),
        *(
            _times(f"Nine charts of {each['practices']} practices, ms", each["times"])
            for each in figures.get("dashboard", {}).values()
        ),
        *_concurrent(figures),
        *(grid(figures[name]) for name, grid in single.items() if name in figures),
    ]


def _queries(queries: Mapping[str, Any]) -> Iterator[Grid]:
    for form, title in (("rows", "Rows: date and value"), ("sums", "Sums by date")):
        for entries, times in queries.get(form, {}).items():
            size = "1 entry" if entries == "1" else f"{int(entries):,} entries"
            yield _times(f"{title}, {size}, ms", times)


def _concurrent(figures: Mapping[str, Any]) -> Iterator[Grid]:
    throughput, mix = figures.get("throughput", {}), figures.get("mix", {})
    for entries in ("10", "100"):
        if entries in throughput:
            title = f"{throughput['at_a_time']} at a time, {entries} entries each"
            yield _bursts(title, throughput[entries])
    for at_a_time in ("1", "10", "100"):
        if at_a_time in mix:
            yield _bursts(f"The mix of users, {at_a_time} at a time", mix[at_a_time])


def _everything(each: Mapping[str, Any]) -> Grid:
    title = f"Sums by date of {each['entries']:,} entries, {each['rows']:,} rows, ms"
    return _times(title, each["sums"])


def _invalidate(each: Mapping[str, Any]) -> Grid:
    title = f"Invalidating {each['entries']:,} entries, ms"
    return _times(title, {"invalidate": each["times"], "PING meanwhile": each["pings"]})


def goal_rows(goals: Mapping[str, Any]) -> list[list[str]]:
    """Name, wanted, measured, met, and what it comes from."""
    rows = []
    for name, goal in goals.items():
        of = [
            f"{what} {'-' if figure is None else f'{figure:,.4g}'}"
            for what, figure in goal["of"].items()
        ]
        of += [f"not: {each}" for each, holds in goal["conditions"].items() if not holds]
        of += [goal["note"]] if goal["note"] else []
        value = "-" if goal["value"] is None else f"{goal['value']:.3g}"
        rows.append([name, goal["goal"], value, "yes" if goal["met"] else "no", "; ".join(of)])
    return rows


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Print everything that was measured."""
    for line in headline(found):
        console.print(line, soft_wrap=True, highlight=False)
    for grid in grids(found):
        table = Table(*grid.heads, title=grid.title)
        for place, column in enumerate(table.columns):
            column.justify = "left" if place < grid.texts else "right"
        for row in grid.rows:
            table.add_row(*map(escape, row))
        console.print(table)
    table = Table("goal", "wanted", "measured", "met", "of", title="Goals")
    for row in goal_rows(found["goals"]):
        style = "green" if row[3] == "yes" else "red"
        table.add_row(*row[:3], f"[{style}]{row[3]}[/]", escape(row[4]))
    table.columns[2].justify = "right"
    for column in table.columns[:4]:
        column.no_wrap = True
    console.print(table)


def _times(title: str, times: Mapping[str, Any]) -> Grid:
    rows = [
        [NAMES.get(name, name), f"{each['samples']:,}", *_percentiles(each)]
        for name, each in times.items()
    ]
    return Grid(title=title, heads=("who", "runs", "p50", "p95", "p99"), rows=rows)


def _bursts(title: str, bursts: Mapping[str, Any]) -> Grid:
    rows = [
        [NAMES.get(name, name), f"{each['per_second']:,.0f}", *_percentiles(each["times"])]
        for name, each in bursts.items()
    ]
    return Grid(title=title, heads=("who", "a second", "p50 ms", "p95 ms", "p99 ms"), rows=rows)


def _warm(warm: Mapping[str, Any]) -> Grid:
    rows = [[f"warm: {phase}", f"{seconds:.2f}", ""] for phase, seconds in warm["phases"].items()]
    rows += [["warm, whole", f"{warm['seconds']:.2f}", f"{warm['peak_bytes'] / _MEGA:.0f}"]]
    rows += [
        [f"COPY, read by {name} and dropped", f"{seconds:.2f}", ""]
        for name, seconds in warm["copy_seconds"].items()
    ]
    before = warm["v2_json"]
    rows += [[NAMES["v2_json"], f"{before['seconds']:.2f}", f"{before['peak_bytes'] / _MEGA:.0f}"]]
    title = f"Warm (the middle one of {warm['rounds']})"
    return Grid(title=title, heads=("what", "seconds", "peak memory, MB"), rows=rows)


def _refresh(refresh: Mapping[str, Any]) -> Grid:
    rows = [[f"refresh: {name}", f"{seconds:.2f}"] for name, seconds in refresh["phases"].items()]
    rows += [
        ["refresh of what has changed", f"{refresh['seconds']['changed']:.2f}"],
        ["whole warm", f"{refresh['seconds']['whole']:.2f}"],
    ]
    title = f"Refresh ({refresh['refreshed']} of {refresh['partitions']} partitions changed)"
    return Grid(title=title, heads=("what", "seconds"), rows=rows)


def _memory(memory: Mapping[str, Any], data: Mapping[str, Any]) -> Grid:
    sizes: dict[str, int | None] = {
        "entries": memory.get("entry_bytes"),
        "index sets and counts": memory.get("index_bytes"),
        "practice-level sums": memory.get("sums_bytes"),
        "manifest, dictionaries": memory.get("other_bytes"),
        "used_memory grew by": memory["used_bytes"],
        "  of v2_json": memory.get("v2_json_used_bytes"),
    }
    rows = [
        [name, f"{size / _MEGA:,.1f}", f"{size / data['rows']:.1f}"]
        for name, size in sizes.items()
        if size is not None
    ]
    return Grid(title="Memory of Redis", heads=("what", "MB", "bytes per row"), rows=rows)


def _scale(scale: Mapping[str, Any]) -> Grid:
    rows = [
        [
            NAMES[name],
            f"{sorted(scale['warm_seconds'][name])[len(scale['warm_seconds'][name]) // 2]:.2f}",
            f"{scale['peak_bytes'][name] / _MEGA:.0f}",
            *_percentiles(scale["rows_100_entries"][name]),
            f"{scale['rows_100_entries'][f'{name}_lookup']['p50']:,.3f}",
        ]
        for name in ("small", "large")
    ]
    heads = ("", "warm, s", "peak, MB", "100 entries: p50 ms", "p95", "p99", "looked up: p50 ms")
    return Grid(title=f"{scale['rows']:,} rows", heads=heads, rows=rows)


def _percentiles(each: Mapping[str, Any]) -> list[str]:
    return [f"{each[name]:,.3f}" for name in ("p50", "p95", "p99")]
