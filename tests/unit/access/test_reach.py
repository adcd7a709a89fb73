"""Boxes are united without a row more or less."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from warmcube.access.reach import EVERYTHING, Reach, unite_boxes
from warmcube.model.scope import ALL, All, Box, Ids, Scope

IDS = ["1", "2", "3"]
ROWS = list(itertools.product([None, *IDS], [None, *IDS]))


def _ids() -> st.SearchStrategy[Ids]:
    return st.just(ALL) | st.frozensets(st.sampled_from(IDS))


_BOXES = st.lists(st.builds(Box, _ids(), _ids()), max_size=5)


@given(_BOXES)
def test_the_same_rows(boxes: list[Box]) -> None:
    """The union holds the rows that the boxes held."""
    united = Scope(unite_boxes(boxes))
    for row in ROWS:
        assert united.allows(*row) == any(box.allows(*row) for box in boxes)


@given(_BOXES)
def test_as_few_as_come_without_effort(boxes: list[Box]) -> None:
    """No box is empty, none has another's providers, and none repeats a wide one's practices."""
    united = unite_boxes(boxes)
    assert not any(box.is_empty for box in united)
    assert len({box.providers for box in united}) == len(united)
    for wide in united:
        if not isinstance(wide.providers, All):
            continue
        for box in united:
            if box is not wide and not isinstance(box.practices, All):
                assert not isinstance(wide.practices, All)
                assert not box.practices & wide.practices
        if isinstance(wide.practices, All):
            assert united == (wide,)


@given(_BOXES, _BOXES)
def test_what_lies_in_both(left: list[Box], right: list[Box]) -> None:
    """A meeting holds the rows that both hold."""
    met = Reach(ALL, ALL, tuple(left)).meet(Reach(frozenset({"o"}), ALL, tuple(right)))
    for row in ROWS:
        assert Scope(met.boxes).allows(*row) == (
            any(box.allows(*row) for box in left) and any(box.allows(*row) for box in right)
        )
    assert met.organizations == frozenset({"o"})


def test_everything() -> None:
    """Only a right without a limit reaches everything; a cut one doesn't."""
    assert EVERYTHING.is_everything
    cut = EVERYTHING.cut(frozenset({"o"}), frozenset({"1"}))
    assert cut == Reach(frozenset({"o"}), frozenset({"1"}), (Box(frozenset({"1"}), ALL),))
    assert not cut.is_everything
    own = Reach(frozenset({"o"}), frozenset({"1"}), (), is_own=True)
    assert EVERYTHING.meet(own).is_own
    assert own.meet(EVERYTHING).is_own
