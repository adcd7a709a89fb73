"""Requests read strictly: what isn't exactly what is expected is an error, never a guess."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from warmcube.errors import InvalidQuery, InvalidRequest, LimitExceeded
from warmcube.query.parse import json_without_doubt
from warmcube.query.wording import shown

__all__ = ["body_json", "fields_of", "one_of", "parameters", "parse_body", "whole_number"]

_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Takes what it has read of a text for one, ended or not: nothing is looked at twice."""
_NUMBER: Final = re.compile(r"0|[1-9]\d{0,9}", re.ASCII)


async def body_json(
    request: Request, *, most: int, depth: int, bound: str = "[limits] body"
) -> Any:
    """The JSON in a request's body.

    Args:
        request: whose body hasn't been read yet.
        most: bytes; what is longer isn't read to its end.
        depth: how deep objects and lists may be nested.
        bound: what says how many bytes, for people.

    Raises:
        InvalidRequest: of another type, too large, no JSON.
        LimitExceeded: nested too deep.
    """
    kind = _only(request, "content-type", "")
    name, _, parameter = kind.partition(";")
    charset = parameter.strip().lower().replace('"', "")
    if name.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise InvalidRequest(
            f"Content-Type is {shown(kind)}; expected application/json in UTF-8", status=415
        )
    if _only(request, "content-encoding", "identity").lower() != "identity":
        raise InvalidRequest("the body is compressed; send it as it is", status=415)
    return parse_body(await _body(request, most, bound), depth)


def _only(request: Request, name: str, default: str) -> str:
    """The one value of a header.

    Raises:
        InvalidRequest: it has several, of which everybody may take another.
    """
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise InvalidRequest(f"the header {name} is given twice; give it once", status=400)
    return values[0] if values else default


async def _body(request: Request, most: int, bound: str) -> bytes:
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdigit() and int(declared) > most:
        raise _too_large(most, bound)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most, bound)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(most: int, bound: str) -> InvalidRequest:
    return InvalidRequest(
        f"the body is larger than {bound} = {most:,} bytes; ask for less at once", status=413
    )


def parse_body(body: bytes, depth: int) -> Any:
    """JSON of bounded depth, without doubles.

    Raises:
        InvalidRequest: no JSON.
        LimitExceeded: nested too deep.
    """
    if body.count(b"[") + body.count(b"{") > depth:
        _check_depth(body, depth)
    try:
        return json_without_doubt(body.decode("utf-8", errors="strict"))
    except UnicodeDecodeError:
        raise InvalidRequest("the request isn't UTF-8; send JSON in UTF-8") from None
    except RecursionError:  # pragma: no cover - `_check_depth` comes first
        raise InvalidRequest("the request is nested too deep") from None
    except ValueError as error:
        raise InvalidRequest(f"the request isn't JSON: {error}; send one JSON object") from None


def _check_depth(body: bytes, most: int) -> None:
    level = 0
    for match in _BRACKETS.finditer(body):
        if match[0] in b"[{":
            level += 1
            if level > most:
                raise LimitExceeded(
                    f"the request is nested deeper than [limits] depth = {most}; make it flatter"
                )
        elif match[0] in b"]}":
            level -= 1


def fields_of(data: Any, known: Collection[str], what: str = "the request") -> Mapping[str, Any]:
    """The fields of an object, all of them known.

    Raises:
        InvalidQuery: it is none, or has others.
    """
    if not isinstance(data, dict):
        raise InvalidQuery(f"{what} is {shown(data)}; expected an object of fields")
    for name in data:
        if name not in known:
            raise InvalidQuery(
                f"{what} has an unknown field {shown(name)}; the fields are {', '.join(known)}"
            )
    return data


def parameters(request: Request, known: Collection[str] = ()) -> dict[str, str]:
    """The parameters of a request's URL: each once, none empty, all known.

    Raises:
        InvalidQuery: they aren't so.
    """
    raw: bytes = request.scope["query_string"]
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise InvalidQuery("the parameters aren't UTF-8; percent-encode their UTF-8") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            are = f"; the parameters are {', '.join(known)}" if known else "; there are none here"
            raise InvalidQuery(f"there is no parameter {shown(name)}{are}")
        if name in found:
            raise InvalidQuery(f"the parameter {shown(name)} is given twice; give it once")
        if not value:
            raise InvalidQuery(
                f"the parameter {shown(name)} is empty; leave it out where nothing is meant"
            )
        found[name] = value
    return found


def one_of(name: str, value: Any, allowed: Collection[str], default: str) -> str:
    """A choice among words.

    Raises:
        InvalidQuery: it is another.
    """
    if value is None:
        return default
    if not isinstance(value, str) or value not in allowed:
        raise InvalidQuery(f"{name} is {shown(value)}; expected one of {', '.join(allowed)}")
    return value


def whole_number(name: str, text: str) -> int:
    """A number in a URL; only as it would be printed.

    Raises:
        InvalidQuery: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise InvalidQuery(f"{name} is {shown(text)}; expected a whole number like 1")
    return int(text)
