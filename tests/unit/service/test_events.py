"""`warmcube.service.events`: what a client may come back with."""

from __future__ import annotations

import pytest

from warmcube.errors import InvalidQuery
from warmcube.service.events import parse_last_id

JOB = "1-0123456789abcdef"
OTHER = "22-fedcba9876543210"


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (None, {}),
        ("", {}),
        (f"{JOB}.0", {JOB: 0}),
        (f"{JOB}.17,{OTHER}.3", {JOB: 17, OTHER: 3}),
    ],
)
def test_an_id_says_what_is_known(text: str | None, known: dict[str, int]) -> None:
    """Which revision of which job."""
    assert parse_last_id(text) == known


@pytest.mark.parametrize(
    "text", ["x", f"{JOB}", f"{JOB}.", f"{JOB}.01", f"{JOB}.-1", f"{JOB}.1,", f"{JOB}.1," * 201]
)
def test_what_is_none_of_ours_is_refused(text: str) -> None:
    """Rather than telling all anew, as if nothing were known."""
    with pytest.raises(InvalidQuery, match="Last-Event-ID"):
        parse_last_id(text)
