"""Security headers on every response, as plain ASGI middleware."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeaders"]

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),  # whoever lets an answer be kept has to say so
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """Adds what a response doesn't bring itself.

    Args:
        app: whose responses.
        is_secure: whether users reach the service by https only.
    """

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._headers = (*_ALWAYS, _HSTS) if is_secure else _ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                own = {name for name, _ in headers}
                if _may_be_framed(headers):
                    own.add(b"x-frame-options")  # it has no way to name whose frames
                message = {
                    **message,
                    "headers": [*headers, *(each for each in self._headers if each[0] not in own)],
                }
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _may_be_framed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a response's own policy lets some pages frame it."""
    return any(
        name == b"content-security-policy"
        and b"frame-ancestors " in policy
        and b"frame-ancestors 'none'" not in policy
        for name, policy in headers
    )
