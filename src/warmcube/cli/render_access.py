"""A grant explained, and what is wrong with a directory, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree

from warmcube.access.directory import ProviderBinding
from warmcube.access.explained import ExplainedGrant, ExplainedRight, ExplainedRole, Holding
from warmcube.cli.console import plain

__all__ = ["access_tree"]


def access_tree(explained: ExplainedGrant) -> Tree:
    """Role → permission → organization → practices."""
    name = "" if explained.name == explained.user else f" ({explained.name})"
    within = "" if explained.organization is None else f", within {explained.organization}"
    tree = Tree(Text(plain(f"{explained.user}{name}{within}"), style="bold"))
    for role in explained.roles:
        _add_role(tree, role)
    for organization in explained.inactive_organizations:
        _add(tree, f"organization {organization} is inactive, and counts for nothing")
    for organization in explained.lost_organizations:
        _add(tree, f"organization {organization} has a defect in the directory, and grants nothing")
    datasources = _add(tree, "data sources")
    for number, title, exists in explained.datasources:
        _add(datasources, f"{number} ({title}): {exists}")
    _add(
        tree,
        f"decided {explained.decided_at.isoformat(timespec='seconds')} from directory version "
        f"{explained.directory_version[:12]}",
    )
    return tree


def _add_role(tree: Tree, role: ExplainedRole) -> None:
    where = "" if role.organization is None else f" in {role.organization} and below"
    if role.expires is None:
        until = ""
    else:
        until = f", {'until' if role.in_force else 'expired'} {role.expires.isoformat()}"
    branch = _add(tree, f"role {role.role}{where}{until}")
    for right in role.rights:
        _add_right(branch, right)
    for permission in role.permissions:
        _add(branch, permission)
    if role.in_force and not role.rights and not role.permissions:
        _add(branch, "gives nothing here")


def _add_right(branch: Tree, right: ExplainedRight) -> None:
    found = _add(branch, right.permission)
    if right.holdings is None:
        _add(found, "every row, those of no practice included")
    for holding in right.holdings or ():
        _add(found, _holding(holding))
    if right.providers:
        _add(found, f"only rows of {_providers(right.providers)}")
    if right.nothing is not None:
        _add(found, f"comes to nothing: {right.nothing}")


def _holding(holding: Holding) -> str:
    name = "" if holding.name == holding.organization else f" ({holding.name})"
    practices = ", ".join(holding.practices) or "none of its own"
    return f"organization {holding.organization}{name}: practices {practices}"


def _providers(bindings: Sequence[ProviderBinding]) -> str:
    return ", ".join(
        f"provider {each.provider} wherever it occurs"
        if each.practice is None
        else f"provider {each.provider} in practice {each.practice}"
        for each in bindings
    )


def _add(tree: Tree, text: str) -> Tree:
    return tree.add(Text(plain(text)))
