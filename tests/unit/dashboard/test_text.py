"""Files become plain data that mean one thing, or an error that says where."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from warmcube.dashboard.text import MOST_BYTES, Unreadable, read_text


def _wrong(text: str | bytes, suffix: str) -> str:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(Unreadable) as found:
        read_text(content, suffix)
    return str(found.value)


def test_toml_keeps_numbers_exact_and_dates_as_dates() -> None:
    """Fractions are decimals, digit by digit."""
    text = b"\xef\xbb\xbfa = 0.10\nb = 2025-01-31\nc = 2025-01-31T10:00:00Z\nd = [true, 12]\n"
    assert read_text(text, ".toml") == {
        "a": Decimal("0.10"),
        "b": date(2025, 1, 31),
        "c": datetime(2025, 1, 31, 10, tzinfo=UTC),
        "d": [True, 12],
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("012", 12),
        ("-7", -7),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("12:30", "12:30"),
        ("0.10", Decimal("0.10")),
        ("1e3", Decimal("1e3")),
        (".5", Decimal("0.5")),
        (".inf", Decimal("Infinity")),
        ("-.inf", Decimal("-Infinity")),
        ("2025-01-31", date(2025, 1, 31)),
        ("2025-01-31 10:00", "2025-01-31 10:00"),
        ("'2025-01-31'", "2025-01-31"),
        ('"yes"', "yes"),
        ("<<", "<<"),
        ("=", "="),
        ("[a, 1]", ["a", 1]),
        ("{a: 1}", {"a": 1}),
    ],
)
def test_yaml_words_mean_what_yaml_1_2_says(written: str, meant: object) -> None:
    """No Norway problem, no sexagesimal numbers, no octals, no merge keys."""
    found = read_text(f"value: {written}\n".encode(), ".yaml")["value"]
    assert (found, type(found)) == (meant, type(meant))


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    """Nine levels of nine aliases would be 387,420,489 texts; the first anchor is the end."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert _wrong(bomb, ".yaml") == (
        "isn't valid YAML: anchors and aliases aren't allowed here; write it out (line 1, column 4)"
    )
    assert _wrong("a: *b\n", ".yml") == (
        "isn't valid YAML: anchors and aliases aren't allowed here; write it out (line 1, column 4)"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a: 1\nb: 2\na: 3\n",
            "isn't valid YAML: the field 'a' is there twice; give it once (line 3, column 1)",
        ),
        (
            "a: 1\n1: 2\n",
            (
                "isn't valid YAML: a field's name has to be a text; put it in quotes "
                "(line 2, column 1)"
            ),
        ),
        (
            "? [a]\n: 2\n",
            (
                "isn't valid YAML: a field's name has to be a text; put it in quotes "
                "(line 1, column 3)"
            ),
        ),
        (
            "a: !!python/object/apply:os.system ['true']\n",
            (
                "isn't valid YAML: tags like tag:yaml.org,2002:python/object/apply:os.system "
                "aren't allowed here; leave it out (line 1, column 4)"
            ),
        ),
        (
            "a: 1\n---\nb: 2\n",
            "isn't valid YAML: but found another document (line 2, column 1)",
        ),
        ("a: [1, 2\n", "isn't valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 2025-02-30\n", "holds a value that can't be read: day is out of range for month"),
        ("a: \x07\n", "isn't valid YAML: unacceptable character #x0007"),
    ],
)
def test_yaml_that_could_mean_two_things_is_refused(text: str, said: str) -> None:
    """With the line, where PyYAML knows it."""
    assert _wrong(text, ".yaml").startswith(said)


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("[" * 100_000, ".yaml"),
        ("- " * 100_000, ".yaml"),
        ("{a: " * 30_000, ".yml"),
        ("a = " + "[" * 100_000, ".toml"),
        ("a = " + "{a = " * 100_000, ".toml"),
        ("a." * 20_000 + "a = 1", ".toml"),
        ("[" + "'a' . " * 20_000 + "a]", ".toml"),
        ("x = {a = 1, " + '"a".' * 20_000 + "a = 1}", ".toml"),
    ],
)
def test_deep_nesting_is_an_error_and_no_crash(text: str, suffix: str) -> None:
    """However deep it is."""
    assert "nested too deeply to be read" in _wrong(text, suffix)


def test_dots_in_texts_are_no_keys() -> None:
    """Only what stands where a key does is taken for one."""
    text = ".".join("abcdefghijklmnopqrstuvwxyz")
    assert read_text(f"a.b = '{text}'  # {text}\n".encode(), ".toml") == {"a": {"b": text}}


def test_what_is_no_toml_at_all() -> None:
    """The parser's own words tell the line."""
    assert _wrong("a = 1\na = 2\n", ".toml") == (
        "isn't valid TOML: Cannot overwrite a value (at line 2, column 6)"
    )
    assert _wrong("a = 2025-02-30\n", ".toml").startswith("isn't valid TOML: ")
    assert _wrong(f"a = {'9' * 5000}\n", ".toml").startswith("isn't valid TOML: ")
    assert _wrong("a = 1e99999999999999999999\n", ".toml").startswith("isn't valid TOML: ")


def test_what_is_no_text() -> None:
    """The line that isn't UTF-8 is named; too large a file isn't even decoded."""
    assert _wrong(b"a = 1\nb = '\xff'\n", ".toml") == "line 2 isn't UTF-8; save the file as UTF-8"
    assert _wrong(b"\xff" * (MOST_BYTES + 1), ".toml") == (
        "is larger than 1,048,576 bytes; split the dashboard"
    )
