"""What the driver's errors become."""

from __future__ import annotations

import adbc_driver_manager as adbc
import pytest

from warmcube.errors import SourceError, SourceUnavailable, TableMismatch
from warmcube.postgres.url import PostgresUrl
from warmcube.source.postgres_errors import LockNotAvailable, translate

_URL = PostgresUrl.parse("postgresql://u:hush@h:1/db", "[sources.main] url")
_CODE = adbc.AdbcStatusCode.IO


def _adbc(text: str, state: str | None = None) -> adbc.Error:
    return adbc.OperationalError(text, status_code=_CODE, sqlstate=state)


@pytest.mark.parametrize(
    ("error", "type", "words"),
    [
        (_adbc("IO: [libpq] Failed to connect: hush\n\tno route"), SourceUnavailable,
         "can't be reached: Failed to connect: *** no route"),
        (_adbc("x: FATAL:  no such role", "28000"), SourceUnavailable, "no such role"),
        (_adbc("ERROR:  relation gone\nLINE 1", "42P01"), TableMismatch, "relation gone"),
        (_adbc("ERROR:  permission denied", "42501"), SourceError, "GRANT SELECT"),
        (_adbc("FEHLER:  Zugriff verweigert", "42501"), SourceError, "GRANT SELECT"),
        (_adbc("ERROR:  lock timeout", "55P03"), LockNotAvailable, "lock timeout"),
        (_adbc("ERROR:  x", "57014"), SourceUnavailable, "took too long"),
        (_adbc("ERROR:  y", "40001"), SourceUnavailable, "y"),
        (_adbc("ERROR:  syntax", "42601"), SourceError, "syntax (SQLSTATE 42601)"),
        (_adbc('ERROR:  invalid: "secret"', "22P02"), SourceError, "couldn't compute a value"),
        (OSError('ERROR:  invalid: "secret"'), SourceError, "couldn't compute a value"),
        (OSError('FEHLER:  ungültig: "secret"'), SourceUnavailable, "broke off"),
        (OSError("[PGRES_FATAL_ERROR]: ERROR:  canceling statement due to x"),
         SourceUnavailable, "took too long"),
        (OSError("[PGRES_FATAL_ERROR]: FATAL:  terminating"), SourceUnavailable, "terminating"),
    ],
)  # fmt: skip
def test_errors_are_told_for_what_they_are(
    error: Exception, type: type[SourceError], words: str
) -> None:
    """The class, the place, what was tried; never the password nor a row's value."""
    told = translate(error, "main", _URL, "reading t")
    assert told.__class__ is type
    assert str(told).startswith("source 'main' (database 'db' at h:1), reading t: ")
    assert words in str(told)
    assert "hush" not in str(told)
    assert "secret" not in str(told)
