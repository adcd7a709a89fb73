"""`warmcube.observe.outlook`: what a worker has written down, and what somebody else has."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.entry.keys import Keys
from warmcube.observe.outlook import (
    OUTLOOK_MS,
    Outlook,
    pack_outlook,
    unpack_outlook,
    write_outlook,
)

texts = st.none() | st.text()
outlooks = st.builds(
    Outlook,
    by=st.text(),
    state=st.text(),
    next_ms=st.none() | st.integers(0, 2**47 - 1),
    reason=texts,
    held=texts,
    failures=st.integers(0, 10**9),
    error=texts,
    damaged=st.integers(0, 10**9),
    verify_ms=st.none() | st.integers(0, 2**47 - 1),
)


@given(outlooks)
def test_it_comes_back_as_it_was(outlook: Outlook) -> None:
    """Every field of it."""
    assert unpack_outlook(pack_outlook(outlook)) == outlook


@pytest.mark.parametrize(
    "changes",
    [
        {"by": 7},
        {"state": None},
        {"next_ms": "soon"},
        {"next_ms": -1},
        {"next_ms": 2**60},
        {"next_ms": True},
        {"verify_ms": "never"},
        {"verify_ms": 2**60},
        {"reason": 1},
        {"failures": -1},
        {"failures": "many"},
        {"damaged": 1.5},
    ],
)
def test_nothing_from_the_store_is_believed(changes: dict[str, Any]) -> None:
    """What isn't as it is written is none, and nobody falls over it."""
    facts = asdict(Outlook(by="a", state="waiting")) | changes
    assert unpack_outlook(json.dumps(facts).encode()) is None


def test_what_an_older_worker_writes_can_be_read() -> None:
    """While one is replaced by the next version, the other still counts as alive."""
    facts = asdict(Outlook(by="a", state="waiting"))
    del facts["verify_ms"]
    assert unpack_outlook(json.dumps(facts).encode()) == Outlook(by="a", state="waiting")


@pytest.mark.parametrize("stored", [None, b"", b"rubbish", b"[]", b"7", b"{}", b"\xff"])
def test_what_is_none(stored: bytes | None) -> None:
    """No worker has looked lately, or something else lies there."""
    assert unpack_outlook(stored) is None


def test_it_expires() -> None:
    """So that a worker that is gone isn't taken for one that is alive."""
    keys = Keys("", 1)
    outlook = Outlook(by="a", state="due")
    assert write_outlook(keys, outlook) == (
        *(b"SET", keys.outlook, pack_outlook(outlook)),
        *(b"PX", OUTLOOK_MS),
    )
