"""`warmcube.web.viewer`: who looks, and where they may go."""

from __future__ import annotations

import pytest

from warmcube.web.viewer import Link, Viewer, links


def viewer(name: str = "Ana", *, is_known: bool = True, is_operator: bool = False) -> Viewer:
    """Somebody."""
    return Viewer(user="ana", name=name, csrf_token="", is_known=is_known, is_operator=is_operator)


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Rut Root", "RR"),
        ("ana", "A"),
        ("Maria de la Cruz", "MC"),
        ("  ", ""),
        ("émile zola", "ÉZ"),
    ],
)
def test_initials(name: str, initials: str) -> None:
    """Of the first and the last word."""
    assert viewer(name).initials == initials


def test_the_navigation_of_each() -> None:
    """Operators have one page more, and who may see nothing has none."""
    reader = (Link("/dashboards", "Dashboards", True), Link("/explore", "Explore", False))
    assert links(viewer(), "/dashboards/practice") == reader
    operator = viewer(is_operator=True)
    assert [each.path for each in links(operator, "/admin")] == [
        "/dashboards",
        "/explore",
        "/admin",
    ]
    assert [each.is_current for each in links(operator, "/admin")] == [False, False, True]
    assert not any(each.is_current for each in links(operator, "/dashboardsx"))
    assert links(None, "/dashboards") == ()
    assert links(viewer(is_known=False), "/dashboards") == ()
