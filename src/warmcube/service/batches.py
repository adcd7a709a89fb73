"""Many questions in one read: each has its own answer or its own problem."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from warmcube.errors import InvalidQuery, LimitExceeded, WarmcubeError
from warmcube.model.request import Query
from warmcube.query.parse import query_from_dict
from warmcube.query.result import Result
from warmcube.query.wording import shown
from warmcube.service.answers import json_response
from warmcube.service.context import Caller, Service
from warmcube.service.forms import FORM_FIELDS, Form, form_of, json_parts
from warmcube.service.problems import problem_of
from warmcube.service.strict import fields_of

__all__ = ["answer_batch", "batch_of", "encode_batch"]

_FIELDS: Final = ("queries", *FORM_FIELDS)
_LARGE: Final = 20_000
"""From so many values on, encoding leaves the event loop."""


def batch_of(data: Any, most: int) -> tuple[list[Query | InvalidQuery], Form]:
    """The queries of a batch, and the form of all its answers.

    Args:
        data: the request's object.
        most: queries.

    Returns:
        for each query what it asks, or what is wrong with it, so that the others are answered.

    Raises:
        InvalidQuery: it is no batch.
        LimitExceeded: there are too many.
    """
    given: Mapping[str, Any] = fields_of(data, _FIELDS, "the batch")
    form = form_of(given)
    if not form.is_json:
        raise InvalidQuery(f"format is {shown(form.format)}; a batch has rows or columns")
    queries = given.get("queries")
    if queries is None:
        raise InvalidQuery("queries is missing; expected a list of queries")
    if not isinstance(queries, list):
        raise InvalidQuery(f"queries is {shown(queries)}; expected a list of queries")
    if len(queries) > most:
        raise LimitExceeded(
            f"queries has {len(queries):,} queries, more than [limits] batch = {most:,}; send "
            "several batches"
        )
    return [_query(each) for each in queries], form


def _query(given: Any) -> Query | InvalidQuery:
    try:
        return query_from_dict(given)
    except InvalidQuery as error:
        return error


async def answer_batch(
    service: Service,
    request: Request,
    caller: Caller,
    asked: Sequence[Query | InvalidQuery],
    form: Form,
) -> Response:
    """All answers, of one picture, in the order of their questions."""
    queries = [each for each in asked if isinstance(each, Query)]
    answered = iter(await service.cache.query_many(queries, caller.grant) if queries else [])
    outcomes = [each if isinstance(each, InvalidQuery) else next(answered) for each in asked]
    most = service.settings.limits.answer
    if sum(map(_values, outcomes)) > _LARGE:
        body = await asyncio.to_thread(encode_batch, outcomes, form, most)
    else:
        body = encode_batch(outcomes, form, most)
    return await json_response(request, body)


def _values(outcome: Result | WarmcubeError) -> int:
    return len(outcome) * len(outcome.columns) if isinstance(outcome, Result) else 0


def encode_batch(outcomes: Iterable[Result | WarmcubeError], form: Form, most: int) -> bytes:
    """All answers as one JSON object.

    Args:
        outcomes: in the order of their questions.
        form: of all of them.
        most: bytes; nothing is encoded beyond them.

    Raises:
        LimitExceeded: they have more.
    """
    parts: list[bytes] = []
    size = 0
    for each in outcomes:
        parts.append(_outcome(each, form))
        size += len(parts[-1])
        if size > most:
            raise LimitExceeded(
                f"the answers have more bytes than [limits] answer = {most:,}; narrow the queries, "
                "or send fewer at once"
            )
    return b'{"answers":[' + b",".join(parts) + b"]}"


def _outcome(outcome: Result | WarmcubeError, form: Form) -> bytes:
    if isinstance(outcome, Result):
        return b"{" + b",".join(json_parts(outcome, form)) + b"}"
    return orjson.dumps({"problem": problem_of(outcome).as_json()})
