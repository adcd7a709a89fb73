"""`warmcube.audit.text`: nothing from outside can hide in a line, or grow it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.audit.text import ESCAPED, LONGEST, escape, shorten

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
ANY_TEXT = st.text(st.characters(), max_size=400)  # lone surrogates included
NASTY = st.text(
    st.sampled_from("\\u{}20e\0\n\r\t\x1b\x7f\x85\u2028\u2029\u202e\u2066\u200f\ufeff\ud800ä "),
    max_size=300,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ana Müller", "Ana Müller"),
        ("DOMAIN\\ana", "DOMAIN\\ana"),
        ("a\nb\r\t\0", "a\\u{a}b\\u{d}\\u{9}\\u{0}"),
        ("\x7f\x80\x9f", "\\u{7f}\\u{80}\\u{9f}"),
        ("a\u2028b\u2029", "a\\u{2028}b\\u{2029}"),
        ("\u202a\u202e\u2066\u2069\u200e\u200f", None),
        ("\ud800\ufeff\u061c\u200b\U000e0041", None),
        ("\u0645\u06cc\u200c\u062e 👩\u200d⚕️", "\u0645\u06cc\u200c\u062e 👩\u200d⚕️"),
        ("\\u{202e}", "\\u{5c}u{202e}"),
        ("a\xa0b", "a\xa0b"),
    ],
)
def test_what_doesnt_show_is_made_visible(text: str, shown: str | None) -> None:
    """Controls, what turns text around, separators, halves and blanks of no width are escaped."""
    every = "".join(f"\\u{{{ord(character):x}}}" for character in text)
    assert escape(text) == (every if shown is None else shown)


@given(ANY_TEXT | NASTY)
def test_no_escaped_text_holds_anything_unseen(text: str) -> None:
    """Whatever came in, by Unicode's own categories; only joiners stay, and it can be encoded."""
    escaped = escape(text)
    escaped.encode()
    left = {c for c in escaped if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert not left
    assert not re.search(ESCAPED, escaped)
    assert not any(unicodedata.bidirectional(c) in BIDI for c in escaped)


@given(st.one_of(ANY_TEXT, NASTY), st.one_of(ANY_TEXT, NASTY))
def test_different_texts_stay_different(one: str, other: str) -> None:
    """No name can be made to look like another's escape."""
    assert (escape(one) == escape(other)) == (one == other)


@given(NASTY | ANY_TEXT)
def test_an_escape_can_be_read_back(text: str) -> None:
    """The escapes are enough to know what was there."""
    read = re.sub(r"\\u\{([0-9a-f]+)\}", lambda match: chr(int(match[1], 16)), escape(text))
    assert read == text


@given(st.text(max_size=500))
def test_texts_are_cut_once(text: str) -> None:
    """A short text stays; a long one keeps its beginning and says how long it was."""
    short = shorten(text)
    assert len(short) <= LONGEST
    assert shorten(short) == short
    if len(text) <= LONGEST:
        assert short == text
    else:
        kept, _, mark = short.rpartition("… (")
        assert text.startswith(kept)
        assert mark == f"{len(text)} characters)"
