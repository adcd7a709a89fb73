"""`warmcube.service.metrics_door`: who may read metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from warmcube.config import Settings, load
from warmcube.errors import ConfigError, Unauthenticated
from warmcube.service.metrics_door import MetricsDoor, is_loopback

TOKEN = "0123456789abcdef0123456789abcdef"


def settings_of(folder: Path, **service: Any) -> Settings:
    """A configuration with a service of this kind."""
    rows = "\n".join(
        f"{key} = {value}" if isinstance(value, int) else f'{key} = "{value}"'
        for key, value in service.items()
    )
    (folder / "warmcube.toml").write_text(
        f'[service]\n{rows}\n[sources.main]\nurl = "postgresql://u@h/d"\n'
        '[[datasources]]\nid = 1\nname = "x"\nsource = "main"\ntable = "t"\n'
    )
    return load(folder / "warmcube.toml", {})


def a_token_file(folder: Path, content: str = TOKEN + "\n", mode: int = 0o600) -> str:
    """A file with a token."""
    path = folder / "token"
    path.write_text(content)
    path.chmod(mode)
    return "token"


@pytest.mark.parametrize(
    ("host", "client", "header", "is_shown"),
    [
        ("127.0.0.1", "127.0.0.1", b"accept", True),
        ("::1", "::1", b"accept", True),
        ("localhost", "127.0.0.1", b"accept", True),
        ("127.0.0.1", "127.0.0.1", b"x-forwarded-for", False),
        ("127.0.0.1", "127.0.0.1", b"forwarded", False),
        ("127.0.0.1", "127.0.0.1", b"x-forwarded-host", False),
        ("127.0.0.1", "127.0.0.1", b"via", False),
        ("127.0.0.1", "203.0.113.9", b"accept", False),
        ("127.0.0.1", None, b"accept", False),
        ("0.0.0.0", "127.0.0.1", b"accept", False),
        ("::", "::1", b"accept", False),
        ("analytics.example.com", "127.0.0.1", b"accept", False),
    ],
)
def test_without_a_token_for_this_machine_only(
    tmp_path: Path, host: str, client: str | None, header: bytes, is_shown: bool
) -> None:
    """Where others reach the port, directly or through a proxy, nobody may."""
    door = MetricsDoor(settings_of(tmp_path, host=host))
    assert door.is_shown(client, [(header, b"any")]) == is_shown
    door.check([])


@pytest.mark.parametrize(
    ("host", "is_shown"),
    [
        (b"localhost:8000", True),
        (b"127.0.0.1", True),
        (b"[::1]:8000", True),
        (b"evil.example:8000", False),
        (b"localhost.evil.example", False),
        (b"evil.example#@localhost", False),
        (b"[", False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_a_name_that_its_owner_had_lead_here_opens_nothing(
    tmp_path: Path, host: bytes, is_shown: bool
) -> None:
    """A page under it would be of the same origin as the metrics, for the browser."""
    door = MetricsDoor(settings_of(tmp_path))
    assert door.is_shown("127.0.0.1", [(b"accept", b"any"), (b"host", host)]) == is_shown


@pytest.mark.parametrize(
    ("public_url", "is_shown"),
    [("http://localhost:8000", True), ("https://analytics.example.com", False)],
)
def test_where_users_come_through_a_proxy_nobody_may(
    tmp_path: Path, public_url: str, is_shown: bool
) -> None:
    """Not every proxy says that it is one; but then users know the service by another name."""
    door = MetricsDoor(settings_of(tmp_path, public_url=public_url))
    assert door.is_shown("127.0.0.1", [(b"host", b"127.0.0.1:8000")]) == is_shown


def test_a_port_of_its_own_takes_it_from_the_other(tmp_path: Path) -> None:
    """Also for this machine, and with a token."""
    token = a_token_file(tmp_path)
    for more in ({}, {"metrics_token_file": token}):
        door = MetricsDoor(settings_of(tmp_path, metrics_port=9100, **more))
        assert not door.is_shown("127.0.0.1", [])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_opens(tmp_path: Path, scheme: str) -> None:
    """From anywhere, and also when it has been changed meanwhile."""
    settings = settings_of(
        tmp_path,
        host="0.0.0.0",
        metrics_token_file=a_token_file(tmp_path),
    )
    door = MetricsDoor(settings)
    assert door.is_shown("203.0.113.9", [(b"x-forwarded-for", b"any")])
    door.check([(b"authorization", f"{scheme} {TOKEN}".encode())])
    a_token_file(tmp_path, TOKEN[::-1])
    door.check([(b"authorization", f"{scheme} {TOKEN[::-1]}".encode())])
    with pytest.raises(Unauthenticated):
        door.check([(b"authorization", f"{scheme} {TOKEN}".encode())])


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "missing"),
        ([b""], "invalid"),
        ([b"Bearer"], "invalid"),
        ([b"Bearer "], "invalid"),
        ([TOKEN.encode()], "invalid"),
        ([b"Basic " + TOKEN.encode()], "invalid"),
        ([b"Bearer " + TOKEN[:-1].encode()], "invalid"),
        ([b"Bearer " + TOKEN.encode() + b"0"], "invalid"),
        ([b"Bearer \xff"], "invalid"),
        ([b"Bearer " + TOKEN.encode()] * 2, "invalid"),
    ],
)
def test_nothing_else_does(tmp_path: Path, headers: list[bytes], code: str) -> None:
    """And what is said holds neither what was given nor what was wanted."""
    door = MetricsDoor(settings_of(tmp_path, metrics_token_file=a_token_file(tmp_path)))
    with pytest.raises(Unauthenticated, match="metrics_token_file") as raised:
        door.check([(b"authorization", value) for value in headers])
    assert raised.value.code == code
    assert TOKEN[:8] not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ("short", 0o600, "holds 5 characters"),
        ("  \n", 0o600, "holds 0 characters"),
        (TOKEN, 0o604, "by anybody"),
        (TOKEN, 0o602, "by anybody"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str, mode: int, message: str) -> None:
    """Is said when the service starts."""
    token = a_token_file(tmp_path, content, mode)
    with pytest.raises(ConfigError, match=message) as raised:
        MetricsDoor(settings_of(tmp_path, metrics_token_file=token))
    assert TOKEN not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Is named."""
    with pytest.raises(ConfigError, match="nowhere can't be read: No such file"):
        MetricsDoor(settings_of(tmp_path, metrics_token_file="nowhere"))


def test_loopback() -> None:
    """By address; of names only the one that is it everywhere."""
    yes = ("127.0.0.1", "127.9.9.9", "::1", "localhost")
    no = ("0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "", "warmcube")
    assert [is_loopback(host) for host in (*yes, *no)] == [True] * len(yes) + [False] * len(no)
