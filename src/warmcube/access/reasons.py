"""Why a grant is what it is: from role to permission to organization to practices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from warmcube.access.grant import Grant, Right
from warmcube.access.reach import Reach
from warmcube.model.scope import ALL, All, Ids

__all__ = ["Reason", "reason_of"]

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for which somebody sees rows.

    Attributes:
        rights: the right, or, for an export, the right to export and the right to read.
        organizations: where it holds; ``ALL`` if everywhere.
        practices: the practices of these, as ids of the directory.
        providers: whose rows: ``ALL``, or the user's own providers.
    """

    rights: tuple[Right, ...]
    organizations: Ids
    practices: Ids
    providers: Ids

    def as_json(self) -> dict[str, Any]:
        """All of it, as what JSON can hold; ``"all"`` where nothing is restricted."""
        return {
            "because": [
                {
                    "role": right.held.role,
                    "permission": str(right.permission),
                    "organization": right.held.organization,
                    "expires": right.held.expires and right.held.expires.isoformat(),
                }
                for right in self.rights
            ],
            "organizations": _listed(self.organizations),
            "practices": _listed(self.practices),
            "providers": _listed(self.providers),
        }

    def __str__(self) -> str:
        return "; ".join(
            [
                *(_sentence(right) for right in self.rights),
                f"organizations: {_summary(self.organizations)}",
                f"practices: {_summary(self.practices)}",
                f"providers: {_summary(self.providers)}",
            ]
        )


def reason_of(grant: Grant, rights: tuple[Right, ...], reach: Reach) -> Reason:
    """Why these rights together reach so far."""
    own: Ids = frozenset(binding.provider for binding in grant.user.providers)
    return Reason(rights, reach.organizations, reach.practices, own if reach.is_own else ALL)


def _listed(ids: Ids) -> list[str] | str:
    return "all" if isinstance(ids, All) else sorted(ids)


def _summary(ids: Ids) -> str:
    if isinstance(ids, All):
        return "all"
    named: Sequence[str] = sorted(ids)[:_NAMED]
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return f"{', '.join(named) or 'none'}{more}"


def _sentence(right: Right) -> str:
    where = "" if right.held.organization is None else f" in {right.held.organization}"
    until = "" if right.held.expires is None else f" until {right.held.expires.isoformat()}"
    return f"role {right.held.role}{where}{until} gives {right.permission}"
