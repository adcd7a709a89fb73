"""What a grant is worth on one data source, before a request names anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from warmcube.access.grant import Grant, Right
from warmcube.access.ids import holds, show
from warmcube.access.permissions import Action
from warmcube.access.reach import Reach, unite_boxes
from warmcube.access.reasons import Reason, reason_of
from warmcube.errors import AccessDenied, UnknownDatasource
from warmcube.model.schema import ColumnType, Datasource
from warmcube.model.scope import ALL, All, Box, Ids

__all__ = [
    "KeyTypes",
    "Purpose",
    "Standing",
    "require_open",
    "stand",
    "typed_ids",
    "unknown_datasource",
]

Purpose: TypeAlias = Literal["read", "export", "embed"]

_BEYOND: Final[Mapping[Purpose, Action]] = {"export": Action.EXPORT, "embed": Action.EMBED}
"""What it takes beside reading."""


@dataclass(frozen=True, slots=True)
class KeyTypes:
    """The types of a data source's practice and provider columns; None where it lacks one."""

    practice: ColumnType | None
    provider: ColumnType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a grant is worth on one data source.

    Attributes:
        boxes: the rows, in canonical ids of the data source's types.
        practices: what may be named as a practice.
        organizations: what may be named as an organization; all of them active.
        providers: what may be named as a provider: anything, or, under nothing but ``own``, one's
            own.
        reasons: why.
        unusable_practices: practices of the directory that the practice column can't hold.
        unusable_providers: likewise.
        lost_organizations: those below the user's own that a defect keeps from counting.
    """

    boxes: tuple[Box, ...]
    practices: Ids
    organizations: frozenset[str]
    providers: Ids
    reasons: tuple[Reason, ...]
    unusable_practices: frozenset[str]
    unusable_providers: frozenset[str]
    lost_organizations: frozenset[str]


def unknown_datasource(datasource: object) -> UnknownDatasource:
    """The error for an id that isn't configured, or not for whoever asks: the words are one.

    Args:
        datasource: what was asked for; nothing else may go into the message.
    """
    return UnknownDatasource(
        f"there is no data source {show(datasource)}; name the id of one that you may use"
    )


def typed_ids(ids: Ids, type: ColumnType | None) -> tuple[Ids, frozenset[str]]:
    """The directory ids that a column of this type can hold, and those that it can't.

    Args:
        ids: of the directory.
        type: None where there is no column, so that no set of ids can be held.
    """
    if isinstance(ids, All):
        return ALL, frozenset()
    usable = frozenset(each for each in ids if type is not None and holds(each, type))
    return usable, ids - usable


def require_open(grant: Grant, datasource: Datasource) -> None:
    """Whether the data source exists for whoever holds a grant, before anything is read for it.

    Raises:
        UnknownDatasource: it has a door, and no role in force opens it.
    """
    _inside(grant, datasource)


def stand(grant: Grant, datasource: Datasource, types: KeyTypes, purpose: Purpose) -> Standing:
    """What `grant` is worth on `datasource`; the same for every request while the grant lasts.

    Raises:
        UnknownDatasource: it has a door, and no role in force opens it.
        AccessDenied: no right counts there.
    """
    key = (datasource.door, types, purpose)
    known = grant.memo.get(key)
    if not isinstance(known, Standing):
        known = _stand(grant, datasource, types, purpose)
        grant.memo[key] = known
    return known


def _stand(grant: Grant, datasource: Datasource, types: KeyTypes, purpose: Purpose) -> Standing:
    inside = _inside(grant, datasource)
    effective = [
        (rights, _cut(grant, reach, inside)) for rights, reach in _effective(grant, purpose)
    ]
    # Without a practice column no row can be told to be inside an organization, and without a
    # provider column none to be one's own: what speaks of them counts for nothing there.
    if types.practice is None:
        effective = [(rights, reach) for rights, reach in effective if reach.is_everything]
    if types.provider is None:
        effective = [(rights, reach) for rights, reach in effective if not reach.is_own]
    if not effective:
        raise AccessDenied(
            f"user {grant.user.id!r} may not {purpose} data source {datasource.id}; "
            "ask whoever keeps the directory",
            reason=f"no permission to {purpose} this data source",
        )
    return _united(
        grant,
        [reach for _, reach in effective],
        types,
        [reason_of(grant, rights, reach) for rights, reach in effective],
    )


def _united(
    grant: Grant, reaches: Sequence[Reach], types: KeyTypes, reasons: Sequence[Reason]
) -> Standing:
    organizations = _union(reach.organizations for reach in reaches)
    practices, unusable_practices = typed_ids(
        _union(reach.practices for reach in reaches), types.practice
    )
    boxes = unite_boxes(
        Box(
            typed_ids(box.practices, types.practice)[0],
            typed_ids(box.providers, types.provider)[0],
        )
        for reach in reaches
        for box in reach.boxes
    )
    own = frozenset(binding.provider for binding in grant.user.providers)
    return Standing(
        boxes=boxes,
        practices=practices,
        organizations=(
            grant.directory.active_organizations
            if isinstance(organizations, All)
            else organizations
        ),
        providers=own if all(reach.is_own for reach in reaches) else ALL,
        reasons=tuple(reasons),
        unusable_practices=unusable_practices,
        unusable_providers=(
            typed_ids(own, types.provider)[1]
            if any(reach.is_own for reach in reaches)
            else frozenset()
        ),
        lost_organizations=(
            frozenset()
            if isinstance(organizations, All)
            else grant.directory.lost_below(organizations)
        ),
    )


def _inside(grant: Grant, datasource: Datasource) -> Ids:
    """The organizations for which the data source exists; ``ALL`` if nothing is restricted.

    A role that opens the door only within an organization opens it only to what lies there.
    """
    if datasource.door is None:
        return ALL
    inside = _union(held.organizations for held in grant.roles if held.role in datasource.door)
    if inside == frozenset():
        raise unknown_datasource(datasource.id)
    return inside


def _effective(grant: Grant, purpose: Purpose) -> list[tuple[tuple[Right, ...], Reach]]:
    """The rights that count for a purpose, and their reach: all but reading is also a read."""
    reading = _rights(grant, Action.READ)
    if purpose == "read":
        return [((right,), right.reach) for right in reading]
    return [
        ((right, read), right.reach.meet(read.reach))
        for right in _rights(grant, _BEYOND[purpose])
        for read in reading
    ]


def _rights(grant: Grant, action: Action) -> list[Right]:
    return [right for right in grant.rights if right.permission.action is action]


def _cut(grant: Grant, reach: Reach, inside: Ids) -> Reach:
    if isinstance(inside, All):
        return reach
    return reach.cut(inside, grant.directory.practices_of(inside))


def _union(families: Iterable[Ids]) -> Ids:
    united: frozenset[str] = frozenset()
    for ids in families:
        if isinstance(ids, All):
            return ALL
        united |= ids
    return united
