"""``--explain``: how an answer came about, as a tree."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from warmcube.cli.render import byte_count
from warmcube.query.explain import Explanation

__all__ = ["explanation_tree"]


def explanation_tree(explanation: Explanation) -> Tree:
    """What was looked up, what was fetched, how long each step took, and why it was allowed."""
    tree = Tree(Text(f"answered from the {explanation.origin}", style="bold"))
    if explanation.why_database is not None:
        _add(tree, f"because {explanation.why_database}")
    partition = ", ".join(
        f"{role} {'NULL or absent' if name is None else repr(name)}"
        for role, name in explanation.partition.items()
    )
    _add(tree, f"partition: {partition}")
    scope = _add(tree, f"scope: {_scope(explanation)}")
    for reason in explanation.reasons:
        _add(scope, str(reason))
    if explanation.unusable_ids:
        ids = ", ".join(explanation.unusable_ids)
        _add(scope, f"ids that the columns can't hold, and that grant nothing here: {ids}")
    if explanation.origin != "database":
        _add_lookup(tree, explanation)
    _add(
        tree, f"evaluated {explanation.rows_fetched:,} rows, and answered with {explanation.rows:,}"
    )
    steps = _add(tree, "time")
    for step, milliseconds in explanation.timings.items():
        _add(steps, f"{step}: {milliseconds:.3f} ms")
    return tree


def _add_lookup(tree: Tree, explanation: Explanation) -> None:
    lookup = _add(tree, "lookup")
    whole = ", one of them that of the whole partition" if explanation.whole_partition else ""
    if explanation.index_sets is not None:
        _add(lookup, f"index sets: {explanation.index_sets:,}{whole}")
    fetched = (
        f"fetched ({byte_count(explanation.bytes_fetched)})"
        if explanation.entries or not explanation.members
        else "none fetched"
    )
    _add(lookup, f"entries in scope: {explanation.members:,}, {fetched}")
    if explanation.sums:
        _add(lookup, f"practice sums in their place: {explanation.sums:,} of those fetched")
    if explanation.trips is not None:
        _add(lookup, f"trips to the store: {explanation.trips}")


def _scope(explanation: Explanation) -> str:
    if not explanation.boxes:
        return "nothing"

    def some(count: int | None, what: str) -> str:
        return f"all {what}s" if count is None else f"{count:,} {what}{'s' * (count != 1)}"

    words = f"{some(explanation.practices, 'practice')}, {some(explanation.providers, 'provider')}"
    return words if explanation.boxes == 1 else f"{words}, in {explanation.boxes} parts"


def _add(tree: Tree, text: str) -> Tree:
    return tree.add(Text(text))
