"""A process of the service doesn't look through all that it was started with, again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from warmcube.service.pauses import avoid_pauses


@pytest.fixture
def collector() -> Iterator[None]:
    """The settings of this process, brought back in the end."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("collector")
def test_what_is_there_at_the_start_is_looked_at_no_more() -> None:
    """What comes later is, and the garbage in it is found."""
    before = len(gc.get_objects())
    avoid_pauses()
    assert gc.get_freeze_count() >= before // 2
    assert len(gc.get_objects()) < before // 2
    circle: list[object] = []
    circle.append(circle)
    del circle
    assert gc.collect() >= 1
    assert gc.isenabled()
    assert gc.get_threshold()[0] > 700
