"""Where audit lines go: what every sink does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Sink"]


class Sink(Protocol):
    """Takes lines, one call at a time; after one that was cancelled, others may follow."""

    async def write(self, lines: Sequence[bytes]) -> None:
        """Take lines, each with its end; when this returns, they are where they belong.

        Lines of a call that failed may be given again, although they arrived.

        Raises:
            AuditError: they can't be taken.
        """

    async def close(self) -> None:
        """Release what is held."""
