"""What the service tells its operator: a line of JSON for each event, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from warmcube.audit.context import REQUEST_ID
from warmcube.config import masked

__all__ = ["log_to_stderr"]

_MOST: Final = 16_000
"""Characters of one text."""


class _Lines(logging.Formatter):
    """Each record as an object on one line, in which nothing can forge another."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {
            "time": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "request": REQUEST_ID.get(),
            "event": masked(record.getMessage())[:_MOST],
        }
        if record.exc_info:
            lines = self.formatException(record.exc_info).splitlines()
            told["traceback"] = "\n".join(map(masked, lines))[-_MOST:]
        return json.dumps(told)


def log_to_stderr() -> None:
    """Have everything that is logged written so, from warnings on; of our own, all that matters."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("warmcube").setLevel(logging.INFO)
    logging.getLogger("warmcube.store").setLevel(logging.NOTSET)  # as its parent, here
    # Of each malformed request it warns, which would leave the size of the log to anybody.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
