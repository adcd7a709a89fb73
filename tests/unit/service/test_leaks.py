"""The scan of responses finds what it is for; otherwise it would prove nothing."""

from __future__ import annotations

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.leaks import LeakScan


def response(body: bytes, kind: str = "application/json", **headers: str) -> httpx.Response:
    """A response to a request."""
    return httpx.Response(
        200,
        content=body,
        headers={"content-type": kind, **headers},
        request=httpx.Request("GET", "http://test/"),
    )


def parquet(text: str) -> bytes:
    """A file with one text."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"note": [text]}), sink, compression="zstd")
    found: bytes = sink.getvalue().to_pybytes()
    return found


@pytest.mark.parametrize(
    "found",
    [
        response(b'{"note": "note of practice 110"}'),
        response(b"{}", **{"x-note": "note of practice 110"}),
        response(parquet("note of practice 110"), "application/vnd.apache.parquet"),
        response(b'{"detail": "Traceback (most recent call last)"}'),
        response(b'{"detail": "can\'t reach postgresql://u@h/db"}'),
        response(b'{"detail": "the key is hunter2hunter2"}'),
    ],
)
def test_what_may_not_be_there_is_found(found: httpx.Response) -> None:
    """In bodies, in headers, in compressed files."""
    scan = LeakScan({"north": (101,)}, ("hunter2hunter2",))
    with pytest.raises(AssertionError):
        scan.check("north", found)


def test_ones_own_is_no_leak() -> None:
    """And the super admin's is everything."""
    scan = LeakScan({"north": (110,), "root": None})
    own = response(b'{"note": "note of practice 110"}')
    scan.check("north", own)
    scan.check("root", own)
    with pytest.raises(AssertionError):
        scan.check("nobody", own)
