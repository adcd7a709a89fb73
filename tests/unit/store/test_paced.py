"""`warmcube.store.paced`: how long a trip may take for which a user waits."""

from __future__ import annotations

import pytest

from warmcube.store.api import Command
from warmcube.store.paced import _chunks

GET: Command = (b"GET", b"k")


@pytest.mark.parametrize(
    ("commands", "chunks"),
    [
        ([GET, (b"PTTL", b"k")], 1),
        ([(b"MGET", *[b"k"] * 1000), GET], 1),
        ([*[(b"MGET", *[b"k"] * 1000)] * 16, GET], 1),  # each has as long again
        ([*[(b"MGET", b"k", b"l")] * 16, GET], 16),
        ([GET] * 16, 4),
        ([(b"SMEMBERS", b"k")] * 400, 1),
        ([(b"SMEMBERS", b"k")] * 1600, 4),
    ],
)
def test_a_trip_has_a_step_for_each_chunk(commands: list[Command], chunks: int) -> None:
    """Chunks are commands of large values, some single values, or a thousand words."""
    assert _chunks(commands) == chunks
