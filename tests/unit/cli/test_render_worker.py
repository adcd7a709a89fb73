"""What a worker prints, and how what all of them do looks."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace

import pytest
from rich.console import Console

from warmcube.cli.render_worker import event_facts, event_line, status_tables
from warmcube.compare.report import Verdict, VerifyReport
from warmcube.jobs.job import Job, JobState
from warmcube.jobs.workers import WorkerCard
from warmcube.observe.outlook import Outlook
from warmcube.warm.report import Phase, Progress, WarmReport
from warmcube.worker.events import Event, EventKind
from warmcube.worker.status import SourceStatus, Status

NAMES = {1: "Facts", 2: "More"}
REPORT = WarmReport(
    datasource=1, snapshot="1-a", rows=5, entries=4, partitions=3, bytes=2, index_bytes=1, seconds=1
)
VERIFIED = VerifyReport(
    datasource=1,
    snapshot="1-a",
    verdict=Verdict.CHANGED,
    advice="warm it",
    as_of="2026-01-01T00:00:00+00:00",
    compared_at=None,
    change_column=None,
    has_fingerprints=False,
    partitions=1,
    rows=5,
    database_rows=6,
    entries=2,
    slices=1,
    slice_rows=1,
    slices_left_out=0,
    seed=6,
    findings_total=3,
)
EQUAL = replace(VERIFIED, verdict=Verdict.EQUAL, advice="", findings_total=0)
HALF = Progress(phase=Phase.WRITING, rows=2_000, total_rows=4_000)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event(kind=EventKind.STARTED), "worker: keeps 1 (Facts), 2 (More) warm"),
        (
            Event(kind=EventKind.WAITING, error="no route"),
            "worker: waits for the store: no route",
        ),
        (Event(kind=EventKind.BACK), "worker: the store is back"),
        (
            Event(kind=EventKind.WARMING, datasource=1, reason="damage"),
            "1 (Facts): warms, since it is damaged",
        ),
        (
            Event(kind=EventKind.PROGRESS, datasource=2, progress=HALF),
            "2 (More): 70%, writing, 2,000 rows",
        ),
        (
            Event(kind=EventKind.WARMED, datasource=1, report=REPORT),
            (
                "1 (Facts): 5 rows in 4 entries and 3 partitions (2 B, index 1 B, sums 0 B) warm "
                "in 1.00 s; snapshot 1-a"
            ),
        ),
        (
            Event(kind=EventKind.FAILED, datasource=1, error="WarmRefused: too few"),
            "1 (Facts): not warmed: WarmRefused: too few",
        ),
        (
            Event(kind=EventKind.GIVEN_UP, datasource=1),
            "1 (Facts): given up, told to end; the old snapshot goes on serving",
        ),
        (
            Event(kind=EventKind.VERIFYING, datasource=1, reason="scheduled"),
            "1 (Facts): verifies, by its schedule",
        ),
        (
            Event(kind=EventKind.VERIFIED, datasource=1, verified=VERIFIED),
            "1 (Facts): verified: changed, 3 findings; warm it",
        ),
        (
            Event(kind=EventKind.VERIFIED, datasource=1, verified=EQUAL),
            "1 (Facts): verified: equal, 0 findings",
        ),
        (
            Event(kind=EventKind.UNVERIFIED, datasource=1, error="VerifyError: it is cold"),
            "1 (Facts): not verified: VerifyError: it is cold",
        ),
    ],
)
def test_each_event_is_a_line(event: Event, line: str) -> None:
    """For people, and an object of JSON for programs."""
    assert event_line(event, NAMES) == line
    facts = json.loads(json.dumps(event_facts(event)))
    assert facts["event"] == event.kind.value.replace(" ", "_")
    assert facts.get("datasource") == event.datasource
    assert facts.get("error") == event.error
    assert ("report" in facts, "progress" in facts) == (
        event.report is not None,
        event.progress is not None,
    )
    assert facts.get("verified") == (
        None if event.verified is None else {**asdict(event.verified), "findings": []}
    )


def printed(status: Status) -> str:
    """What a console shows."""
    on = Console(file=io.StringIO(), width=200, markup=False, highlight=False)
    for table in status_tables(status):
        on.print(table)
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_the_status_says_what_when_why_and_what_went_wrong() -> None:
    """And nothing that somebody wrote into the store is obeyed by a terminal."""
    card = WorkerCard(
        id="a",
        host="h\x1b[31m",
        process=7,
        version="1",
        since_ms=0,
        datasources=(1, 2),
        warming=(2,),
        is_ending=True,
    )
    job = Job(
        id="2-0123456789abcdef",
        datasource=2,
        actor="a",
        process="p",
        state=JobState.RUNNING,
        done=0.5,
        phase="writing",
        queued_ms=1,
        updated_ms=1,
    )
    outlooks = (
        Outlook(
            by="h",
            state="waiting",
            next_ms=3_600_000,
            reason="aging",
            failures=3,
            error="WarmRefused: too few rows",
            damaged=2,
            verify_ms=7_200_000,
        ),
        Outlook(by="h", state="warming", next_ms=1, reason="cold"),
        Outlook(by="h", state="held", held="pinned"),
        None,
    )
    status = Status(
        now_ms=60_000,
        workers=(card,),
        datasources=tuple(
            SourceStatus(
                datasource=number,
                name=f"Source {number}",
                workers=1,
                outlook=outlook,
                job=job if number == 2 else None,
            )
            for number, outlook in enumerate(outlooks, 1)
        ),
    )
    shown = printed(status)
    assert "\x1b" not in shown
    assert "ending; 2" in shown
    rows = {line.split("│")[1].strip(): line for line in shown.splitlines() if "Source" in line}
    assert "1970-01-01 01:00:00 UTC (in 0:59:00)" in rows["1: Source 1"]
    assert "1970-01-01 02:00:00 UTC (in 1:59:00)" in rows["1: Source 1"]
    assert "waiting; 2 damaged" in rows["1: Source 1"]
    assert "3 times: WarmRefused: too few rows" in rows["1: Source 1"]
    assert "warming 50%, writing" in rows["2: Source 2"]
    assert "now" in rows["2: Source 2"]
    assert "when asked for" in rows["3: Source 3"]
    assert "pinned" in rows["3: Source 3"]
    assert "no worker" in rows["4: Source 4"]
