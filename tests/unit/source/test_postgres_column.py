"""What a Postgres column is to warmcube."""

from __future__ import annotations

import pytest

from warmcube.errors import UnsupportedValue
from warmcube.model.schema import Column, ColumnType, Kind
from warmcube.source.postgres_column import (
    NumericFacts,
    PostgresColumn,
    facts_statement,
    known_type,
    resolve,
)
from warmcube.source.select import count_statement, table_statement

_ODD = 'o"dd'


def _numeric(modifier: int = -1) -> PostgresColumn:
    return PostgresColumn("v", "numeric", "numeric", modifier)


@pytest.mark.parametrize(
    ("modifier", "precision", "scale"),
    [
        ((10 << 16 | 2) + 4, 10, 2),
        ((3 << 16 | (-2 & 0x7FF)) + 4, 5, 0),
        ((3 << 16 | 5) + 4, 5, 5),
        ((38 << 16) + 4, 38, 0),
        ((60 << 16 | 2) + 4, 0, 0),
        ((37 << 16 | (-2 & 0x7FF)) + 4, 0, 0),
        (-1, 0, 0),
    ],
)
def test_the_modifier_says_the_digits(modifier: int, precision: int, scale: int) -> None:
    """Negative scales and scales above the precision too; more than 38 need a look."""
    column = _numeric(modifier)
    assert (column.type.precision, column.type.scale) == (precision, scale)
    assert column.needs_facts == (precision == 0)


@pytest.mark.parametrize(
    ("facts", "precision", "scale"),
    [
        (NumericFacts(None, None, None), 18, 0),
        (NumericFacts(2, 1, "123"), 18, 2),
        (NumericFacts(0, 0, "0"), 18, 0),
        (NumericFacts(18, 18, "0"), 18, 18),
        (NumericFacts(16, 16, "999"), 38, 16),
        (NumericFacts(40, 3, "1"), 18, 3),
        (NumericFacts(30, 20, "123456789012345678"), 38, 20),
    ],
)
def test_digits_come_from_the_data(facts: NumericFacts, precision: int, scale: int) -> None:
    """The scale that is printed if it fits, else the one that is needed."""
    assert resolve(_numeric(), facts) == ColumnType(Kind.NUMERIC, precision, scale)


def test_too_many_digits_are_refused() -> None:
    """With the column and the figures."""
    with pytest.raises(UnsupportedValue, match=r"'v'.*20 digits before and 19 after"):
        resolve(_numeric(), NumericFacts(19, 19, "1" * 20))


def test_known_digits_are_taken_over() -> None:
    """From a numeric of the same name only; declared ones need none."""
    known = Column("v", ColumnType(Kind.NUMERIC, 18, 3))
    assert known_type(_numeric(), known) == known.type
    assert known_type(_numeric(), None) is None
    assert known_type(_numeric(), Column("v", ColumnType(Kind.TEXT))) is None
    declared = _numeric((10 << 16 | 2) + 4)
    assert known_type(declared, known) == ColumnType(Kind.NUMERIC, 10, 2)


@pytest.mark.parametrize(
    ("column", "key"),
    [
        (PostgresColumn(_ODD, "integer", "int4"), ('"o""dd"', "int4")),
        (PostgresColumn("v", "key", "int8", is_domain=True), ('"v"::int8', "int8")),
        (PostgresColumn("v", "uuid", "uuid"), ('"v"', "uuid")),
        (PostgresColumn("v", "text", "text"), ('"v"', "text")),
        (PostgresColumn("v", "character varying(3)", "varchar", 7), ('"v"', "text")),
        (
            PostgresColumn("v", "text", "text", is_deterministic=False),
            ('"v"::text COLLATE "C"', "text"),
        ),
        (PostgresColumn("v", "character(3)", "bpchar", 7), ('"v"::text COLLATE "C"', "text")),
        (PostgresColumn("v", "citext", ""), ('"v"::text COLLATE "C"', "text")),
        (PostgresColumn("v", "mood", ""), ('"v"::text COLLATE "C"', "text")),
    ],
)
def test_keys_are_compared_as_they_are_or_by_code_point(
    column: PostgresColumn, key: tuple[str, str]
) -> None:
    """Bare where an index then serves and equality is exact; else as text by code point."""
    assert column.key == key


def test_statements_name_what_they_read() -> None:
    """Quoted names, and the roles that are there."""
    column, other = PostgresColumn(_ODD, "integer", "int4"), PostgresColumn("f", "mood", "")
    assert (
        table_statement('"t"', [column.selected, other.selected]).sql
        == 'SELECT "o""dd", "f"::text FROM "t"'
    )
    assert count_statement('"t"', None, None).sql == (
        'SELECT NULL::text, NULL::text, count(*) FROM "t"'
    )
    assert count_statement('"t"', None, other).sql == (
        'SELECT NULL::text, "f"::text COLLATE "C", count(*) FROM "t" GROUP BY "f"::text COLLATE "C"'
    )
    assert facts_statement('"t"', [_numeric(), _numeric()]).sql.count("max(") == 6
