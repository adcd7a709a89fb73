"""A grant comes from an authoriser only, and ends."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import timedelta
from typing import Any

import pytest
from tests.support.access import NOW, Request, ask, grant_of

from warmcube.access.grant import Authority, Grant, require_grant
from warmcube.access.permissions import Action
from warmcube.errors import AccessDenied

RECORDS = {
    "roles": {"admin": ["analytics:read:all", "cache:manage:all"]},
    "users": [{"id": "ana", "roles": ["admin"]}],
}


def _fields(grant: Grant) -> dict[str, Any]:
    return {each.name: getattr(grant, each.name) for each in dataclasses.fields(grant) if each.init}


def test_it_cant_be_constructed() -> None:
    """Nobody gets a grant by filling in a form."""
    fields = _fields(grant_of(RECORDS, "ana"))
    with pytest.raises(TypeError, match="token"):
        Grant(**fields)
    for token in (None, object(), True, Authority()):
        with pytest.raises(TypeError, match=r"^a grant comes from Authoriser\.authorize"):
            Grant(**fields, token=token)


def test_it_cant_be_changed_or_copied() -> None:
    """A grant stays in its process, as it was decided."""
    grant: Any = grant_of(RECORDS, "ana")
    for name in ("user", "valid_until", "rights"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(grant, name, None)
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(grant, valid_until=NOW + timedelta(days=1))
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"^a grant can't be copied or pickled; .* needed$"):
            copied(grant)


def test_it_cant_be_subclassed() -> None:
    """No other class passes for it."""
    with pytest.raises(TypeError, match=r"^a grant can't be subclassed$"):
        type("Forged", (Grant,), {})


def test_two_are_never_equal() -> None:
    """A grant is this grant, not one that looks like it."""
    assert grant_of(RECORDS, "ana") != grant_of(RECORDS, "ana")


def test_it_shows_little() -> None:
    """A log gets who and until when, and no practices."""
    assert repr(grant_of(RECORDS, "ana")) == "<Grant of 'ana' until 2026-01-01T12:01:00+00:00>"


def test_permits() -> None:
    """What doesn't speak of rows is permitted exactly if it is in force; nothing implies it."""
    grant = grant_of(RECORDS, "ana")
    assert {action for action in Action if grant.permits(action)} == {Action.CACHE_MANAGE}


@pytest.mark.parametrize(
    ("seconds", "is_valid"), [(-1, False), (0, True), (59.9, True), (60, False), (3600, False)]
)
def test_it_counts_from_its_decision_to_its_end(seconds: float, is_valid: bool) -> None:
    """The end is excluded, and a clock that was set back ends it too."""
    grant = grant_of(RECORDS, "ana")
    now = NOW + timedelta(seconds=seconds)
    assert grant.is_valid_at(now) is is_valid
    if is_valid:
        assert require_grant(grant, now) is grant
        assert ask(grant, Request(), now=now).scope.is_everything
        return
    for use in (lambda: require_grant(grant, now), lambda: ask(grant, Request(), now=now)):
        with pytest.raises(AccessDenied, match=r"'ana' held until .*; authorise anew") as error:
            use()
        assert error.value.reason == "grant outdated"


@pytest.mark.parametrize("grant", [None, "ana", object(), Authority(), True])
def test_every_read_needs_one(grant: Any) -> None:
    """Whatever isn't a grant is denied."""
    with pytest.raises(AccessDenied, match="a grant is needed") as error:
        ask(grant, Request())
    assert error.value.reason == "no grant"
