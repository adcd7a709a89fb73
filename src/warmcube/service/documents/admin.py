"""What the document says of the admin routes."""

from __future__ import annotations

from dataclasses import fields
from typing import Final, get_args

from warmcube.observe.health import WEIGHTS, HealthState
from warmcube.observe.stats import KeptSnapshot, Stats
from warmcube.service.documents.jobs import OF_JOB, job_of, started_of
from warmcube.service.documents.shapes import (
    Schema,
    body_of,
    closed,
    json_answer,
    list_of,
    operation,
    parameter,
    schema_object,
)

__all__ = [
    "DATASOURCE",
    "EVENTS",
    "HEALTH",
    "INVALIDATE",
    "NAMED",
    "STATS",
    "STATUS",
    "STEER",
    "WARM",
]

_TEXT: Final[Schema] = {"type": "string"}
_MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
_MAYBE_INSTANT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_MAYBE_SHARE: Final[Schema] = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_MAYBE_NUMBER: Final[Schema] = {"type": ["number", "null"]}
_STAT_TYPES: Final[dict[str, Schema]] = {
    "int": _COUNT,
    "int | None": _MAYBE_COUNT,
    "str": _TEXT,
    "str | None": _MAYBE_TEXT,
    "float | None": _MAYBE_NUMBER,
}

_KEPT: Final = closed(**{each.name: _STAT_TYPES[str(each.type)] for each in fields(KeptSnapshot)})
_STAT_TYPES["tuple[KeptSnapshot, ...]"] = list_of(_KEPT)
_STATS: Final = closed(**{each.name: _STAT_TYPES[str(each.type)] for each in fields(Stats)})
_MAYBE_NAMES: Final[Schema] = {"type": ["array", "null"], "items": _MAYBE_TEXT}
_JOB: Final = job_of(
    forced={"type": "boolean"},
    reason={**_TEXT, "description": "why: asked, or a worker's: cold, aging, scheduled, damage"},
    refresh={
        "anyOf": [
            closed(
                measures=_MAYBE_NAMES,
                frequencies=_MAYBE_NAMES,
                changed={"type": "boolean"},
            ),
            {"type": "null"},
        ],
        "description": "what is read anew, null among its names being NULL; null for the whole "
        "table",
    },
    entries=_COUNT,
    bytes=_COUNT,
    report={"type": ["object", "null"], "description": "what the warm did"},
)

_OUTLOOK: Final = closed(
    workers={**_COUNT, "description": "how many workers look after it"},
    state={**_MAYBE_TEXT, "description": "waiting, due, warming or held; null without a worker"},
    next={**_MAYBE_INSTANT, "description": "when a worker will warm it"},
    reason={**_MAYBE_TEXT, "description": "why: cold, aging, scheduled or damage"},
    held={**_MAYBE_TEXT, "description": "why it isn't warmed without anybody's asking"},
    failures={**_MAYBE_COUNT, "description": "warms that have failed in a row"},
    error={**_MAYBE_TEXT, "description": "of the last of them"},
    damaged={**_MAYBE_COUNT, "description": "parts that were found damaged"},
    next_verify={**_MAYBE_INSTANT, "description": "when a worker will verify it"},
)

_WORKER: Final = closed(
    id=_TEXT,
    host=_TEXT,
    process=_COUNT,
    version=_TEXT,
    since=_MAYBE_INSTANT,
    datasources={**list_of(_COUNT), "description": "that it looks after"},
    warming={**list_of(_COUNT), "description": "that it warms now"},
    concurrency=_COUNT,
    is_ending={"type": "boolean"},
)

_MAYBE_JOB: Final[Schema] = {"anyOf": [_JOB, {"type": "null"}]}
_STATE: Final[Schema] = {"type": "string", "enum": list(get_args(HealthState))}
_SCORE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 100}
_PARTS: Final = closed(**dict.fromkeys(WEIGHTS, _MAYBE_SHARE))
_HEALTH_OF_ONE: Final = closed(
    datasource=_COUNT,
    name=_TEXT,
    state=_STATE,
    why=_MAYBE_TEXT,
    score=_SCORE,
    parts=_PARTS,
    hits=_MAYBE_COUNT,
    misses=_MAYBE_COUNT,
    window_seconds=_MAYBE_NUMBER,
    partitions=_MAYBE_COUNT,
    proven_partitions=_MAYBE_COUNT,
    entries=_MAYBE_COUNT,
    checked=_MAYBE_COUNT,
    found=_MAYBE_COUNT,
)

DATASOURCE: Final = parameter(
    "datasource", "the id of a data source; all of them without it", {"type": "integer"}
)

NAMED: Final[Schema] = {
    "anyOf": [{"type": "integer"}, {"const": "all"}],
    "description": 'the id of a data source, or "all"',
}


def _names_of(what: str) -> Schema:
    null = schema_object({"null": {"const": True}}, required=("null",))
    return {
        "type": ["array", "null"],
        "items": {"anyOf": [{"type": "string", "minLength": 1}, null]},
        "minItems": 1,
        "maxItems": 1000,
        "description": f"read only these {what} anew, of one data source; null is all of them",
    }


STATS: Final = operation(
    "What the cache holds",
    answers=json_answer(
        "Of each data source; null is what isn't known.", closed(datasources=list_of(_STATS))
    ),
    problems_of=(401, 403, 404, 422, 503),
    more={"parameters": [DATASOURCE]},
)

HEALTH: Final = operation(
    "How well the cache is",
    answers=json_answer(
        "A score out of measured parts, of each data source and of all together; a part that "
        "isn't measured is null, and counts for nothing.",
        closed(
            weights=closed(**{name: {"const": weight} for name, weight in WEIGHTS.items()}),
            state=_STATE,
            score=_SCORE,
            parts=_PARTS,
            datasources=list_of(_HEALTH_OF_ONE),
        ),
    ),
    problems_of=(401, 403, 404, 422, 503),
    more={"parameters": [DATASOURCE]},
)

WARM: Final = operation(
    "Warm a data source, or all",
    answers=json_answer(
        "The jobs that were started, and what was being warmed anyway. Location tells how they "
        "get on.",
        started_of(_JOB),
        202,
    ),
    problems_of=(400, 401, 403, 404, 409, 413, 415, 422, 503),
    more=body_of(
        schema_object(
            {
                "datasource": NAMED,
                "measures": _names_of("measures"),
                "frequencies": _names_of("frequencies"),
                "changed": {
                    "type": ["boolean", "null"],
                    "default": False,
                    "description": "read only what has changed since the last warm",
                },
                "force": {
                    "type": ["boolean", "null"],
                    "default": False,
                    "description": "publish although far fewer rows are there than before",
                },
            },
            required=("datasource",),
        ),
        {"datasource": 1},
    ),
)

STATUS: Final = operation(
    "How warms get on, and how the last ones ended",
    answers=json_answer(
        "Of each data source who is warming it, the job that is queued or runs, the last fifty, "
        "newest first, and what workers will do; the workers; or the one job.",
        {
            "anyOf": [
                closed(
                    datasources=list_of(
                        closed(
                            datasource=_COUNT,
                            name=_TEXT,
                            warming={**_MAYBE_TEXT, "description": "who holds the lease"},
                            active=_MAYBE_JOB,
                            history=list_of(_JOB),
                            worker=_OUTLOOK,
                        )
                    ),
                    workers=list_of(_WORKER),
                ),
                closed(job=_JOB),
            ]
        },
    ),
    problems_of=(401, 403, 404, 422, 503),
    more={"parameters": [DATASOURCE, OF_JOB]},
)

EVENTS: Final = operation(
    "Follow warms as they get on",
    answers={
        200: {
            "description": "Server-sent events: `progress`, then `end`, each with a job as its "
            "data. The stream ends with the last job that was under way, or with the right to "
            "listen; a client that comes back with `Last-Event-ID` misses nothing.",
            # The whole stream is text; to readers of the document that know of events, each is one.
            "content": {"text/event-stream": {"schema": {"type": ["string", "object"]}}},
        },
        204: {"description": "Nothing is under way, and how it ended is known."},
    },
    problems_of=(401, 403, 404, 422, 503),
    more={
        "parameters": [
            DATASOURCE,
            OF_JOB,
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "the id of the last event that was read",
                "schema": {"type": "string"},
            },
        ]
    },
)

INVALIDATE: Final = operation(
    "Take a data source's snapshot away, or all",
    answers=json_answer(
        "Until they are warm again, the database answers.",
        closed(
            invalidated=list_of(
                closed(datasource=_COUNT, was_live={"type": "boolean"}, keys=_COUNT)
            )
        ),
    ),
    problems_of=(400, 401, 403, 404, 413, 415, 422, 503),
    more=body_of(schema_object({"datasource": NAMED}, required=("datasource",)), None),
)

_STEERED: Final = closed(
    datasource=_COUNT,
    action={"type": "string", "enum": ["rollback", "unpin", "disable", "enable"]},
    changed={"type": "boolean", "description": "whether it wasn't so already"},
    snapshot={**_MAYBE_TEXT, "description": "which is live now, or lies behind the switch"},
    is_disabled={"type": "boolean", "description": "whether the database answers everything"},
    pinned_by={**_MAYBE_TEXT, "description": "who pinned it; nothing warms it unasked then"},
)
_ONE: Final = body_of(
    schema_object({"datasource": {**_COUNT, "description": "its id"}}, required=("datasource",)),
    {"datasource": 1},
)

STEER: Final = {
    action: operation(
        summary,
        answers=json_answer(how, closed(steered=_STEERED)),
        problems_of=(400, 401, 403, 404, *problems, 413, 415, 422, 503),
        more=_ONE,
    )
    for action, summary, how, problems in (
        (
            "rollback",
            "Serve the snapshot before the live one again",
            "It is pinned: nothing warms it without being asked, until somebody's warm or unpin.",
            (409,),
        ),
        (
            "unpin",
            "Let a data source be warmed again without anybody's asking",
            "Workers look after it again.",
            (),
        ),
        (
            "disable",
            "Have the database answer everything of a data source",
            "Its snapshot stays behind the switch.",
            (),
        ),
        (
            "enable",
            "Answer from a data source's snapshot again",
            "If it is whole and its life isn't over; else it is cold.",
            (),
        ),
    )
}
