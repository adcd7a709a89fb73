"""Who looks at a page, and which pages there are for them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Link", "Viewer", "links"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who is signed in.

    Attributes:
        user: their id in the directory.
        name: what they are called.
        csrf_token: what their page's modules must send along; empty without a session.
        is_known: whether they may see anything here at all.
        is_operator: whether there is anything for them on the admin page.
    """

    user: str
    name: str
    csrf_token: str
    is_known: bool
    is_operator: bool

    @property
    def initials(self) -> str:
        """One or two letters that stand for them."""
        words = self.name.split()
        return "".join(word[0] for word in (*words[:1], *words[1:][-1:])).upper()


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the navigation."""

    path: str
    text: str
    is_current: bool


def links(viewer: Viewer | None, path: str) -> tuple[Link, ...]:
    """The navigation of a page.

    Args:
        viewer: who looks; None for somebody who isn't signed in.
        path: of the page.
    """
    if viewer is None or not viewer.is_known:
        return ()
    entries = [("/dashboards", "Dashboards"), ("/explore", "Explore")]
    if viewer.is_operator:
        entries.append(("/admin", "Admin"))
    return tuple(
        Link(target, text, path == target or path.startswith(f"{target}/"))
        for target, text in entries
    )
