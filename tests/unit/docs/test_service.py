"""`docs/reference/service.md` names all that a client may meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from warmcube import errors
from warmcube.errors import TooManyAttempts, WarmcubeError
from warmcube.model.schema import Kind
from warmcube.service.problems import problem_of

PAGE = Path(__file__).parents[3] / "docs/reference/service.md"


def kinds(kind: type[WarmcubeError] = WarmcubeError) -> Iterator[type[WarmcubeError]]:
    """Every class of the library's errors."""
    yield kind
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from kinds(each)


def error_of(kind: type[WarmcubeError]) -> WarmcubeError:
    """One error of a class."""
    return kind("", retry_after=1.0) if kind is TooManyAttempts else kind("")


@pytest.mark.parametrize("kind", list(kinds()))
def test_every_problem_is_in_the_table_of_errors(kind: type[WarmcubeError]) -> None:
    """Its status stands in one row with the end of its type."""
    problem = problem_of(error_of(kind)).as_json()
    slug = problem["type"].rpartition(":")[2]
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(rf"^\| {problem['status']} \|.*$", page, re.MULTILINE)
    assert any(f"`{slug}`" in row.split("|")[2] for row in rows)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_type_of_a_schema_is_told(kind: Kind) -> None:
    """By the name that an answer gives it."""
    paragraph = PAGE.read_text(encoding="utf-8").partition("\nA `type` in `schema`")[2]
    named = paragraph.partition("\n\n")[0]
    assert re.search(rf"`{kind.value}(\(DIGITS,DECIMALS\))?`", named)
