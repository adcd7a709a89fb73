"""URLs of Postgres: what is read, what is refused, and what never shows."""

from __future__ import annotations

import pytest

from warmcube.errors import ConfigError
from warmcube.postgres.url import PostgresUrl


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgresql://u:p@h:5432/db", "database 'db' at h:5432"),
        ("postgres://h/db", "database 'db' at h"),
        ("postgresql:///db", "database 'db' at the local server"),
        ("postgresql://", "the default database at the local server"),
        ("postgresql://u@/db?host=/run/pg&port=5433", "database 'db' at /run/pg"),
        ("postgresql://?host=h&port=5433&dbname=x", "database 'x' at h:5433"),
        ("postgresql://h1:1,h2:2/db", "database 'db' at h1:1,h2:2"),
        ("postgresql://[::1]:5432/my%20db", "database 'my db' at [::1]:5432"),
    ],
)
def test_the_place_is_named(text: str, place: str) -> None:
    """All forms that libpq takes."""
    assert PostgresUrl.parse(text, "[sources.main] url").place == place


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:pa/ss@h/db",
        "postgresql://u:pa?ss@h/db",
        "postgresql://u:pa#ss@h/db",
        "postgresql://u:pa@ss@h/db",
        "postgresql://u:12/ss@h/db",
        "postgresql://u:12?ss@h/db",
        "postgresql://a:b:c@@:x",
        "postgresql://h:port/db",
        "postgresql://pass word:5432:ss/db",
        "mysql://u:pass@h/db",
    ],
)
def test_what_libpq_would_read_otherwise_is_refused(text: str) -> None:
    """A part of a password would be taken for a host, and told; nothing of the URL is shown."""
    with pytest.raises(ConfigError, match=r"\[sources\.main\] url") as raised:
        PostgresUrl.parse(text, "[sources.main] url")
    for part in ("pa/", "ss@", "12", "port/"):
        assert part not in str(raised.value)


def test_what_is_missing_is_completed() -> None:
    """Who connects, how long to wait, and UTF-8; what is given is kept."""
    uri = PostgresUrl.parse(
        "postgres://h/db?connect_timeout=3&sslmode=require", "[sources.main] url"
    ).uri
    assert uri == (
        "postgresql://h/db?connect_timeout=3&sslmode=require"
        "&application_name=warmcube&client_encoding=UTF8"
    )


def test_secrets_are_hidden() -> None:
    """In the ``repr``, and in what the driver says: as written and decoded, wherever they stand."""
    url = PostgresUrl.parse(
        "postgresql://u:sec%2Fret@h/db?sslpassword=hid%64en", "[sources.main] url"
    )
    told = f"{url.uri} sec%2Fret sec/ret hid%64en hidden"
    assert url.without_secrets(told) == "*** *** *** *** ***"
    assert "sec" not in repr(url)
    assert "hid" not in repr(url)


def test_without_a_secret_nothing_is_hidden() -> None:
    """An empty password hides no empty text."""
    url = PostgresUrl.parse("postgresql://u:@h/db", "[sources.main] url")
    assert url.without_secrets("a message") == "a message"
