"""In which form an answer is wanted, and an answer in that form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, cast

import orjson

from warmcube.errors import InvalidQuery, LimitExceeded
from warmcube.query.explain import Explanation
from warmcube.query.formats import to_arrow_stream
from warmcube.query.jsonform import Decimals, columns_json, rows_json
from warmcube.query.result import Meta, Result
from warmcube.query.wording import shown
from warmcube.service.strict import one_of

__all__ = [
    "FORMATS",
    "FORM_FIELDS",
    "MEDIA_TYPES",
    "META_HEADER",
    "Body",
    "Form",
    "encode",
    "form_of",
    "json_parts",
    "meta_header",
    "meta_json",
]

FORMATS: Final = ("rows", "columns", "arrow", "csv", "parquet")
FORM_FIELDS: Final = ("format", "decimals", "explain")
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "rows": "application/json",
    "columns": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
}
META_HEADER: Final = "Warmcube-Meta"
_LARGE: Final = 20_000
"""From so many values on, encoding leaves the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an answer is to look.

    Attributes:
        format: one of `FORMATS`.
        decimals: whether JSON has exact numbers as strings or as numbers with all their digits.
        explain: whether it also says how it came about.
    """

    format: str = "rows"
    decimals: Decimals = "string"
    explain: bool = False

    @property
    def is_json(self) -> bool:
        return self.format in ("rows", "columns")

    @property
    def is_file(self) -> bool:
        """Whether it leaves the house, and so is an export."""
        return self.format in ("csv", "parquet")


@dataclass(frozen=True, slots=True)
class Body:
    """An encoded answer, before compression."""

    data: bytes
    media_type: str
    headers: Mapping[str, str]


def form_of(given: Mapping[str, Any]) -> Form:
    """The form that a request's fields ask for.

    Raises:
        InvalidQuery: there is no such form.
    """
    explain = given.get("explain")
    if explain is not None and not isinstance(explain, bool):
        raise InvalidQuery(f"explain is {shown(explain)}; expected true or false")
    form = Form(
        format=one_of("format", given.get("format"), FORMATS, "rows"),
        decimals=cast(
            "Decimals",
            one_of("decimals", given.get("decimals"), ("string", "number"), "string"),
        ),
        explain=bool(explain),
    )
    if not form.is_json and (form.explain or given.get("decimals") is not None):
        raise InvalidQuery(
            f"decimals and explain are for the formats rows and columns, not {form.format}; "
            "leave them out"
        )
    return form


async def encode(result: Result, form: Form, *, most: int) -> Body:
    """An answer in the wanted form; a large one is encoded beside the event loop.

    Args:
        result: the answer.
        form: how it is wanted.
        most: bytes.

    Raises:
        LimitExceeded: it has more.
    """
    if len(result) * len(result.columns) > _LARGE:
        body = await asyncio.to_thread(_encode, result, form)
    else:
        body = _encode(result, form)
    if len(body.data) > most:
        raise LimitExceeded(
            f"the answer has {len(body.data):,} bytes, more than [limits] answer = {most:,}; "
            "narrow the query, or use /api/export, which streams"
        )
    return body


def _encode(result: Result, form: Form) -> Body:
    media_type = MEDIA_TYPES[form.format]
    if form.is_json:
        return Body(b"{" + b",".join(json_parts(result, form)) + b"}", media_type, {})
    stream = result.encoded("arrow", lambda: to_arrow_stream(result))
    return Body(stream, media_type, {META_HEADER: meta_header(result.meta)})


def json_parts(result: Result, form: Form) -> list[bytes]:
    """The members of an answer's JSON object."""
    write: Callable[..., bytes] = columns_json if form.format == "columns" else rows_json
    parts = [
        b'"%b":%b' % (form.format.encode(), write(result, decimals=form.decimals)),
        b'"schema":' + result.encoded("schema", lambda: orjson.dumps(_schema(result))),
        b'"meta":' + meta_json(result.meta),
    ]
    if form.explain and result.explanation is not None:
        parts.append(b'"explain":' + orjson.dumps(_explanation(result.explanation)))
    return parts


def _schema(result: Result) -> list[dict[str, str]]:
    return [
        {"name": name, "type": str(column.type)} for name, column in result.table.columns.items()
    ]


def meta_json(meta: Meta) -> bytes:
    """Where an answer comes from, as JSON."""
    return orjson.dumps(_told(meta))


def meta_header(meta: Meta) -> str:
    """The same for a header, whose characters are ASCII."""
    return json.dumps(_told(meta), default=str, separators=(",", ":"))


def _told(meta: Meta) -> dict[str, Any]:
    return {
        "origin": meta.origin,
        "snapshot": meta.snapshot,
        "as_of": None if meta.as_of is None else meta.as_of.isoformat(),
        "entries": meta.entries,
        "rows_fetched": meta.rows_fetched,
        "rows": meta.rows,
        "stale": meta.stale,
        "notes": meta.notes,
        "timings": {step: round(took, 3) for step, took in meta.timings.items()},
    }


def _explanation(explanation: Explanation) -> dict[str, Any]:
    told = {
        each.name: getattr(explanation, each.name)
        for each in fields(explanation)
        if each.name != "reasons"
    }
    return {**told, "reasons": [reason.as_json() for reason in explanation.reasons]}
