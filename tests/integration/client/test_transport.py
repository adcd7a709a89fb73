"""The client on real sockets: tokens, proxies, redirects, broken answers, exports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.scripted import chunked, response, scripted

from warmcube.client import AsyncClient, Client, Query
from warmcube.errors import (
    AccessDenied,
    ConfigError,
    NotUsable,
    ServiceError,
    ServiceUnavailable,
    Unauthenticated,
)

NOBODY = response(200, b'{"datasources": []}')
ASKED = Query(datasource=1)
TOKEN = "a-secret-token"

Ask = Callable[..., Any]


def ask(url: str, call: str, *arguments: Any, **options: Any) -> Any:
    """One call of the synchronous client."""
    with Client(url, **options) as client:
        return getattr(client, call)(*arguments)


def ask_async(url: str, call: str, *arguments: Any, **options: Any) -> Any:
    """The same of the asynchronous one."""

    async def go() -> Any:
        async with AsyncClient(url, **options) as client:
            return await getattr(client, call)(*arguments)

    return asyncio.run(go())


both = pytest.mark.parametrize("asking", [ask, ask_async], ids=["sync", "async"])


def tokens(heads: Sequence[str]) -> list[str]:
    """The tokens that requests bore."""
    return [head.partition("authorization: bearer ")[2].partition("\r\n")[0] for head in heads]


@both
def test_a_token_comes_from_where_it_is_kept(asking: Ask, tmp_path: Path) -> None:
    """A text, a file that is read anew, a function."""
    file = tmp_path / "token"
    with scripted([NOBODY] * 4) as server:
        asking(server.url, "datasources", token="one")
        file.write_text("two\n")
        asking(server.url, "datasources", token_file=file)
        file.write_text("three")
        asking(server.url, "datasources", token_file=str(file))
        asking(server.url, "datasources", token=lambda: "four")
    assert tokens(server.heads) == ["one", "two", "three", "four"]


def test_a_token_may_have_to_be_awaited() -> None:
    """With the asynchronous client; the other says so."""

    async def token() -> str:
        return "five"

    with scripted([NOBODY]) as server:
        ask_async(server.url, "datasources", token=token)
        assert tokens(server.heads) == ["five"]
        with pytest.raises(NotUsable, match="use AsyncClient"):
            ask(server.url, "datasources", token=token)


@both
def test_a_token_that_is_none_is_never_sent(asking: Ask, tmp_path: Path) -> None:
    """Nor does it stand in the error."""
    file = tmp_path / "token"
    with scripted([]) as server:
        with pytest.raises(ConfigError, match="no token can be read"):
            asking(server.url, "datasources", token_file=file)
        file.write_text(f"{TOKEN}\nX-Other: 1")
        for options in ({"token_file": file}, {"token": lambda: f"{TOKEN} "}):
            with pytest.raises(ConfigError) as caught:
                asking(server.url, "datasources", **options)
            assert TOKEN not in str(caught.value)


@both
def test_a_token_is_in_no_error_and_no_log(asking: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    told = b'{"type": "urn:warmcube:problem:unauthenticated", "detail": "no such token"}'
    with scripted(
        [response(401, told, content_type="application/problem+json"), response(500)]
    ) as server:
        with pytest.raises(Unauthenticated) as refused:
            asking(server.url, "datasources", token=TOKEN)
        with pytest.raises(ServiceError) as failed:
            asking(server.url, "datasources", token=TOKEN)
    for caught in (refused, failed):
        assert TOKEN not in str(caught.getrepr(showlocals=False))
    assert TOKEN not in caplog.text
    assert tokens(server.heads) == [TOKEN] * 2


@both
def test_redirects_are_not_followed(asking: Ask) -> None:
    """Wherever they lead: the other server is never asked."""
    with scripted([NOBODY]) as other:
        with (
            scripted([response(307, location=f"{other.url}/api/datasources")]) as server,
            pytest.raises(ServiceError, match=r"a redirect \(307\)"),
        ):
            asking(server.url, "datasources", token=TOKEN)
        assert other.heads == []


@both
def test_a_proxy_of_the_environment_sees_no_plain_text(
    asking: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes to this machine doesn't leave it."""
    with scripted([NOBODY]) as proxy, scripted([NOBODY]) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        asking(server.url, "datasources", token=TOKEN)
        assert proxy.heads == []
        assert len(server.heads) == 1


@both
def test_reads_are_tried_again(asking: Ask) -> None:
    """After a broken connection, and after a 503 that says when."""
    with scripted([b"", response(503, retry_after="0"), NOBODY]) as server:
        assert asking(server.url, "datasources") == ()
    assert len(server.heads) == 3


@both
def test_nobody_there(asking: Ask) -> None:
    """The error names the address, and comes within the time that is given."""
    with scripted([]) as server:
        url = server.url
    with pytest.raises(ServiceUnavailable, match=rf"{url} can't be reached \(ConnectError\)"):
        asking(url, "datasources", timeout=0.3)


@both
def test_an_answer_that_breaks_off_is_none(asking: Ask) -> None:
    """Nothing of it is used."""
    with (
        scripted([chunked(b'{"datasources": [', is_whole=False)]) as server,
        pytest.raises(ServiceUnavailable, match="broke off"),
    ):
        asking(server.url, "datasources")


@both
def test_an_export_is_there_whole(asking: Ask, tmp_path: Path) -> None:
    """As it arrives; nobody else may read it; nothing else is left."""
    path = tmp_path / "rows.csv"
    path.write_text("old")
    with scripted([chunked(b"a,b\r\n", b"1,2\r\n")]) as server:
        assert asking(server.url, "export", ASKED, path, "csv") == path
    assert path.read_bytes() == b"a,b\r\n1,2\r\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert server.heads[0].startswith("post /api/export ")


@both
def test_an_export_that_breaks_off_leaves_what_was_there(asking: Ask, tmp_path: Path) -> None:
    """The old file, and nothing of the new one; likewise if it is refused."""
    path = tmp_path / "rows.csv"
    path.write_text("old")
    told = b'{"type": "urn:warmcube:problem:denied", "detail": "not yours"}'
    refused = response(403, told, content_type="application/problem+json")
    with scripted([chunked(b"a,b\r\n", b"1,2\r\n", is_whole=False), refused]) as server:
        with pytest.raises(ServiceUnavailable, match="broke off"):
            asking(server.url, "export", ASKED, path, "csv")
        with pytest.raises(AccessDenied, match="not yours"):
            asking(server.url, "export", ASKED, str(path), "csv")
        with pytest.raises(FileNotFoundError):
            asking(server.url, "export", ASKED, tmp_path / "no" / "rows.csv", "csv")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


async def test_a_cancelled_call_closes_its_connection(tmp_path: Path) -> None:
    """And an export its file."""
    arrived = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(chunked(b"a,b\r\n", is_whole=False))
        await writer.drain()
        arrived.set()
        await reader.read()  # until the client is gone
        left.set()
        writer.close()

    left = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncClient(f"http://127.0.0.1:{port}") as client:
        export = asyncio.create_task(client.export(ASKED, tmp_path / "rows.csv", "csv"))
        await arrived.wait()
        export.cancel()
        with pytest.raises(asyncio.CancelledError):
            await export
        await left.wait()
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - nobody else waits here
