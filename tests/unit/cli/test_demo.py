"""What ``warmcube demo --check`` makes of a comparison."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import pytest

from warmcube.cli.answer import check_format
from warmcube.cli.demo import _check
from warmcube.cli.request import Format, Request
from warmcube.demo.check import CheckReport, Mismatch
from warmcube.demo.session import Demo
from warmcube.model.request import Query
from warmcube.query.asked import Asked
from warmcube.warm.report import WarmReport


@dataclass
class Compared:
    """A demo whose comparison is over."""

    rows: int
    report: CheckReport

    async def check(self, progress: Any) -> CheckReport:
        progress(1, 1)
        return self.report


def warmed(rows: int) -> WarmReport:
    """The report of a warm of so many rows."""
    return WarmReport(
        datasource=1,
        snapshot="1-a",
        rows=rows,
        entries=1,
        partitions=1,
        bytes=1,
        index_bytes=1,
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("mismatches", "rows", "status", "shown"),
    [
        ([], 10, 0, []),
        (
            [Mismatch(user="north", case="all rows", what="3 rows are missing")],
            10,
            1,
            [{"user": "north", "case": "all rows", "what": "3 rows are missing"}],
        ),
        (
            [],
            9,
            1,
            [{"user": None, "case": "the warm itself", "what": "9 rows were warmed, of 10"}],
        ),
    ],
)
async def test_a_difference_is_status_1(
    capsys: pytest.CaptureFixture[str],
    mismatches: list[Mismatch],
    rows: int,
    status: int,
    shown: list[dict[str, Any]],
) -> None:
    """One answer that differs, or rows that the warm lost, and the check fails; the JSON says."""
    demo = cast("Demo", Compared(10, CheckReport(mismatches=mismatches, queries=1)))
    assert await _check(demo, warmed(rows)) == status
    assert json.loads(capsys.readouterr().out)["mismatches"] == shown


@pytest.mark.parametrize("binary", [Format.PARQUET, Format.ARROW])
def test_no_binary_on_a_terminal(monkeypatch: pytest.MonkeyPatch, binary: Format) -> None:
    """Formats that a terminal can't show are refused there, and only there."""
    request = Request(
        asked=Asked(query=Query(datasource=1)), user="a", format=binary, explain=False
    )
    check_format(request)
    monkeypatch.setattr("warmcube.cli.answer.is_terminal", lambda: True)
    with pytest.raises(Exception, match=f"--format {binary} is binary: send it to a file"):
        check_format(request)
