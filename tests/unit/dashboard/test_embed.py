"""What viewers of an embedded dashboard may narrow it by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.dashboard.embed import narrow_embedded
from warmcube.dashboard.rendered import UniversalFilters
from warmcube.errors import InvalidFilter

TREE = {"root": {"root", "north", "east"}, "north": {"north", "east"}, "east": {"east"}}


def below(organization: str) -> Collection[str]:
    """An organization and those under it."""
    return TREE.get(organization, set())


def narrowed(fixed: dict[str, Any], asked: dict[str, Any]) -> UniversalFilters:
    """Both together."""
    return narrow_embedded(UniversalFilters(**fixed), UniversalFilters(**asked), below)


def test_what_isnt_fixed_can_be_asked_for() -> None:
    """All of it; and what is fixed holds without being asked for."""
    everything: dict[str, Any] = {
        "start": date(2024, 1, 1),
        "end": date(2024, 12, 31),
        "organization": "north",
        "practices": (101,),
        "providers": (),
        "where": {"region": ("Bay", None)},
        "time_zone": "Europe/Berlin",
    }
    assert narrowed({}, everything) == UniversalFilters(**everything)
    assert narrowed(everything, {}) == UniversalFilters(**everything)
    assert narrowed({}, {"preset": "today"}) == UniversalFilters(preset="today")
    assert narrowed({"preset": "today"}, {}) == UniversalFilters(preset="today")
    assert narrowed({}, {}) == UniversalFilters()
    assert {each.name for each in fields(UniversalFilters)} == {"preset", *everything}


@pytest.mark.parametrize("name", ["practices", "providers"])
def test_lists_have_what_is_in_both(name: str) -> None:
    """In the form in which it is fixed; nothing in common is no row, and not no filter."""
    cases: list[tuple[Any, Any, Any]] = [
        ((1, 2, 3), (2, 3, 4), (2, 3)),
        ((1, 2), ("2", "x"), (2,)),
        (("1", "2"), (2,), ("2",)),
        ((1, 2), (3,), ()),
        ((1, 2), (), ()),
        ((), (1,), ()),
        ((), None, ()),
        ((1,), ("01", " 1", "1.0", "+1"), ()),
    ]
    for fixed, asked, expected in cases:
        found = narrowed({name: fixed}, {name: asked})
        assert getattr(found, name) == expected, (fixed, asked)


def test_conditions_have_what_is_in_both_column_by_column() -> None:
    """A column that isn't fixed may be narrowed too."""
    fixed = {"region": ("Bay", None, "Hill"), "kind": ("a",)}
    asked = {"region": (None, "Bay", "None"), "kind": ("b",), "colour": ("red",)}
    assert narrowed({"where": fixed}, {"where": asked}).where == {
        "region": ("Bay", None),
        "kind": (),
        "colour": ("red",),
    }
    assert narrowed({"where": {"a": (None,)}}, {"where": {"a": ("None", "")}}).where == {"a": ()}


@pytest.mark.parametrize(
    "fixed",
    [{"preset": "last_30_days"}, {"start": date(2024, 1, 1)}, {"end": date(2024, 1, 1)}],
)
def test_fixed_dates_stay(fixed: dict[str, Any]) -> None:
    """Not even fewer may be asked for; where somebody is shifts no day of them."""
    for asked in (
        {"preset": "today"},
        {"start": date(2024, 1, 1), "end": date(2024, 1, 1)},
        {"end": date(2024, 1, 1)},
    ):
        with pytest.raises(InvalidFilter, match="dates of this dashboard are fixed"):
            narrowed(fixed, asked)
    assert narrowed(fixed, {"time_zone": "Pacific/Kiritimati"}) == UniversalFilters(**fixed)


def test_a_fixed_time_zone_stays() -> None:
    """Whichever days are asked for."""
    found = narrowed(
        {"time_zone": "Europe/Berlin"}, {"preset": "today", "time_zone": "Pacific/Kiritimati"}
    )
    assert found == UniversalFilters(preset="today", time_zone="Europe/Berlin")


def test_an_organization_is_the_fixed_one_or_below_it() -> None:
    """Another is refused, whether it is above, beside or not there at all."""
    assert narrowed({"organization": "north"}, {"organization": "east"}).organization == "east"
    assert narrowed({"organization": "north"}, {"organization": "north"}).organization == "north"
    assert narrowed({"organization": "gone"}, {"organization": "gone"}).organization == "gone"
    for other in ("root", "south", "gone"):
        with pytest.raises(InvalidFilter, match=f"organization '{other}' is outside"):
            narrowed({"organization": "north"}, {"organization": other})


_IDS = st.none() | st.lists(st.sampled_from([1, 2, 3, "1", "2", "x"]), max_size=4).map(tuple)
_VALUES = st.lists(st.sampled_from(["a", "b", None, 1, "1", True]), max_size=4).map(tuple)
_FILTERS = st.builds(
    UniversalFilters,
    organization=st.sampled_from([None, "root", "north", "east"]),
    practices=_IDS,
    providers=_IDS,
    where=st.dictionaries(st.sampled_from(["p", "q"]), _VALUES, max_size=2),
    time_zone=st.sampled_from([None, "UTC", "Europe/Berlin"]),
)


@given(_FILTERS, _FILTERS)
def test_nothing_is_ever_wider_than_what_is_fixed(
    fixed: UniversalFilters, asked: UniversalFilters
) -> None:
    """Each field is a part of the fixed one, and a part of what is asked for."""
    try:
        found = narrow_embedded(fixed, asked, below)
    except InvalidFilter:
        assert fixed.organization is not None
        assert asked.organization not in below(fixed.organization)
        return
    for name in ("practices", "providers"):
        assert _is_part(getattr(found, name), getattr(fixed, name), exactly=True)
        assert _is_part(getattr(found, name), getattr(asked, name), exactly=False)
    assert found.where.keys() == fixed.where.keys() | asked.where.keys()
    for column, values in found.where.items():
        assert _is_part(values, fixed.where.get(column), exactly=True)
        assert _is_part(values, asked.where.get(column), exactly=False)
    if fixed.organization is not None:
        assert found.organization in below(fixed.organization)
    assert narrow_embedded(fixed, found, below) == found
    assert narrow_embedded(fixed, UniversalFilters(), below) == replace(fixed)


def _is_part(values: Any, of: Any, *, exactly: bool) -> bool:
    if of is None:
        return True
    if values is None:
        return False
    if exactly:
        return all(any(each is other for other in of) for each in values)
    return {each is None or str(each) for each in values} <= {
        each is None or str(each) for each in of
    }
