"""`warmcube.jobs.verification`: what a verification's record holds, and how it is read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from warmcube.errors import Damage
from warmcube.jobs.job import JobFailure, JobState, pack_job, unpack_job
from warmcube.jobs.verification import (
    MOST_FINDINGS,
    Verification,
    bounded_report,
    unpack_verification,
)

JOB = Verification(
    id="7-0123456789abcdef",
    datasource=7,
    actor="root",
    process="host process 12",
    reason="scheduled",
    sample=5,
    seed=2**40,
    state=JobState.FAILED,
    revision=3,
    phase="reading the cache",
    done=0.61,
    rows=10,
    total_rows=20,
    queued_ms=1_700_000_000_000,
    started_ms=1_700_000_000_500,
    updated_ms=1_700_000_001_000,
    ended_ms=1_700_000_001_000,
    failure=JobFailure("VerifyError", "it is cold"),
    report={"verdict": "equal", "findings": []},
)


def test_it_comes_back_as_it_was() -> None:
    """Every field of a record survives the store; instants are told in words."""
    assert unpack_verification(pack_job(JOB)) == JOB
    told = JOB.as_dict()
    assert (told["queued"], told["started"]) == (
        "2023-11-14T22:13:20.000+00:00",
        "2023-11-14T22:13:20.500+00:00",
    )
    assert told["failure"] == {"kind": "VerifyError", "message": "it is cold"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample": "5"},
        {"seed": None},
        {"state": "unheard of"},
        {"datasource": 8},
        {"failure": 5},
    ],
)
def test_what_no_verification_is_can_not_be_read(wrong: dict[str, Any]) -> None:
    """Fields of other types, unknown states, and another data source's id are damage."""
    stored = json.dumps({**json.loads(pack_job(JOB)), **wrong}).encode()
    with pytest.raises(Damage):
        unpack_verification(stored)


def test_a_warm_is_no_verification_and_the_other_way_round() -> None:
    """A record of one kind under the other's name is damage."""
    with pytest.raises(Damage):
        unpack_verification(b'{"id": "7-0123456789abcdef", "datasource": 7}')
    with pytest.raises(Damage):
        unpack_job(pack_job(JOB))


def test_a_record_keeps_the_first_findings() -> None:
    """As many as fit; how many there are stays in the report."""
    report = bounded_report({"findings": tuple(range(500)), "findings_total": 900})
    assert report == {"findings": list(range(MOST_FINDINGS)), "findings_total": 900}
