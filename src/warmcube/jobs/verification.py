"""One verification that was asked for, and what came of it. Holds figures and names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from warmcube.jobs.job import Record, unpack_record

__all__ = ["MOST_FINDINGS", "Verification", "bounded_report", "unpack_verification"]

MOST_FINDINGS: Final = 100
"""So many findings stay in a record, the worst; its ``findings_total`` counts all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(Record):
    """What is known of one verification.

    Attributes:
        reason: why it was begun: ``asked`` for, or a worker's ``scheduled``.
        sample: how many slices are compared row by row.
        seed: what they are drawn with.
    """

    reason: str
    sample: int
    seed: int


def unpack_verification(stored: bytes) -> Verification:
    """What `warmcube.jobs.job.pack_job` packed of a verification.

    Raises:
        Damage: it can't be read.
    """

    def made(facts: dict[str, Any]) -> Verification:
        job = Verification(**facts)
        if type(job.sample) is not int or type(job.seed) is not int:
            raise TypeError("not numbers")
        return job

    return unpack_record(stored, Verification, made)


def bounded_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report as a record keeps it: with its first findings."""
    return {**report, "findings": list(report["findings"])[:MOST_FINDINGS]}
