"""`docs/reference/security.md` says what the service is held to."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.security_table import HEADERS, LIMITS, ROLES, TABLE, Asked
from tests.support.tokens import bad_credentials

from warmcube.web.policy import content_security_policy

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "reference/security.md"


def rows_of(heading: str) -> list[str]:
    """The rows of the table below a heading of the page, without its head."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\|.*\|$", section, re.MULTILINE)[2:]


def row(asked: Asked) -> str:
    """What the page says of a request."""
    note = f" ({asked.note})" if asked.note else ""
    refusal = "open" if asked.refusal is None else asked.refusal
    cells = [f"`{asked.method} {asked.path}`{note}", *map(str, asked.statuses), str(refusal)]
    return f"| {' | '.join(cells)} |"


def test_the_page_has_every_request_and_role() -> None:
    """Row for row, under the names of the roles."""
    page = PAGE.read_text(encoding="utf-8")
    assert f"| request | {' | '.join(ROLES)} | bad credentials |" in page.splitlines()
    assert rows_of("Who may what") == [row(asked) for asked in TABLE]


def test_the_page_has_every_kind_of_bad_credentials() -> None:
    """And no other."""
    told = [
        each.split(" | ")[0].removeprefix("| ") for each in rows_of("What isn't taken for a token")
    ]
    assert told == list(bad_credentials("root"))


def test_the_page_has_every_header() -> None:
    """With its value; those that differ by answer come last."""
    expected = [f"| `{name}` | `{value}` |" for name, value in HEADERS.items()]
    told = rows_of("Headers of every answer")
    assert told[: len(expected)] == expected
    assert [each.split("`")[1] for each in told[len(expected) :]] == [
        "Cache-Control",
        "X-Request-ID",
    ]


def test_the_page_has_the_policy_of_pages() -> None:
    """Word for word."""
    page = PAGE.read_text(encoding="utf-8")
    assert f"\n```\n{content_security_policy()}\n```\n" in page


def test_the_page_has_every_limit_of_a_request() -> None:
    """With its setting and status."""
    expected = [f"| {each.bound} | `[limits] {each.setting}` | {each.status} |" for each in LIMITS]
    assert rows_of("What bounds a request")[: len(expected)] == expected


def test_the_page_is_found() -> None:
    """From the list of all pages, which names no page twice in the same words."""
    lines = (DOCS / "README.md").read_text(encoding="utf-8").splitlines()
    assert any("(reference/security.md)" in line for line in lines)
    rows = [line for line in lines if line.startswith("| ") and "](" in line]
    assert len(rows) == len(set(rows))
