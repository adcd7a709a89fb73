"""What the viewer of an embedded dashboard may narrow it by: within what is fixed, never beyond.

What is fixed was named by whoever embedded the dashboard; what is asked for comes from its page in
another site, and so from anybody. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from warmcube.access.ids import show
from warmcube.dashboard.rendered import UniversalFilters
from warmcube.errors import InvalidFilter

__all__ = ["narrow_embedded"]

_Values: TypeAlias = tuple[Any, ...]


def narrow_embedded(
    fixed: UniversalFilters, asked: UniversalFilters, below: Callable[[str], Collection[str]]
) -> UniversalFilters:
    """Both together.

    Lists have what is in both, in the form in which it is fixed; a list of which nothing is left
    is one that nothing passes. What is fixed otherwise can't be asked for at all.

    Args:
        fixed: what holds whatever is asked for.
        asked: what the page asks for.
        below: of an organization, itself and all that are under it.

    Raises:
        InvalidFilter: dates are asked for and are fixed, or another organization is.
    """
    return replace(
        _dated(fixed, asked),
        organization=_organization(fixed.organization, asked.organization, below),
        practices=_in_both(fixed.practices, asked.practices),
        providers=_in_both(fixed.providers, asked.providers),
        where=_conditions(fixed.where, asked.where),
    )


def _dated(fixed: UniversalFilters, asked: UniversalFilters) -> UniversalFilters:
    """Days, and the time zone that they are resolved in, which could shift them.

    A page tells its own whatever is fixed; it counts for nothing then.
    """
    has_fixed = _has_dates(fixed)
    if has_fixed and _has_dates(asked):
        raise InvalidFilter("the dates of this dashboard are fixed here; leave them out")
    is_fixed = has_fixed or fixed.time_zone is not None
    zone = fixed.time_zone if is_fixed else asked.time_zone
    days = fixed if has_fixed else asked
    return UniversalFilters(preset=days.preset, start=days.start, end=days.end, time_zone=zone)


def _has_dates(filters: UniversalFilters) -> bool:
    return any(each is not None for each in (filters.preset, filters.start, filters.end))


def _organization(
    fixed: str | None, asked: str | None, below: Callable[[str], Collection[str]]
) -> str | None:
    if fixed is None or asked is None:
        return asked if fixed is None else fixed
    if asked != fixed and asked not in below(fixed):
        raise InvalidFilter(
            f"organization {show(asked)} is outside of what this dashboard shows here; leave it out"
        )
    return asked


def _in_both(fixed: _Values | None, asked: _Values | None) -> _Values | None:
    if fixed is None or asked is None:
        return asked if fixed is None else fixed
    wanted = {_text(each) for each in asked}
    return tuple(each for each in fixed if _text(each) in wanted)


def _text(value: Any) -> str | None:
    """What a value and another way to write it have in common; of NULL nothing else has it."""
    return None if value is None else str(value)


def _conditions(fixed: Mapping[str, _Values], asked: Mapping[str, _Values]) -> dict[str, _Values]:
    found = {**asked, **fixed}
    for column in fixed.keys() & asked.keys():
        found[column] = _in_both(fixed[column], asked[column]) or ()
    return found
