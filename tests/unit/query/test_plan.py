"""Which index sets a read looks up, and when the counts alone tell."""

from __future__ import annotations

import pytest

from warmcube.entry.keys import Version
from warmcube.entry.manifest import Partition
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.plan import LONG_SET, fields_that_tell, plan_lookup

ONE, TWO = frozenset({"1"}), frozenset({"1", "2"})


def a_partition(largest_provider: int) -> Partition:
    """A partition in which providers' sets are few."""
    return Partition(
        version=Version(1, "0" * 16),
        layout=0,
        entries=100_000,
        rows=100_000,
        practices=10,
        providers=1_000,
        largest_practice=20_000,
        largest_provider=largest_provider,
        entry_bytes=1,
        index_bytes=1,
        earliest=None,
        latest=None,
        largest={},
        as_of_ms=0,
    )


def test_a_providers_long_set_is_read_only_where_nothing_else_is() -> None:
    """How long it is hangs on other people's practices, and so would the number of trips."""
    box = Scope((Box(ONE, ONE),))
    assert plan_lookup(box, a_partition(LONG_SET)).fields == (b"prov:1",)
    assert plan_lookup(box, a_partition(LONG_SET + 1)).fields == (b"p:1",)
    everywhere = Scope((Box(ALL, ONE),))
    assert plan_lookup(everywhere, a_partition(LONG_SET + 1)).fields == (b"prov:1",)


@pytest.mark.parametrize(
    ("boxes", "either", "practice", "provider"),
    [
        ([Box(TWO, ALL)], (b"p:1", b"p:2"), (b"p:1", b"p:2"), None),
        ([Box(ALL, ONE)], (b"prov:1",), None, (b"prov:1",)),
        ([Box(ONE, ONE)], None, None, None),
        ([Box(ONE, ALL), Box(ALL, ONE)], (b"p:1", b"prov:1"), None, None),
        ([Box(ONE, ALL), Box(TWO, ONE)], None, None, None),
    ],
)
def test_fields_that_tell(
    boxes: list[Box],
    either: tuple[bytes, ...] | None,
    practice: tuple[bytes, ...] | None,
    provider: tuple[bytes, ...] | None,
) -> None:
    """Counts tell whether there are rows, and whose, unless a box restricts both families."""
    scope = Scope(tuple(boxes))
    assert fields_that_tell(scope) == either
    assert fields_that_tell(scope, by="practice") == practice
    assert fields_that_tell(scope, by="provider") == provider
