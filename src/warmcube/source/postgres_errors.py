"""What an error of Postgres, libpq or ADBC means to warmcube."""

from __future__ import annotations

import re
from typing import Final

import adbc_driver_manager as adbc

from warmcube.errors import SourceError, SourceUnavailable, TableMismatch
from warmcube.postgres.url import PostgresUrl

__all__ = ["CONNECTING", "DRIVER_ERRORS", "LockNotAvailable", "translate"]

CONNECTING: Final = "connecting"
"""What is done where nothing has been reached yet."""

DRIVER_ERRORS: Final = (adbc.Error, OSError, ValueError)
"""What the driver raises: its own errors, and Arrow's in the middle of a stream."""

_MESSAGE: Final = re.compile(r"(ERROR|FATAL|PANIC):\s+(.+)")
_NOISE: Final = re.compile(r"^(?:[A-Z_]+: )?(?:\[libpq\] )?")
_UNAVAILABLE: Final = ("08", "28", "3D", "40", "53", "57", "58")
_MISSING: Final = ("42P01", "42703", "3F000")
_DATA: Final = "22"


class LockNotAvailable(SourceUnavailable):
    """A lock wasn't given within the transaction's ``lock_timeout``."""


def translate(  # noqa: PLR0911 (one return per meaning)
    error: BaseException, source: str, url: PostgresUrl, doing: str
) -> SourceError:
    """The warmcube error for one of `DRIVER_ERRORS`.

    Args:
        error: what the driver raised.
        source: the source's name.
        url: its URL, to name the place and to hide what is secret.
        doing: what was tried, as in "reading ih.measures".
    """
    where = f"source {source!r} ({url.place}), {doing}"
    text = url.without_secrets(str(error))
    state: str = getattr(error, "sqlstate", None) or ""
    found = _MESSAGE.search(text)
    if found is None and not state:
        if not isinstance(error, adbc.Error):  # in the middle of a stream
            return SourceUnavailable(f"{where}: the connection broke off")
        return SourceUnavailable(
            f"{where}: can't be reached: {_on_one_line(text)}",
            is_unreachable=doing == CONNECTING,
        )
    # A server that speaks another language than English has other words for ERROR.
    severity, message = found.groups() if found else ("ERROR", _on_one_line(text))
    if state == "55P03":
        return LockNotAvailable(f"{where}: {message}")
    if state == "57014" or message.startswith("canceling statement"):
        return SourceUnavailable(
            f"{where}: the database took too long and was stopped ({message}); allow it more "
            "time, or see what it is waiting for in pg_stat_activity"
        )
    if state == "42501":
        return SourceError(
            f"{where}: {message}; warmcube needs USAGE on the schema and SELECT on the whole "
            "table: GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON … TO …"
        )
    if state in _MISSING:
        return TableMismatch(f"{where}: {message}")
    if state.startswith(_UNAVAILABLE) or (not state and severity != "ERROR"):
        return SourceUnavailable(f"{where}: {message}")
    if state.startswith(_DATA) or not state:
        # Such messages quote the value, and whoever reads them may not be allowed to see it.
        return SourceError(
            f"{where}: the database couldn't compute a value of a row"
            + (f" (SQLSTATE {state})" if state else "")
            + "; run the same SELECT there to see which"
        )
    return SourceError(f"{where}: {message} (SQLSTATE {state})")


def _on_one_line(text: str) -> str:
    lines = (line.strip() for line in _NOISE.sub("", text).splitlines())
    return " ".join(line for line in lines if line)
