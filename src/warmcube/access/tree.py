"""Whether the organizations form a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from warmcube.access.directory import Organization
from warmcube.access.ids import show

__all__ = ["check_tree"]


def check_tree(
    organizations: Mapping[str, Organization],
    places: Mapping[str, str],
    report: Callable[[Iterable[str], str, str], None],
) -> None:
    """Report every parent that there isn't, and every loop once.

    Args:
        organizations: by id.
        places: of each, by id.
        report: told which organizations are touched, the place, and what is wrong.
    """
    settled: set[str] = set()
    for start in organizations:
        path: dict[str, None] = {}
        here: str | None = start
        while here is not None and here not in settled and here not in path:
            path[here] = None
            here = _parent(organizations[here], organizations)
        if here is not None and here in path:
            loop = list(path)[list(path).index(here) :]
            report(
                loop,
                f"{places[here]}.parent",
                f"{' → '.join([*loop, here])} is a loop; an organization lies below one other",
            )
        settled |= path.keys()
    for organization in organizations.values():
        if organization.parent is not None and organization.parent not in organizations:
            report(
                [organization.id],
                f"{places[organization.id]}.parent",
                f"there is no organization {show(organization.parent)}; "
                "name one that the directory has, or leave it out",
            )


def _parent(organization: Organization, organizations: Mapping[str, Organization]) -> str | None:
    parent = organization.parent
    return parent if parent in organizations else None
