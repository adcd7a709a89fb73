"""Conditions on partitions, and texts inside SQL."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.entry.keys import PartitionName
from warmcube.model.schema import Datasource, Roles
from warmcube.source.postgres_column import PostgresColumn
from warmcube.source.some import bound_to, literal, partitions_condition

COLUMNS = {
    "measure": PostgresColumn("measure", "text", "text"),
    "frequency": PostgresColumn("frequency", "integer", "int4"),
}
DATASOURCE = Datasource(id=1, name="t", source="main", table="t", roles=Roles())


@given(st.text())
def test_no_text_ends_its_literal(text: str) -> None:
    """Nothing but numbers of characters stands between the quotes, and they give the text."""
    found = re.fullmatch(r"U&'((?:\\\+[0-9A-F]{6})*)'::text", literal(text))
    assert found is not None
    numbers = [int(each, 16) for each in found[1].split("\\+")[1:]]
    assert "".join(map(chr, numbers)) == text


def test_several_texts_are_an_array() -> None:
    """Each by itself."""
    assert literal(["a", "b"]) == f"ARRAY[{literal('a')}, {literal('b')}]::text[]"


@pytest.mark.parametrize(
    ("names", "condition", "values"),
    [
        ([], "FALSE", []),
        ([("a", "x")], "FALSE", []),  # no integer
        ([("a", "1")], '(("frequency" = $1::text::int4) AND ("measure" = $2::text::text))', "1a"),
        (
            [("a", "1"), ("b", "1"), (None, "1")],
            (
                '(("frequency" = $1::text::int4) AND '
                '("measure" IS NULL OR "measure" = ANY($2::text[]::text[])))'
            ),
            ["1", ["a", "b"]],
        ),
        (
            [("a", "1"), ("a", "2"), ("a", None)],
            (
                '(("measure" = $1::text::text) AND '
                '("frequency" IS NULL OR "frequency" = ANY($2::text[]::int4[])))'
            ),
            ["a", ["1", "2"]],
        ),
    ],
)
def test_partitions_are_taken_together(
    names: list[tuple[str | None, str | None]], condition: str, values: list[object]
) -> None:
    """By whichever column has fewer values; what a column can't hold is nowhere."""
    bound: list[object] = []
    found = partitions_condition(
        COLUMNS,
        DATASOURCE,
        [PartitionName(*name) for name in names],
        bound_to(bound),  # type: ignore[arg-type]
    )
    assert found == (condition if condition == "FALSE" else f"({condition})")
    if "FALSE" not in condition:
        assert bound == list(values)


def test_a_role_that_the_table_lacks_has_one_value() -> None:
    """Of which all rows are; no row is of another."""
    lacking = Datasource(
        id=1, name="t", source="main", table="t", roles=Roles(measure=None, frequency=None)
    )
    nothing = PartitionName(None, None)
    assert partitions_condition(COLUMNS, lacking, [nothing], literal) == "((TRUE AND TRUE))"
    assert partitions_condition(COLUMNS, lacking, [PartitionName("a", None)], literal) == "FALSE"
