"""Where a token may go, and where it never shows."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from warmcube.client import AsyncClient, Client
from warmcube.client.address import service_url
from warmcube.errors import ConfigError

TOKEN = "eyJhbGciOiJub25lIn0.e30.sig"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://host", "https://host/"),
        ("https://host:8443/below/", "https://host:8443/below/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ("http://127.8.9.1", "http://127.8.9.1/"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
        ("http://localhost:8080/x", "http://localhost:8080/x/"),
    ],
)
def test_addresses_that_are_used(given: str, used: str) -> None:
    """By https anywhere, in plain text on this machine."""
    assert str(service_url(given, allow_plain_http=False)) == used


@pytest.mark.parametrize(
    "given",
    [
        "http://host",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://host",
        "host",
        "/path",
        "",
        "https://",
        "https://me:secret@host",
        "https://host/?token=secret",
        "https://host/#x",
        "https://host:port",
        "https://ho\nst",
    ],
)
def test_addresses_that_are_refused(given: str) -> None:
    """The message holds no credentials."""
    with pytest.raises(ConfigError) as caught:
        service_url(given, allow_plain_http=False)
    assert "secret" not in str(caught.value)


def test_plain_text_elsewhere_has_to_be_asked_for() -> None:
    """In so many words."""
    with pytest.raises(ConfigError, match=r"plain text.*allow_plain_http"):
        Client("http://host", token=TOKEN)
    with Client("http://host", token=TOKEN, allow_plain_http=True) as client:
        assert repr(client) == "<Client of http://host/>"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_token_shows_nowhere(kind: type[Client | AsyncClient]) -> None:
    """Not in what a client prints, nor in the errors about tokens."""
    client = kind("https://host", token=TOKEN)
    assert TOKEN not in repr(client) + str(client) + repr(client._reach)
    for wrong in (f"{TOKEN} {TOKEN}", f"{TOKEN}\r\nX: y", f"{TOKEN}é", ""):
        with pytest.raises(ConfigError) as caught:
            kind("https://host", token=wrong)
        assert not wrong or wrong not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("timeout", [0, -1.0, float("inf"), float("nan")])
def test_a_timeout_is_more_than_nothing(timeout: float) -> None:
    """One that no call could keep, or that never ends, is said at once."""
    with pytest.raises(ConfigError, match=r"timeout is .*; expected seconds"):
        Client("https://host", token=TOKEN, timeout=timeout)


def test_one_token_is_enough(tmp_path: Path) -> None:
    """Two would leave open which counts."""
    with pytest.raises(ConfigError, match="give one of them"):
        Client("https://host", token=TOKEN, token_file=tmp_path / "token")
