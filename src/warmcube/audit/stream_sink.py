"""Audit lines on standard output, for what collects the output of containers."""

from __future__ import annotations

from collections.abc import Sequence

from warmcube.audit.writing import WritingThread, write_all
from warmcube.errors import AuditError

__all__ = ["StreamSink"]


class StreamSink:
    """Writes to an open descriptor, which stays open.

    Args:
        descriptor: of standard output.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._thread = WritingThread()

    async def write(self, lines: Sequence[bytes]) -> None:
        """See `Sink`."""
        data = b"".join(lines)
        try:
            await self._thread.run(lambda: write_all(self._descriptor, data))
        except OSError as error:
            raise AuditError(
                f"the audit can't be written to standard output: {error.strerror or error}; see "
                "where that leads, or choose another [audit] sink"
            ) from error

    async def close(self) -> None:
        """See `Sink`."""
        self._thread.close()
