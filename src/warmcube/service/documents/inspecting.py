"""What the document says of the routes that look closer at the cache."""

from __future__ import annotations

from typing import Final

from warmcube.service.documents.shapes import (
    Schema,
    body_of,
    closed,
    json_answer,
    list_of,
    operation,
    or_null,
    parameter,
    schema_object,
)

__all__ = ["ENTRIES", "ENTRY", "HISTORY", "PARTITIONS"]

_TEXT: Final[Schema] = {"type": "string"}
_MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_MAYBE_NUMBER: Final[Schema] = {"type": ["number", "null"]}
_MAYBE_SHARE: Final[Schema] = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_MAYBE_CODE: Final[Schema] = {"type": ["integer", "null"]}

_SUMMARY: Final = {
    "queries": {**_MAYBE_COUNT, "description": "reads since the point before"},
    "hit_rate": {**_MAYBE_SHARE, "description": "the share that the cache answered"},
    "median_ms": {**_MAYBE_NUMBER, "description": "how long half of the answers took at most"},
    "p95_ms": {**_MAYBE_NUMBER, "description": "how long 95 % of them took at most"},
}
_POINT: Final = closed(
    at={"type": "string", "format": "date-time"},
    state=_TEXT,
    age_seconds=_MAYBE_NUMBER,
    entries=_MAYBE_COUNT,
    rows=_MAYBE_COUNT,
    memory_bytes={**_MAYBE_COUNT, "description": "of the snapshot's keys, in the store"},
    **_SUMMARY,
)
_DATASOURCE: Final = parameter(
    "datasource", "the id of a data source; all of them without it", {"type": "integer"}
)
_NAME: Final[Schema] = {
    "anyOf": [
        _TEXT,
        {"type": "integer"},
        closed(null={"const": True}),
        {"type": "null"},
    ],
    "description": 'as in a query; {"null": true} for the rows without one',
}
_PARTITION_FIELDS: Final = {
    "datasource": {"type": "integer", "description": "the id of the data source"},
    "measure": _NAME,
    "frequency": _NAME,
}

HISTORY: Final = operation(
    "Figures over time",
    answers=json_answer(
        "One point for each minute of the last 24 hours, or for each quarter of an hour where "
        "more hours are asked for; at most 600. Null is what isn't known. `summary` is of the "
        "whole stretch.",
        closed(
            hours=_COUNT,
            kept_days=_COUNT,
            datasources=list_of(
                closed(datasource=_COUNT, points=list_of(_POINT), summary=closed(**_SUMMARY))
            ),
        ),
    ),
    problems_of=(401, 403, 404, 422, 503),
    more={
        "parameters": [
            _DATASOURCE,
            parameter("hours", "how far back; 24 without it", {"type": "integer", "minimum": 1}),
        ]
    },
)

PARTITIONS: Final = operation(
    "What a snapshot is made of",
    answers=json_answer(
        "The partitions of each data source's live snapshot; none where nothing is live.",
        closed(
            datasources=list_of(
                closed(
                    datasource=_COUNT,
                    partitions=list_of(
                        closed(
                            measure=_MAYBE_TEXT,
                            frequency=_MAYBE_TEXT,
                            entries=_COUNT,
                            rows=_COUNT,
                            practices=_COUNT,
                            providers=_COUNT,
                            entry_bytes=_COUNT,
                            index_bytes=_COUNT,
                            sums_bytes=_COUNT,
                        )
                    ),
                )
            )
        ),
    ),
    problems_of=(401, 403, 404, 422, 503),
    more={"parameters": [_DATASOURCE]},
)

ENTRIES: Final = operation(
    "Which entries a partition has",
    answers=json_answer(
        "A page of them, in no order; `cursor` takes one on. An entry may come up twice.",
        closed(
            datasource=_COUNT,
            snapshot=_MAYBE_TEXT,
            total=_COUNT,
            entries=list_of(closed(practice=_MAYBE_TEXT, provider=_MAYBE_TEXT, part=_COUNT)),
            cursor=_MAYBE_TEXT,
        ),
    ),
    problems_of=(400, 401, 403, 404, 413, 415, 422, 503),
    more=body_of(
        schema_object(
            {**_PARTITION_FIELDS, "cursor": _MAYBE_TEXT},
            required=("datasource",),
        ),
        {"datasource": 1, "measure": "Charges", "frequency": "Monthly"},
    ),
)

ENTRY: Final = operation(
    "One entry as it lies in the store",
    answers=json_answer(
        "Its key, header, sizes and proof. Its rows only where they are asked for, which needs "
        "`analytics:read:all`.",
        closed(
            datasource=_COUNT,
            exists={"type": "boolean"},
            why=_MAYBE_TEXT,
            is_proven={"type": ["boolean", "null"]},
            proofs={
                "type": "object",
                "additionalProperties": _TEXT,
                "description": 'of each check "ok", or what is wrong',
            },
            snapshot=_MAYBE_TEXT,
            version=_MAYBE_TEXT,
            as_of=_MAYBE_COUNT,
            fresh_until=_MAYBE_COUNT,
            serve_until=_MAYBE_COUNT,
            seal=_MAYBE_TEXT,
            record_bytes=_MAYBE_COUNT,
            rows=_MAYBE_COUNT,
            bytes=_MAYBE_COUNT,
            parts=list_of(
                closed(
                    key=_TEXT,
                    bytes=_MAYBE_COUNT,
                    memory_bytes=_MAYBE_COUNT,
                    expires_seconds=_MAYBE_NUMBER,
                    rows=_MAYBE_COUNT,
                    practice_code=_MAYBE_CODE,
                    provider_code=_MAYBE_CODE,
                )
            ),
            columns=list_of(closed(name=_TEXT, type=_TEXT, storage=_TEXT, bytes=_COUNT)),
            data=or_null(
                closed(
                    columns=list_of(_TEXT),
                    rows=list_of(list_of(_MAYBE_TEXT)),
                    total={**_COUNT, "description": "of which the first 200 are shown"},
                )
            ),
        ),
    ),
    problems_of=(400, 401, 403, 404, 413, 415, 422, 503),
    more=body_of(
        schema_object(
            {
                **_PARTITION_FIELDS,
                "practice": _NAME,
                "provider": _NAME,
                "rows": {"type": ["boolean", "null"], "default": False},
            },
            required=("datasource",),
        ),
        {
            "datasource": 1,
            "measure": "Charges",
            "frequency": "Monthly",
            "practice": 101,
            "provider": 10105,
        },
    ),
)
