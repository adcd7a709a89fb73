"""`warmcube.config.secret`: what messages show of URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.config.secret import SecretUrl, masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("postgresql://user@h/db", "postgresql://user@h/db"),
        ("postgresql://user:pw@h/db", "postgresql://user:***@h/db"),
        ("redis://:p@ss/w#rd?@h/0", "redis://:***@h/0"),
        ("postgresql://h/db?user=u&password=pw&x=1", "postgresql://h/db?user=u&password=***&x=1"),
        ("redis://h:1/0?password=p@ss", "redis://h:***"),
        ("redis://h/0?password=p@ss", "redis://h/0:***"),
        ("redis://h:1/0?password=p ss", "redis://h:1/0?password=***"),
        ("postgresql://user:p?key=w@h/db", "postgresql://user:***"),
        ("host=h password='p w' user=u", "host=h password=*** user=u"),
        ("duckdb:///a.duckdb?motherduck_token=abc", "duckdb:///a.duckdb?motherduck_token=***"),
        ("embedded", "embedded"),
    ],
)
def test_masked(url: str, shown: str) -> None:
    """Passwords and secret parameters are hidden, all else stays."""
    assert masked(url) == shown
    assert str(SecretUrl(url)) == shown
    assert repr(SecretUrl(url)) == f"SecretUrl({shown!r})"


@given(st.text(min_size=1).map(lambda text: f"Q{text}Q"))
def test_no_password_shows(password: str) -> None:
    """Whatever characters a password has, it never shows."""
    assert password not in masked(f"postgresql://user:{password}@host:5432/db")
