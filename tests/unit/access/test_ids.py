"""Ids have one text form."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.access import ids as ids_module
from warmcube.access.ids import directory_id, holds, is_text, parse_id, parse_ids, show
from warmcube.errors import DirectoryError, InvalidFilter
from warmcube.model.schema import KEY_KINDS, ColumnType, Kind

SMALLINT, INTEGER, BIGINT, TEXT, UUID_ = (
    ColumnType(kind) for kind in (Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.TEXT, Kind.UUID)
)
SOME_UUID = "6f1c9b1e-0d4e-4f3a-9b7e-2a5c8d1e0f42"


class _Number(enum.IntEnum):
    PRACTICE = 114


class _Word(enum.StrEnum):
    PRACTICE = "north"


@pytest.mark.parametrize(
    ("value", "type", "expected"),
    [
        (114, INTEGER, "114"),
        ("114", INTEGER, "114"),
        (0, INTEGER, "0"),
        ("0", SMALLINT, "0"),
        (-5, INTEGER, "-5"),
        ("-5", INTEGER, "-5"),
        (_Number.PRACTICE, INTEGER, "114"),
        (-(2**15), SMALLINT, "-32768"),
        ("32767", SMALLINT, "32767"),
        (2**31 - 1, INTEGER, "2147483647"),
        ("-2147483648", INTEGER, "-2147483648"),
        (2**63 - 1, BIGINT, "9223372036854775807"),
        ("-9223372036854775808", BIGINT, "-9223372036854775808"),
        ("114", TEXT, "114"),
        (" x ", TEXT, " x "),
        ("0114", TEXT, "0114"),
        ("日本 😀 {*}:%~", TEXT, "日本 😀 {*}:%~"),
        (_Word.PRACTICE, TEXT, "north"),
        (SOME_UUID, UUID_, SOME_UUID),
        (UUID(SOME_UUID), UUID_, SOME_UUID),
    ],
)
def test_canonical_ids_are_read(value: object, type: ColumnType, expected: str) -> None:
    """What has one reading in the column's type becomes its plain text."""
    parsed = parse_id(value, type)
    assert parsed == expected
    assert parsed.__class__ is str
    assert holds(parsed, type)


REFUSED: dict[ColumnType, list[Any]] = {
    INTEGER: [
        *("", " 114 ", "114 ", " 114", "114\n", "1_14", "0114", "+5", "-0", "--5", "00"),
        *("11x", "x", "1e3", "1.0", "0x10", "1 14", "1\x00", SOME_UUID),
        *("\uff11\uff11\uff14", "\u0661\u0661\u0664", "\u00b2", "\u22125"),
        *(True, False, 1.0, 114.5, float("nan"), None, b"114", [114], {}),
        *(2**31, -(2**31) - 1, "2147483648", "-2147483649", 10**30, "9" * 30),
    ],
    SMALLINT: [2**15, "32768", -(2**15) - 1, "-32769"],
    BIGINT: [2**63, str(2**63), -(2**63) - 1, str(-(2**63) - 1)],
    TEXT: [
        *("", "a\x00b", "\ud800", "x\udfff"),
        *(114, True, 1.5, None, b"x", ["x"], UUID(SOME_UUID)),
    ],
    UUID_: [
        *("", SOME_UUID.upper(), SOME_UUID.replace("-", ""), f"{{{SOME_UUID}}}"),
        *(f"urn:uuid:{SOME_UUID}", f" {SOME_UUID}", f"{SOME_UUID}\n", SOME_UUID[:-1]),
        *(114, None, b"0" * 16, "6f1c9b1e-0d4e-4f3a-9b7e-2a5c8d1e0f4g"),
    ],
}


@pytest.mark.parametrize(
    ("value", "type"), [(value, column) for column, values in REFUSED.items() for value in values]
)
def test_other_ids_are_refused(value: Any, type: ColumnType) -> None:
    """What could be read in two ways, or in none, is an error and never an empty answer."""
    with pytest.raises(InvalidFilter, match=r"practice .* can't be read: the column is "):
        parse_id(value, type, name="practice")


def test_a_number_too_long_to_print_is_refused() -> None:
    """Python itself fails to print it; the error is still ours."""
    with pytest.raises(InvalidFilter, match="an integer of 16610 bits can't be read"):
        parse_id(10**5000, INTEGER)
    with pytest.raises(InvalidFilter, match="an integer of 16610 bits can't be read"):
        parse_id(10**5000, TEXT)


def test_the_message_says_what_to_write() -> None:
    """An error has the value, what was expected, and what to do."""
    with pytest.raises(InvalidFilter) as error:
        parse_id("0114", INTEGER, name="practice")
    assert str(error.value) == (
        "practice '0114' can't be read: the column is integer; write an integer from -2147483648 "
        "to 2147483647, as a number or as the digits that it prints as, such as 114"
    )
    with pytest.raises(InvalidFilter, match=r"id 114 .* write it as text, in quotes"):
        parse_id(114, TEXT)
    with pytest.raises(InvalidFilter, match=r"id '' .* isn't empty"):
        parse_id("", TEXT)
    with pytest.raises(InvalidFilter, match=r"id True .* isn't empty"):
        parse_id(True, TEXT)
    with pytest.raises(InvalidFilter, match=r"id 'X' .* lower case"):
        parse_id("X", UUID_)


@given(st.integers(-(2**15), 2**15 - 1))
def test_integers_print_as_they_were(number: int) -> None:
    """Every integer of the type has exactly one text, whether it comes as number or as text."""
    assert parse_id(number, SMALLINT) == parse_id(str(number), SMALLINT) == str(number)


@given(st.text())
def test_an_integer_column_takes_only_what_prints_the_same(text: str) -> None:
    """Whatever is taken is the text of the integer that Python reads in it."""
    try:
        taken = parse_id(text, BIGINT)
    except InvalidFilter:
        return
    assert str(int(taken)) == taken == text


@given(st.uuids())
def test_uuids_print_as_they_were(value: UUID) -> None:
    """A uuid and its lower-case hyphenated text are one id."""
    assert parse_id(value, UUID_) == parse_id(str(value), UUID_) == str(value)


def test_what_a_column_can_hold() -> None:
    """A directory id is an id of a column only in canonical form; the empty text is one of data."""
    assert holds("114", INTEGER)
    assert not holds("0114", INTEGER)
    assert not holds("11x", INTEGER)
    assert not holds("", INTEGER)
    assert not holds("40000", SMALLINT)
    assert holds("0114", TEXT)
    assert holds("", TEXT)
    assert not holds("\x00", TEXT)
    assert holds(SOME_UUID, UUID_)
    assert not holds("114", UUID_)


@pytest.mark.parametrize("kind", sorted(set(Kind) - KEY_KINDS))
def test_other_types_hold_no_ids(kind: Kind) -> None:
    """A column of a type without one text form can't be asked for ids."""
    with pytest.raises(ValueError, match="can't hold ids"):
        holds("1", ColumnType(kind))
    with pytest.raises(ValueError, match="can't hold ids"):
        parse_id("1", ColumnType(kind))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(101, "101"), ("101", "101"), ("0101", "0101"), (-1, "-1"), (2**63 - 1, str(2**63 - 1))],
)
def test_directory_ids(value: object, expected: str) -> None:
    """A number and its text are one id in a directory; text stays what it is."""
    assert directory_id(value) == expected


@pytest.mark.parametrize("value", [True, False, 1.0, None, "", "\x00", "\ud800", 2**63, [], {}])
def test_other_directory_ids_are_refused(value: object) -> None:
    """Neither an integer of 64 bits nor text."""
    with pytest.raises(DirectoryError, match="can't be an id; write an integer of 64 bits"):
        directory_id(value)


def test_text_that_a_database_can_hold() -> None:
    """No NUL, and no half of a surrogate pair."""
    assert is_text("😀")
    assert is_text("")
    assert not is_text("\x00")
    assert not is_text("\ud83d")


def test_values_in_messages_are_short() -> None:
    """However large or odd a value is, a message shows something and never fails."""
    assert show("x" * 500) == "'" + "x" * 79 + "…"
    assert show("x" * 78) == "'" + "x" * 78 + "'"
    assert show(10**5000) == "an integer of 16610 bits"
    assert show(2**256 - 1) == str(2**256 - 1)[:80]
    assert show(None) == "None"
    assert show(True) == "True"
    assert show(b"x") == "b'x'"
    assert show([1]) == "a list"


def test_a_directory_id_has_64_bits() -> None:
    """Both ends are ids, and what lies beyond them isn't."""
    assert directory_id(-(2**63)) == "-9223372036854775808"
    assert directory_id(2**63 - 1) == "9223372036854775807"
    for beyond in (-(2**63) - 1, 2**63):
        with pytest.raises(DirectoryError):
            directory_id(beyond)


def test_a_value_is_shown_up_to_a_length() -> None:
    """256 bits of an integer and 80 characters of the rest; other types by their names."""
    assert show(1 << 256) == "an integer of 257 bits"
    assert (
        show((1 << 256) - 1)
        == "115792089237316195423570985008687907853269984665640564039457584007913129639935"
    )
    assert show("x" * 78) == repr("x" * 78)
    assert show("x" * 79) == "'" + "x" * 79 + "…"
    assert (show(True), show(None), show(1.5), show(b"x")) == ("True", "None", "1.5", "b'x'")
    assert (show([1]), show({})) == ("a list", "a dict")


@pytest.mark.parametrize("at", range(36))
def test_a_uuid_is_lower_case_throughout(at: int) -> None:
    """One capital, or one character that is no hexadecimal digit, in any place is refused."""
    plain = "abcdefab-cdef-abcd-efab-cdefabcdefab"
    assert holds(plain, ColumnType(Kind.UUID))
    for other in (plain[at].upper(), "g", "", "aa"):
        changed = plain[:at] + other + plain[at + 1 :]
        assert (holds(changed, ColumnType(Kind.UUID))) is (changed == plain)


def test_whether_something_is_text_is_true_or_false() -> None:
    """Nothing in between that somebody could write into an answer."""
    assert is_text("") is True
    assert is_text("a\0b") is False
    assert is_text("\ud800") is False


ODD: list[Any] = sorted(
    {
        value
        for values in REFUSED.values()
        for value in values
        if isinstance(value, str | int | float)
    },
    key=repr,
)


@given(
    values=st.lists(
        st.one_of(
            st.integers(),
            st.integers(-(2**15), 2**15 - 1),
            st.integers(0, 300).map(str),
            st.text(max_size=3),
            st.sampled_from(ODD),
            st.sampled_from([_Number.PRACTICE, _Word.PRACTICE, SOME_UUID, UUID(SOME_UUID), None]),
        ),
        max_size=4,
    ),
    type=st.sampled_from([SMALLINT, INTEGER, BIGINT, TEXT, UUID_]),
)
def test_many_ids_are_read_as_each_is(values: list[Any], type: ColumnType) -> None:
    """A list is read as its ids are one by one, and refused for the first that is refused."""
    one_by_one = outcome(lambda: frozenset([parse_id(v, type, name="practice") for v in values]))
    assert outcome(lambda: parse_ids(values, type, name="practice")) == one_by_one


def outcome(attempt: Callable[[], frozenset[str]]) -> Any:
    """Ids with their types, or what is wrong."""
    try:
        return {(each, each.__class__) for each in attempt()}
    except InvalidFilter as error:
        return str(error)


@pytest.mark.parametrize("type", [SMALLINT, INTEGER, BIGINT, TEXT])
def test_one_id_that_is_refused_is_enough(type: ColumnType) -> None:
    """Among many that are all right, and of their own type."""
    good = [str(number) for number in range(200)]
    assert parse_ids(good, type) == frozenset(good)
    for odd in (value for value in REFUSED[type] if isinstance(value, str)):
        with pytest.raises(InvalidFilter):
            parse_ids([*good, odd, *good], type)
    if type is not TEXT:
        numbers = list(range(200))
        assert parse_ids(numbers, type) == frozenset(good)
        for other in (value for value in REFUSED[type] if isinstance(value, int)):
            with pytest.raises(InvalidFilter):
                parse_ids([*numbers, other], type)


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([0], INTEGER),
        ([114, 0, -5], INTEGER),
        ([-(2**15), 2**15 - 1], SMALLINT),
        ([-(2**63), 2**63 - 1], BIGINT),
        (["0"], INTEGER),
        (["114", "0", "-5"], INTEGER),
        (["-32768", "32767"], SMALLINT),
        (["-9223372036854775808", "9223372036854775807"], BIGINT),
        (["114"], TEXT),
        (["114", " x ", "日本"], TEXT),
    ],
)
def test_plain_ids_are_read_together(
    monkeypatch: pytest.MonkeyPatch, values: list[Any], type: ColumnType
) -> None:
    """A list of thousands wants no look at each."""
    monkeypatch.delattr(ids_module, "parse_id")
    assert parse_ids(values, type) == frozenset(map(str, values))
    assert parse_ids(tuple(values), type) == parse_ids(frozenset(values), type)
