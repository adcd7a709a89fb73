"""How answers, reports and figures look."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from rich.console import Console, RenderableType

from warmcube.cli.progress import counting, warming
from warmcube.cli.render import byte_count, result_line, stats_table, users_table, warm_line
from warmcube.cli.render_explain import explanation_tree
from warmcube.cli.render_rows import rows_of
from warmcube.demo.check import UserReport
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.observe.stats import Stats
from warmcube.query.explain import Explanation
from warmcube.query.result import Meta, Result
from warmcube.warm.report import Phase, Progress, WarmReport


def console(width: int = 100) -> Console:
    """A console that keeps what is printed."""
    return Console(file=io.StringIO(), width=width, markup=False, highlight=False)


def printed(what: RenderableType, width: int = 100) -> str:
    """What a console of this width shows, without the spaces at the ends of lines."""
    on = console(width)
    on.print(what)
    assert isinstance(on.file, io.StringIO)
    return "\n".join(line.rstrip() for line in on.file.getvalue().splitlines())


def result(rows: int, meta: Meta | None = None) -> Result:
    """An answer with a number and a text in each row; the first text is NULL."""
    valid = np.arange(rows) > 0
    columns = {
        "count": ColumnData(ColumnType(Kind.BIGINT), np.arange(rows, dtype=np.int64)),
        "name": ColumnData(
            ColumnType(Kind.TEXT), np.zeros(rows, np.int64), valid, ["a rather long \x1b[31mname"]
        ),
    }
    return Result(Table(columns, rows), meta or Meta(origin="store", rows=rows))


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_250_000, "1.2 MB"), (3e12, "3.0 TB")],
)
def test_bytes(count: float, shown: str) -> None:
    """Bytes have the unit in which they are short."""
    assert byte_count(count) == shown


def test_rows_that_fit_are_a_table() -> None:
    """NULL shows as NULL, and nothing that a terminal would obey gets through."""
    on = console()
    text = printed(rows_of(result(3), on, is_cut=True))
    assert text.splitlines()[1] == "┃ count ┃ name                       ┃"
    assert "│     0 │ NULL" in text
    assert "│     2 │ a rather long \\x1b[31mname │" in text


def test_rows_that_do_not_fit_are_blocks() -> None:
    """Each column has its own line, with the value in full."""
    on = console(24)
    text = printed(rows_of(result(22), on, is_cut=True), 24)
    assert "row 1 ──" in text
    assert "count  0\nname   NULL\nrow 2 ──" in text
    assert "count  1\nname   a rather long\n       \\x1b[31mname" in text
    assert "row 20 ──" in text
    assert "row 21 ──" not in text
    assert "2 more rows; --format" in text


def test_only_a_terminal_cuts() -> None:
    """A table for a person ends after a hundred rows and says so; for a pipe it doesn't."""
    cut = printed(rows_of(result(103), console(), is_cut=True))
    assert "3 more rows" in cut
    assert "│   102 │" not in cut
    whole = printed(rows_of(result(103), console(), is_cut=False))
    assert "more rows" not in whole
    assert "│   102 │" in whole
    blocks = printed(rows_of(result(23), console(24), is_cut=False), 24)
    assert "row 23 ──" in blocks


def test_result_line() -> None:
    """Where an answer came from, how long it took, how old it is, and what else is to be known."""
    meta = Meta(
        origin="store",
        as_of=datetime.now(UTC) - timedelta(hours=2),
        entries=1,
        rows_fetched=24,
        timings={"total": 1.234},
        stale=True,
        notes=("a note",),
    )
    assert result_line(result(1, meta)) == (
        "1 row from the store in 1.23 ms; 1 entry with 24 rows fetched; the table as of 2:00:00 "
        "ago; stale: warm it again; a note"
    )
    assert result_line(result(2, Meta(origin="database"))) == "2 rows from the database"


def test_warm_line() -> None:
    """A warm in one line."""
    report = WarmReport(
        datasource=1,
        snapshot="7-ab",
        rows=1_234,
        entries=1,
        partitions=2,
        bytes=4_000,
        index_bytes=10,
        seconds=0.5,
    )
    assert warm_line(report, "Sales") == (
        "Sales: 1,234 rows in 1 entry and 2 partitions (4.0 kB, index 10 B, sums 0 B) warm in "
        "0.50 s; snapshot 7-ab"
    )


def test_stats() -> None:
    """Known figures show; what isn't known doesn't show as zero."""
    never = printed(stats_table(Stats(datasource=1, name="Sales", state="never warmed")))
    assert "never warmed" in never
    assert "rows" not in never
    full = printed(
        stats_table(
            Stats(
                datasource=1,
                name="Sales",
                state="fresh",
                rows=12_345,
                age_seconds=61.2,
                hits=3,
                misses=1,
                hit_rate=0.75,
            )
        )
    )
    assert "12,345" in full
    assert "0:01:01" in full
    assert "3 hits, 1 misses (75.0% hits)" in full
    unused = printed(stats_table(Stats(datasource=1, name="S", state="fresh", hits=0, misses=0)))
    assert "0 hits, 0 misses │" in unused


def test_users() -> None:
    """The demo's table has a line for each user."""
    report = UserReport(rows=1_444, expected_rows=1_445, ms=1.234, sql_ms=10, origin="store")
    text = printed(users_table({"root": report}, {"root": "everything"}))
    assert "│ root │ everything │ 1,444 │       1,445 │     1.23 │  10.00 │" in text


def test_explanation_from_the_store() -> None:
    """The tree says what was looked up, fetched, evaluated, and how long each step took."""
    explanation = Explanation(
        origin="store",
        partition={"measure": "Charges", "frequency": None},
        practices=2,
        providers=None,
        boxes=2,
        index_sets=2,
        members=12,
        entries=12,
        bytes_fetched=4_000,
        rows_fetched=240,
        rows=24,
        whole_partition=True,
        trips=2,
        timings={"lookup": 0.5},
        unusable_ids=("x1",),
    )
    assert printed(explanation_tree(explanation)) == (
        "answered from the store\n"
        "├── partition: measure 'Charges', frequency NULL or absent\n"
        "├── scope: 2 practices, all providers, in 2 parts\n"
        "│   └── ids that the columns can't hold, and that grant nothing here: x1\n"
        "├── lookup\n"
        "│   ├── index sets: 2, one of them that of the whole partition\n"
        "│   ├── entries in scope: 12, fetched (4.0 kB)\n"
        "│   └── trips to the store: 2\n"
        "├── evaluated 240 rows, and answered with 24\n"
        "└── time\n"
        "    └── lookup: 0.500 ms"
    )


def test_explanation_from_the_database() -> None:
    """Why the cache couldn't answer comes first; an empty scope is nothing."""
    explanation = Explanation(origin="database", why_database="it is cold", boxes=0)
    text = printed(explanation_tree(explanation))
    assert text.startswith("answered from the database\n├── because it is cold\n")
    assert "├── scope: nothing" in text
    assert "lookup" not in text


class Terminal(io.StringIO):
    """A stderr that somebody watches."""

    def isatty(self) -> bool:
        return True


def test_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is no bar, and nothing to call."""
    with warming("Sales") as progress:
        assert progress is None
    with counting("loading", 10) as count:
        count(5)
    assert capsys.readouterr().err == ""


def test_progress_of_a_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows phase, rows, entries, bytes and the time that is left."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    watched = Terminal()
    monkeypatch.setattr("sys.stderr", watched)
    with warming("Sales", is_wanted=False) as progress:
        assert progress is None
    with warming("Sales") as progress:
        assert progress is not None
        progress(Progress(phase=Phase.COUNTING))
        progress(Progress(phase=Phase.DONE, rows=10, total_rows=10))
        progress(
            Progress(
                phase=Phase.WRITING,
                rows=5_000,
                total_rows=10_000,
                entries=12,
                bytes=4_000,
                eta_seconds=3.4,
            )
        )
    shown = watched.getvalue()
    assert "Sales: writing" in shown
    assert "5,000/10,000 rows, 12 entries, 4.0 kB, 3 s left" in shown


def test_progress_of_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows how many of how many are done."""
    monkeypatch.setenv("TERM", "xterm")
    watched = Terminal()
    monkeypatch.setattr("sys.stderr", watched)
    with counting("loading rows", 2_000) as count:
        count(1_500)
    assert "1,500/2,000" in watched.getvalue()
