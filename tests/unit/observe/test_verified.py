"""`warmcube.observe.verified`: what came of the last verification, as it is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from warmcube.compare.report import Verdict
from warmcube.observe.verified import (
    FAILED,
    VERDICTS,
    Verified,
    pack_verified,
    unpack_verified,
)

DONE = Verified(at_ms=1_700_000_000_000, verdict="equal", snapshot="5-0123456789abcdef")


def test_it_comes_back_as_it_was() -> None:
    """With a verdict, and without."""
    for each in (DONE, Verified(at_ms=0, verdict=FAILED, snapshot=None)):
        assert unpack_verified(pack_verified(each)) == each
    assert unpack_verified(None) is None


def test_the_verdicts_are_those_of_verifications() -> None:
    """And one more, for what came to none: labels of metrics are of a closed set."""
    assert (*map(str, Verdict), FAILED) == VERDICTS


@pytest.mark.parametrize(
    "wrong",
    [
        {"at_ms": "5"},
        {"at_ms": -1},
        {"at_ms": 2**60},
        {"at_ms": True},
        {"verdict": "splendid"},
        {"verdict": ["equal"]},
        {"snapshot": 5},
    ],
)
def test_what_was_never_written_is_nothing(wrong: dict[str, Any]) -> None:
    """Nobody who shows it falls over what something else has put there."""
    facts = {**json.loads(pack_verified(DONE)), **wrong}
    assert unpack_verified(json.dumps(facts).encode()) is None


@pytest.mark.parametrize("stored", [b"", b"5", b"[]", b"{}", b"\xff", b'"x"'])
def test_what_can_not_be_read_is_nothing(stored: bytes) -> None:
    """Neither an error."""
    assert unpack_verified(stored) is None
