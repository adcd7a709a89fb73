"""`warmcube.jobs.job`: what a job's record holds, and how it is read back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from warmcube.errors import Damage, SourceError, WarmRefused
from warmcube.jobs.job import (
    Job,
    JobFailure,
    JobState,
    datasource_of_job,
    failure_of,
    pack_job,
    unpack_job,
)
from warmcube.warm.refresh import Refresh

JOB = Job(
    id="7-0123456789abcdef",
    datasource=7,
    actor="root",
    process="host process 12",
    forced=True,
    reason="damage",
    refresh=Refresh(measures=("a", None)),
    state=JobState.FAILED,
    revision=3,
    phase="writing",
    done=0.61,
    rows=10,
    total_rows=20,
    entries=4,
    bytes=99,
    queued_ms=1_700_000_000_000,
    started_ms=1_700_000_000_500,
    updated_ms=1_700_000_001_000,
    ended_ms=1_700_000_001_000,
    failure=JobFailure("WarmRefused", "too few rows"),
    report={"rows": 20},
)


def test_it_comes_back_as_it_was() -> None:
    """Every field of a record survives the store."""
    assert unpack_job(pack_job(JOB)) == JOB
    fresh = Job(id=JOB.id, datasource=7, actor="a", process="p", queued_ms=1, updated_ms=1)
    assert unpack_job(pack_job(fresh)) == fresh
    named = replace(fresh, refresh=Refresh(frequencies=("f",)))
    assert unpack_job(pack_job(named)) == named


def test_records_of_before_are_of_whole_tables() -> None:
    """A job that was recorded before there were refreshes can still be read."""
    facts = json.loads(pack_job(JOB))
    del facts["refresh"]
    assert unpack_job(json.dumps(facts).encode()) == replace(JOB, refresh=None)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"[]",
        b"{}",
        pack_job(JOB).replace(b'"failed"', b'"lost"'),
        pack_job(JOB).replace(b'"kind"', b'"sort"'),
        pack_job(JOB).replace(b'"datasource":7', b'"datasource":8'),
        pack_job(JOB).replace(b'"7-0123456789abcdef"', b"7"),
    ],
)
def test_what_is_no_record_is_damage(stored: bytes) -> None:
    """Nothing from the store is believed, and nothing of it makes a reader fall over."""
    with pytest.raises(Damage):
        unpack_job(stored)


def test_a_record_of_before_there_were_reasons() -> None:
    """It was asked for."""
    stored = pack_job(JOB).replace(b'"reason":"damage",', b"")
    assert unpack_job(stored) == replace(JOB, reason="asked")


@pytest.mark.parametrize(
    ("id", "datasource"),
    [
        ("0-0123456789abcdef", 0),
        ("12-0123456789abcdef", 12),
        ("012-0123456789abcdef", None),
        ("12-0123456789abcde", None),
        ("12-0123456789ABCDEF", None),
        ("12-0123456789abcdef\n", None),
        ("1{}-0123456789abcdef", None),
        ("", None),
    ],
)
def test_an_id_names_its_data_source(id: str, datasource: int | None) -> None:
    """Only as it is made: nothing that somebody asks for can name another key."""
    assert datasource_of_job(id) == datasource


def test_people_read_instants() -> None:
    """For JSON, times are ISO 8601, and all else is as it is kept."""
    told = JOB.as_dict()
    assert json.loads(json.dumps(told)) == {
        "id": "7-0123456789abcdef",
        "datasource": 7,
        "actor": "root",
        "process": "host process 12",
        "forced": True,
        "reason": "damage",
        "refresh": {"measures": ["a", None], "frequencies": None, "changed": False},
        "state": "failed",
        "revision": 3,
        "phase": "writing",
        "done": 0.61,
        "rows": 10,
        "total_rows": 20,
        "entries": 4,
        "bytes": 99,
        "eta_seconds": None,
        "queued": "2023-11-14T22:13:20.000+00:00",
        "started": "2023-11-14T22:13:20.500+00:00",
        "updated": "2023-11-14T22:13:21.000+00:00",
        "ended": "2023-11-14T22:13:21.000+00:00",
        "failure": {"kind": "WarmRefused", "message": "too few rows"},
        "report": {"rows": 20},
    }
    queued = Job(id=JOB.id, datasource=7, actor="a", process="p", queued_ms=1, updated_ms=1)
    assert queued.as_dict()["started"] is None


def test_a_change_is_a_revision() -> None:
    """Whoever knows a revision can tell news by it."""
    changed = JOB.changed(rows=11)
    assert (changed.rows, changed.revision) == (11, 4)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (WarmRefused("few"), JobFailure("WarmRefused", "few")),
        (SourceError("a\x1b[2J\nb"), JobFailure("SourceError", "a [2J b")),
        (SourceError("x" * 2000), JobFailure("SourceError", "x" * 999 + "…")),
        (
            ValueError("'secret' is no number"),
            JobFailure("ValueError", "unexpected; the log of the process says more"),
        ),
        (
            asyncio.CancelledError(),
            JobFailure("Stopped", "it was stopped before it was done; start it anew"),
        ),
    ],
)
def test_only_our_own_errors_are_quoted(error: BaseException, failure: JobFailure) -> None:
    """They hold no secret and no value of a row; whatever others say stays in the log."""
    assert failure_of(error) == failure


def test_which_states_are_ends() -> None:
    """Only what is queued or runs can still change."""
    assert [state for state in JobState if not state.has_ended] == ["queued", "running"]
