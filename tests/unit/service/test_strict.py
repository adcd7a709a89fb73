"""`warmcube.service.strict`: bodies read with bounded work."""

from __future__ import annotations

import pytest

from warmcube.errors import InvalidRequest, LimitExceeded
from warmcube.service.strict import parse_body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[[[]],[[]]]", [[[]], [[]]]),
        (b'["[[[[", "{{{{", "\\"[[[[", [["]]"]]]', ["[[[[", "{{{{", '"[[[[', [["]]"]]]),
        (b'{"a[[[[": [{}]}', {"a[[[[": [{}]}),
    ],
)
def test_depth_is_that_of_objects_and_lists(body: bytes, expected: object) -> None:
    """Brackets in texts are none."""
    assert parse_body(body, 3) == expected


@pytest.mark.parametrize("body", [b"[[[[]]]]", b'{"a":[{"b":[]}]}', b'["[",[[[1]]]]', b"[[[["])
def test_what_is_deeper_is_refused(body: bytes) -> None:
    """Whether it ends or not, and the limit is named."""
    with pytest.raises(LimitExceeded, match=r"\[limits\] depth = 3"):
        parse_body(body, 3)


@pytest.mark.parametrize("end", [b"", b"\\", b"\n"])
def test_a_text_that_never_ends_takes_one_look(end: bytes) -> None:
    """A look from each of its quotes on would take an hour, and hold up everybody else."""
    body = b"[]" * 20 + b'"' + b'\\"' * 490_000 + end
    with pytest.raises(InvalidRequest, match="isn't JSON"):
        parse_body(body, 16)
