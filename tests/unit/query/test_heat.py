"""Which partitions are hot."""

from __future__ import annotations

from warmcube.query.heat import HALF_LIFE, LOAD_BYTES, MOST, TRIP_BYTES, UNFADED, Heat

MEGABYTE = 1 << 20


def test_a_partition_is_hot_when_its_reads_have_cost_what_loading_costs() -> None:
    """Each counts with its bytes, and with its trip: a few large ones, or many small ones."""
    heat = Heat()
    assert not heat.is_hot("a", MEGABYTE, 0.0)
    heat.add("a", MEGABYTE, 0.0)
    assert not heat.is_hot("a", MEGABYTE, 0.0)
    heat.add("a", MEGABYTE // 2, 0.0)
    assert heat.is_hot("a", MEGABYTE, 0.0)
    reads = -(-(MEGABYTE + LOAD_BYTES) // TRIP_BYTES)
    for number in range(reads):
        assert not heat.is_hot("b", MEGABYTE, 0.0), number
        heat.add("b", 0, 0.0)
    assert heat.is_hot("b", MEGABYTE, 0.0)


def test_what_was_long_ago_counts_for_less() -> None:
    """Half after each half-life; so reads that are far apart never make anything hot."""
    heat = Heat()
    heat.add("a", MEGABYTE, 0.0)
    assert heat.of("a", HALF_LIFE) == heat.of("a", 0.0) / 2
    for number in range(1, 1000):
        heat.add("a", MEGABYTE // 8, 10 * HALF_LIFE * number)
        assert not heat.is_hot("a", MEGABYTE, 10 * HALF_LIFE * number)
    assert heat.of("a", 0.0) == heat.of("a", 10 * HALF_LIFE * 999)  # never more than it was


def test_nothing_fades_at_once_and_nothing_that_is_read_all_the_time_is_spared() -> None:
    """A read every few milliseconds, for a half-life: what was before counts half."""
    heat = Heat()
    heat.add("a", 1 << 40, 0.0)
    heat.add("a", 0, UNFADED / 2)
    assert heat.of("a", 0.0) > 1 << 40
    for number in range(1, round(HALF_LIFE / 0.01)):
        heat.add("a", 0, 0.01 * number)
    reads = TRIP_BYTES * HALF_LIFE / 0.01
    assert (1 << 39) < heat.of("a", HALF_LIFE) < (1 << 39) + reads


def test_what_cools_begins_anew() -> None:
    """As if it had never been read."""
    heat = Heat()
    heat.add("a", MEGABYTE, 0.0)
    heat.cool("a")
    heat.cool("never read")
    assert heat.of("a", 0.0) == 0


def test_not_all_partitions_that_ever_were_are_looked_after() -> None:
    """The coldest are forgotten."""
    heat = Heat()
    heat.add("hot", MEGABYTE, 0.0)
    for number in range(3 * MOST):
        heat.add(number, 0, 0.0)
    assert len(heat._reads) <= MOST
    assert heat.of("hot", 0.0) > 0
