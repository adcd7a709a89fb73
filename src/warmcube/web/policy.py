"""What a browser may do on our pages: the Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["content_security_policy"]

_DIRECTIVES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",  # charts are drawn into images when they are downloaded
    "connect-src 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
)


def content_security_policy(ancestors: Sequence[str] = ()) -> str:
    """The policy of a page: nothing from elsewhere, nothing inline.

    Args:
        ancestors: the origins whose pages may frame it; none may if there are none.
    """
    framed = " ".join(ancestors) or "'none'"
    return "; ".join((*_DIRECTIVES, f"frame-ancestors {framed}"))
