"""What the document says of any job: its record, which were started, and which is meant."""

from __future__ import annotations

from typing import Final

from warmcube.jobs.job import JobState
from warmcube.service.documents.shapes import Schema, closed, list_of, or_null, parameter

__all__ = ["OF_JOB", "job_of", "started_of"]

_TEXT: Final[Schema] = {"type": "string"}
_MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
_MAYBE_INSTANT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}

OF_JOB: Final = parameter(
    "job", "the id of a job, instead of a data source", {"type": "string", "minLength": 1}
)


def job_of(**own: Schema) -> Schema:
    """A job's record, as `warmcube.jobs.job.Record` tells it, with what only its kind has."""
    return closed(
        id=_TEXT,
        datasource=_COUNT,
        actor={**_TEXT, "description": "who asked for it"},
        process=_TEXT,
        state={"type": "string", "enum": [str(state) for state in JobState]},
        revision={**_COUNT, "description": "grows with every news"},
        phase={**_MAYBE_TEXT, "description": "what it is doing, or was when it ended"},
        done={
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "the share of all that is done; never falls",
        },
        rows={**_COUNT, "description": "of total_rows, how many this phase has done"},
        total_rows={"type": ["integer", "null"], "minimum": 0},
        eta_seconds={"type": ["number", "null"], "description": "until the whole job is done"},
        queued=_MAYBE_INSTANT,
        started=_MAYBE_INSTANT,
        updated=_MAYBE_INSTANT,
        ended=_MAYBE_INSTANT,
        failure=or_null(closed(kind=_TEXT, message=_TEXT)),
        **own,
    )


def started_of(job: Schema) -> Schema:
    """The jobs that were started, and what somebody was at anyway."""
    return closed(
        job={**_MAYBE_TEXT, "description": "the id of the job, if one data source was named"},
        jobs=list_of(job),
        busy=list_of(closed(datasource=_COUNT, by=_TEXT, since=_MAYBE_INSTANT, job=_MAYBE_TEXT)),
    )
