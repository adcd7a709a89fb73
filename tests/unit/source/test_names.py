"""Names of tables as they are written, and as SQL wants them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.errors import TableMismatch
from warmcube.source.names import TableName, parse_table, quote, similar

_NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("text", "schema", "name", "sql"),
    [
        ("ih.agg", "ih", "agg", '"ih"."agg"'),
        ("agg", None, "agg", '"agg"'),
        ('"we.ird"."ta ble"', "we.ird", "ta ble", '"we.ird"."ta ble"'),
        ("Upper.Case", "Upper", "Case", '"Upper"."Case"'),
        ('"a""b".c d', 'a"b', "c d", '"a""b"."c d"'),
        ("a.x; DROP TABLE y", "a", "x; DROP TABLE y", '"a"."x; DROP TABLE y"'),
    ],
)
def test_a_table_is_read_as_written(text: str, schema: str | None, name: str, sql: str) -> None:
    """Nothing is folded; quotes are for dots and quotes."""
    table = parse_table(text)
    assert (table.schema, table.name, table.sql) == (schema, name, sql)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", 'a"b', '"a', '""', 'a."b"c', "a\0"])
def test_what_is_no_table_name_is_refused(text: str) -> None:
    """With what was expected."""
    with pytest.raises(TableMismatch, match=r"expected schema\.table"):
        parse_table(text)


@given(st.none() | _NAMES, _NAMES)
def test_every_name_can_be_written(schema: str | None, name: str) -> None:
    """`str` of a name is read as the same name."""
    table = TableName(schema, name)
    assert parse_table(str(table)) == table


@given(_NAMES)
def test_quoting_ends_where_the_name_ends(name: str) -> None:
    """Between the outer quotes every quote is doubled, so that none ends the identifier."""
    quoted = quote(name)
    assert (quoted[0], quoted[-1]) == ('"', '"')
    assert '"' not in quoted[1:-1].replace('""', "")
    assert quoted[1:-1].replace('""', '"') == name


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_sql_has_no_name_for_is_refused(name: str) -> None:
    """NUL and the empty name."""
    with pytest.raises(TableMismatch, match="can't be used in SQL"):
        quote(name)


def test_similar_names_are_of_other_case_or_few_letters_off() -> None:
    """The nearest first; what is far off isn't named."""
    candidates = ["ih.agg_app_measures", "ih.AGG_APP_MEASURES", "public.users", "ih.agg"]
    assert similar("ih.agg_app_measure", candidates)[:2] == candidates[:2]
    assert similar("zzz", candidates) == []
