"""The command line of ``query``: what becomes of its words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from warmcube import NULL
from warmcube.cli.app import commands
from warmcube.cli.request import Format, Request
from warmcube.cli.state import State
from warmcube.cli.usage import ClickException, message_of
from warmcube.model.request import Filter, Query
from warmcube.query.asked import Asked


def request_of(*words: str) -> Request:
    """What ``query`` with these words asks for."""
    asked: list[Request] = []
    commands()["query"].main(
        list(words),
        prog_name="query",
        standalone_mode=False,
        obj=State(config=None, ask=asked.append),
    )
    (request,) = asked
    return request


def conditions_of(*words: str) -> list[Filter]:
    """The conditions that these words mean."""
    return list(request_of("1", "--as", "ana", *words).asked.query.where)


def error_of(*words: str) -> str:
    """The sentence for words that can't be read."""
    with pytest.raises(ClickException) as caught:
        request_of(*words)
    return message_of(caught.value)


def test_a_small_query() -> None:
    """What isn't said is no filter."""
    assert request_of("1", "--as", "ana", "--measure", "Charges") == Request(
        asked=Asked(query=Query(datasource=1, measure="Charges", where=[])),
        user="ana",
        format=Format.TABLE,
        explain=False,
    )


def test_every_option() -> None:
    """Every option finds its place in the query."""
    words = (
        "--as ana --measure Charges --frequency Monthly --practice 101 --practice 102 "
        "--provider 5 --organization north --from 2024-01-01 --to 2024-12-31 "
        "--group-by a --group-by b --aggregate sum --order-by=-a --order-by b --limit 7 "
        "--format csv --explain --where c eq d 3"
    )
    assert request_of(*words.split()) == Request(
        asked=Asked(
            query=Query(
                datasource=3,
                measure="Charges",
                frequency="Monthly",
                organization="north",
                practices=["101", "102"],
                providers=["5"],
                start="2024-01-01",
                end="2024-12-31",
                where=[Filter("c", "eq", "d")],
                group_by=["a", "b"],
                aggregate="sum",
                order_by=["-a", "b"],
                limit=7,
            )
        ),
        user="ana",
        format=Format.CSV,
        explain=True,
    )


def test_none_of_them_is_not_no_filter() -> None:
    """An empty list can be said, and stays an empty list."""
    query = request_of("1", "--as", "ana", "--no-practice", "--no-provider").asked.query
    assert query.practices == []
    assert query.providers == []
    query = request_of("1", "--as", "ana").asked.query
    assert query.practices is None
    assert query.providers is None


@pytest.mark.parametrize(
    ("words", "conditions"),
    [
        (["--where", "a", "gt", "100"], [Filter("a", "gt", "100")]),
        (["--where", "a", "gt", "-5"], [Filter("a", "gt", "-5")]),
        (["--where", "a", "eq", ""], [Filter("a", "eq", "")]),
        (["--where", "a", "eq", "x,y"], [Filter("a", "eq", "x,y")]),
        (["--where", "a", "eq", "--where"], [Filter("a", "eq", "--where")]),
        (["--where", "a", "is_null"], [Filter("a", "is_null")]),
        (
            ["--where", "a", "not_null", "--where", "b", "neq", "[1]"],
            [Filter("a", "not_null"), Filter("b", "neq", "[1]")],
        ),
        (["--where", "a", "in", "x,y"], [Filter("a", "in", ["x", "y"])]),
        (["--where", "a", "in", "x"], [Filter("a", "in", ["x"])]),
        (["--where", "a", "in", "[]"], [Filter("a", "in", [])]),
        (
            ["--where", "a", "not_in", '["x,y", 1, 2.50]'],
            [Filter("a", "not_in", ["x,y", 1, Decimal("2.50")])],
        ),
        (["--where", "a", "between", "1,5"], [Filter("a", "between", ["1", "5"])]),
    ],
)
def test_conditions(words: list[str], conditions: list[Filter]) -> None:
    """A condition takes two words or three, as its operator needs."""
    assert conditions_of(*words) == conditions


def test_an_option_may_have_any_value() -> None:
    """What stands after an option is its value, whatever it looks like."""
    assert request_of("1", "--as", "ana", "--measure", "--where").asked.query.measure == "--where"


def test_words_after_two_dashes_are_no_options() -> None:
    """``--`` ends the options."""
    assert request_of("--as", "ana", "--", "1").asked.query.datasource == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("1", "missing option '--as' (see query --help)"),
        ("1 --as a --where", "--where needs COL OP VALUE, or COL is_null, or COL not_null; "),
        ("1 --as a --where b", "found 'b'"),
        ("1 --as a --where b eq", "found 'b' 'eq'"),
        ("1 --as a --where=b eq c", "--where takes words, not =: --where COL OP VALUE"),
        ("1 --as a --where b equals c", "--where b equals: unknown operator; expected one of eq, "),
        ("1 --as a --where b in [1", "--where b in [1: expected values parted by commas, or a"),
        ("1 --as a --as b", "--as is given twice; it takes one value"),
        ("1 --as a --as=b", "--as is given twice; it takes one value"),
        ("1 --as a --limit 1 --limit 1", "--limit is given twice"),
        ("1 --as=", "invalid value for '--as': it is empty; name one, or leave the option out"),
        ("1 --as a --practice=", "invalid value for '--practice': it is empty"),
        ("1 --as a --measure=", "invalid value for '--measure': it is empty"),
        ("x --as a", "'x' is no whole number from 0; expected one like 1"),
        ("01 --as a", "'01' is no whole number from 0; expected one like 1"),
        ("1 --as a --limit -1", "'-1' is no whole number"),
        ("1 --as a --limit 1_0", "'1_0' is no whole number"),
        ("1 --as a --format xml", "'xml' is not one of 'table', 'json', 'csv'"),
        ("1 --as a --no-practice --practice 1", "--practice and --no-practice exclude each other"),
        ("1 --as a --null-measure --measure M", "--measure and --null-measure exclude each other"),
        ("1 --as a --bogus", "no such option: --bogus"),
        ("1 2 --as a", "got unexpected extra argument"),
    ],
)
def test_what_cannot_be_read(words: str, sentence: str) -> None:
    """Each is one sentence that says what was wrong."""
    text = error_of(*words.split(" "))
    assert sentence in text
    assert "\n" not in text


def test_rows_without_a_measure_can_be_asked_for() -> None:
    """NULL is named by options of its own, since any text may be a measure."""
    query = request_of("1", "--as", "ana", "--null-measure", "--null-frequency").asked.query
    assert (query.measure, query.frequency) == (NULL, NULL)
