"""The synchronous cache has the calls of the asynchronous one, parameter by parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import warmcube
from warmcube import blocking
from warmcube.engine import AnalyticsCache as AsyncCache

OWN = {"open", "close", "metrics"}
"""What only the synchronous class has: for code that can't use a with block, and an attribute."""

HIDDEN = {
    *("damage", "inspector", "jobs", "observe_warm", "oversight", "sampler", "seal", "store"),
    *("observe_verification", "verifications"),
}
"""What belongs to the loop, and can't be handed to other threads, or is for the service alone."""


def public(cls: type) -> dict[str, Any]:
    """The public members of a class."""
    return {name: each for name, each in vars(cls).items() if not name.startswith("_")}


SHARED = sorted(set(public(AsyncCache)) - HIDDEN)


def signature(call: Callable[..., Any]) -> tuple[list[tuple[Any, ...]], Any]:
    """The parameters of a call and what it returns, waited for."""
    found = inspect.signature(call)
    parameters = [
        (each.name, each.kind, each.default, each.annotation) for each in found.parameters.values()
    ]
    named = inspect.Parameter.KEYWORD_ONLY  # their order says nothing
    parameters.sort(key=lambda each: (each[1], each[0] if each[1] is named else ""))
    return parameters, found.return_annotation


def test_no_call_is_missing_or_more() -> None:
    """Whoever adds a call to the asynchronous cache adds it here."""
    assert sorted(set(public(blocking.AnalyticsCache)) - OWN) == SHARED
    assert AsyncCache is warmcube.AnalyticsCache


@pytest.mark.parametrize("name", SHARED)
def test_every_call_takes_the_same(name: str) -> None:
    """Names, kinds, defaults and types of the parameters, and the type of the answer."""
    theirs, ours = (public(cls)[name] for cls in (AsyncCache, blocking.AnalyticsCache))
    if isinstance(theirs, property):
        theirs, ours = theirs.fget, ours.fget
    if isinstance(theirs, classmethod):
        theirs, ours = theirs.__func__, ours.__func__
    assert signature(ours) == signature(theirs)
    assert not inspect.iscoroutinefunction(ours)


def test_it_is_made_of_the_same() -> None:
    """Both take what makes a cache."""
    assert signature(blocking.AnalyticsCache.__init__) == signature(AsyncCache.__init__)
