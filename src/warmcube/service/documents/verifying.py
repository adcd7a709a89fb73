"""What is told of ``…/verify``."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from warmcube.compare.report import Finding, Table, Verdict, VerifyReport
from warmcube.compare.verifier import DEFAULT_SAMPLE, MOST_SAMPLE
from warmcube.jobs.job import JobState
from warmcube.jobs.verification import MOST_FINDINGS
from warmcube.service.documents.admin import DATASOURCE, NAMED, OF_JOB
from warmcube.service.documents.shapes import (
    Schema,
    body_of,
    closed,
    json_answer,
    list_of,
    operation,
    or_null,
    schema_object,
)

__all__ = ["VERIFY", "VERIFY_STATUS"]

_TEXT: Final[Schema] = {"type": "string"}
_MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_NUMBER: Final[Schema] = {"type": "number", "minimum": 0}
_MAYBE_INSTANT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_TYPES: Final[dict[str, Schema]] = {
    "int": _COUNT,
    "int | None": _MAYBE_COUNT,
    "str": _TEXT,
    "str | None": _MAYBE_TEXT,
    "bool": _FLAG,
    "float": _NUMBER,
    "Verdict": {"type": "string", "enum": [str(each) for each in Verdict]},
    "Table": {
        "type": "string",
        "enum": [str(each) for each in Table],
        "description": "whether the partition's rows have changed since they were warmed",
    },
}
_TYPES["tuple[Finding, ...]"] = {
    **list_of(closed(**{each.name: _TYPES[str(each.type)] for each in fields(Finding)})),
    "maxItems": MOST_FINDINGS,
    "description": f"the worst {MOST_FINDINGS}; findings_total counts all",
}
_SEED: Final[Schema] = {"type": "integer", "description": "what slices are drawn with"}
_REPORT: Final = closed(
    **{each.name: _TYPES[str(each.type)] for each in fields(VerifyReport)} | {"seed": _SEED}
)
_JOB: Final = closed(
    id=_TEXT,
    datasource=_COUNT,
    actor={**_TEXT, "description": "who asked for it"},
    process=_TEXT,
    reason={**_TEXT, "description": "why: asked, or a worker's scheduled"},
    sample={**_COUNT, "description": "how many slices are compared row by row, at most"},
    seed=_SEED,
    state={"type": "string", "enum": [str(state) for state in JobState]},
    revision={**_COUNT, "description": "grows with every news"},
    phase={**_MAYBE_TEXT, "description": "what it is doing, or was when it ended"},
    done={"type": "number", "minimum": 0, "maximum": 1, "description": "the share of all"},
    rows={**_COUNT, "description": "of total_rows, how many this phase has done"},
    total_rows=_MAYBE_COUNT,
    eta_seconds={"type": ["number", "null"], "description": "until all is done"},
    queued=_MAYBE_INSTANT,
    started=_MAYBE_INSTANT,
    updated=_MAYBE_INSTANT,
    ended=_MAYBE_INSTANT,
    failure=or_null(closed(kind=_TEXT, message=_TEXT)),
    report=or_null(_REPORT),
)

VERIFY: Final = operation(
    "Compare the cache with its database",
    answers=json_answer(
        "The jobs that were started, and what was being verified anyway. Location tells how they "
        "get on, and what came of them.",
        closed(
            job={**_MAYBE_TEXT, "description": "the id of the job, if one data source was named"},
            jobs=list_of(_JOB),
            busy=list_of(
                closed(datasource=_COUNT, by=_TEXT, since=_MAYBE_INSTANT, job=_MAYBE_TEXT)
            ),
        ),
        202,
    ),
    problems_of=(400, 401, 403, 404, 409, 413, 415, 422, 503),
    more=body_of(
        schema_object(
            {
                "datasource": NAMED,
                "sample": {
                    "type": ["integer", "null"],
                    "minimum": 0,
                    "maximum": MOST_SAMPLE,
                    "default": DEFAULT_SAMPLE,
                    "description": "how many slices are compared row by row",
                },
                "seed": {
                    "type": ["integer", "null"],
                    "minimum": 0,
                    "maximum": 2**53 - 1,
                    "description": "what they are drawn with; another one each time without it",
                },
            },
            required=("datasource",),
        ),
        {"datasource": 1},
    ),
)

VERIFY_STATUS: Final = operation(
    "How verifications get on, and what came of the last ones",
    answers=json_answer(
        "Of each data source the verification that is queued or runs, and the last twenty, newest "
        "first; or the one job.",
        {
            "anyOf": [
                closed(
                    datasources=list_of(
                        closed(
                            datasource=_COUNT,
                            name=_TEXT,
                            active=or_null(_JOB),
                            history=list_of(_JOB),
                        )
                    )
                ),
                closed(job=_JOB),
            ]
        },
    ),
    problems_of=(401, 403, 404, 422, 503),
    more={"parameters": [DATASOURCE, OF_JOB]},
)
