"""Answers to queries as responses: encoded, tagged, compressed."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from warmcube.query.result import Result
from warmcube.service.context import Service
from warmcube.service.encodings import chosen, compressed
from warmcube.service.forms import Form, encode
from warmcube.service.tags import matches

__all__ = ["VARY", "answer", "json_response", "tagged_answer"]

VARY: Final = "Authorization, Cookie, Accept, Accept-Encoding"
_REVALIDATED: Final = "private, no-cache"
_NEVER_KEPT: Final = "no-store"


async def answer(service: Service, request: Request, result: Result, form: Form) -> Response:
    """An answer that nobody keeps."""
    coding = chosen(request.headers.get("accept-encoding"))
    return await _response(service, result, form, coding, {"Cache-Control": _NEVER_KEPT})


async def tagged_answer(service: Service, request: Request, result: Result, form: Form) -> Response:
    """An answer that a browser may keep, and has to ask about each time.

    Whoever asks has been authorised when this is called, and the answer is what they would get
    now, so that a 304 says no more than the answer would.
    """
    coding = chosen(request.headers.get("accept-encoding"))
    tag = await service.tags.tag(result, form, coding)
    if tag is None:
        return await _response(service, result, form, coding, {"Cache-Control": _NEVER_KEPT})
    headers = {"Cache-Control": _REVALIDATED, "ETag": tag}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers={**headers, "Vary": VARY})
    return await _response(service, result, form, coding, headers)


async def json_response(request: Request, body: bytes) -> Response:
    """A JSON document of several answers, which nobody keeps."""
    data, coding = await compressed(body, chosen(request.headers.get("accept-encoding")))
    headers = {"Cache-Control": _NEVER_KEPT, "Vary": VARY}
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(data, media_type="application/json", headers=headers)


async def _response(
    service: Service, result: Result, form: Form, coding: str, headers: dict[str, str]
) -> Response:
    body = await encode(result, form, most=service.settings.limits.answer)
    data, coding = await compressed(body.data, coding)
    headers = {**headers, **body.headers, "Vary": VARY}
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(data, media_type=body.media_type, headers=headers)
