"""What is told of ``…/verify``."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from warmcube.compare.report import Finding, Table, Verdict, VerifyReport
from warmcube.compare.verifier import DEFAULT_SAMPLE, MOST_SAMPLE
from warmcube.jobs.verification import MOST_FINDINGS
from warmcube.service.documents.admin import DATASOURCE, NAMED
from warmcube.service.documents.jobs import OF_JOB, job_of, started_of
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
_JOB: Final = job_of(
    reason={**_TEXT, "description": "why: asked, or a worker's scheduled"},
    sample={**_COUNT, "description": "how many slices are compared row by row, at most"},
    seed=_SEED,
    report=or_null(_REPORT),
)

VERIFY: Final = operation(
    "Compare the cache with its database",
    answers=json_answer(
        "The jobs that were started, and what was being verified anyway. Location tells how they "
        "get on, and what came of them.",
        started_of(_JOB),
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
