"""Nobody else can reach an embedded server or its data."""

import contextlib
import re
import stat
import sys
from pathlib import Path

import pytest
from tests.support.servers import Site, socket_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def sockets_of(pid: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed in the meantime
            found = re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink()))
            inodes |= {found[1]} if found else set()
    return inodes


def tcp_sockets() -> set[str]:
    """The inodes of all TCP sockets."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    rows = [
        row.split() for table in tables if table.exists() for row in table.read_text().splitlines()
    ]
    return {row[9] for row in rows if row[9].isdigit()}


def test_there_is_no_tcp_port(site: Site) -> None:
    """The server listens on its Unix socket, and on nothing else."""
    with site.server() as server:
        opened = sockets_of(server.pid)
        assert opened
        assert not opened & tcp_sockets()


def test_only_the_owner_can_enter(site: Site) -> None:
    """The socket's folder has mode 0700, and so have the data."""
    with site.server() as server:
        path = socket_folder(server.url)
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.folder.stat().st_mode) & 0o007 == 0
        data = server.folder / "data"
        assert not data.exists() or stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_repr_says_what_it_is(site: Site) -> None:
    """A server in a log or a debugger tells its folder and state."""
    server = site.server()
    assert repr(server) == f"<{type(server).__name__} on {site.folder}, not started>"
    with server:
        assert repr(server).endswith(", started>")
