"""`warmcube.service.batches`: what becomes of many answers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from warmcube.errors import InvalidQuery, LimitExceeded, WarmcubeError
from warmcube.service.batches import encode_batch
from warmcube.service.forms import Form


def test_nothing_is_encoded_beyond_the_limit() -> None:
    """The same large answer a hundred times would fill the memory before it is refused."""
    taken = 0

    def outcomes() -> Iterator[WarmcubeError]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield InvalidQuery(f"question {number}: {'x' * 1000}")

    with pytest.raises(LimitExceeded, match=r"\[limits\] answer = 5,000"):
        encode_batch(outcomes(), Form(), 5_000)
    assert taken == 5


def test_each_answer_has_its_place() -> None:
    """Up to the limit all are there, in their order."""
    body = encode_batch([InvalidQuery("first"), InvalidQuery("second")], Form(), 5_000)
    told = json.loads(body)["answers"]
    assert [each["problem"]["detail"] for each in told] == ["first", "second"]
