"""Which of several workers has the say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from warmcube.jobs.workers import WorkerCard
from warmcube.model.schema import Datasource, Roles
from warmcube.worker.seniority import digest_of, senior_of, why_left

A, B = "configured so", "configured otherwise"
SOURCE = Datasource(id=1, name="t", source="main", table="t", roles=Roles())


def card(id: str, since: int, configuration: str, **more: bool) -> WorkerCard:
    """A worker that looks after data source 1."""
    return WorkerCard(
        id=id,
        host="h",
        process=7,
        version="1",
        since_ms=since,
        datasources=(1,),
        configurations={1: configuration},
        **more,  # type: ignore[arg-type]
    )


def test_the_one_that_was_started_last_has_the_say() -> None:
    """Whichever looks; and of two that began in the same millisecond one has."""
    older, newer, same = card("a", 1, A), card("b", 2, B), card("c", 2, A)
    assert senior_of(older, [older, newer], 1) == newer
    assert senior_of(newer, [older, newer], 1) is None
    assert senior_of(newer, [newer, same], 1) == same
    assert senior_of(same, [newer, same], 1) is None


def test_whoever_has_the_same_configuration_is_no_rival() -> None:
    """Nor one that ends, looks after others, or is of a version that doesn't say."""
    own = card("a", 1, A)
    others = [
        card("b", 2, A),
        card("c", 2, B, is_ending=True),
        replace(card("d", 2, B), configurations={2: B}),
        replace(card("e", 2, B), configurations={}),
    ]
    assert senior_of(own, others, 1) is None
    assert senior_of(own, [card("x", 2, B), card("b", 3, A)], 1) is None


def test_who_comes_now_and_then_has_no_say_over_who_stays() -> None:
    """Or it would have whenever it comes."""
    once, running = card("a", 9, A, is_once=True), card("b", 1, B)
    assert senior_of(once, [running], 1) == running
    assert senior_of(running, [once], 1) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(SOURCE, table="another"),
        replace(SOURCE, source="another"),
        replace(SOURCE, roles=Roles(provider=None)),
    ],
)
def test_what_makes_snapshots_unreadable_makes_configurations_differ(other: Datasource) -> None:
    """And nothing else does."""
    own = digest_of(SOURCE, "checksum")
    assert own == digest_of(replace(SOURCE, name="renamed"), "checksum")
    assert own != digest_of(other, "checksum")
    assert own != digest_of(SOURCE, "mac")


def test_the_reason_names_the_other_one() -> None:
    """So that somebody can look at its machine."""
    assert "h process 7 (warmcube 1)" in why_left(card("b", 2, B))
