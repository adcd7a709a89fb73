"""The request that is being served, so that access logs and audit lines can be joined."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

__all__ = ["REQUEST_ID"]

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("warmcube_request_id", default=None)
"""Set for each request to the service, and for whatever is done on its behalf."""
