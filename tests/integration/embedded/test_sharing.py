"""Commands come, share a server, and go, each in its own way; nothing is left running."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.servers import Site, is_alive, supervisor_of, wait_until

from warmcube.embedded.folder import is_lock_held

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_data_persist_between_commands(site: Site) -> None:
    """A command finds what an earlier one stored, and nothing ran in between."""
    first = site.run()
    site.put(first.url, 7)
    assert first.finish() == 0
    wait_until(lambda: not is_alive(first.pid))
    second = site.run()
    assert second.pid != first.pid
    assert site.get(second.url) == 7
    assert second.finish() == 0


def test_commands_at_the_same_time_share_a_server(site: Site) -> None:
    """The server stays for the second when the first, which started it, is done."""
    first = site.run()
    second = site.run()
    supervisor = supervisor_of(first.pid)
    assert (second.pid, second.url) == (first.pid, first.url)
    site.put(first.url, 1)
    assert first.finish() == 0
    assert site.get(second.url) == 1
    assert second.finish() == 0
    wait_until(lambda: not is_alive(first.pid) and not is_alive(supervisor))


def test_a_crowd_that_starts_at_once_gets_one_server(site: Site) -> None:
    """Whoever comes first starts the server, all others join it."""
    crowd = [site.begin() for _ in range(4)]
    for command in crowd:
        command.await_server()
    assert len({command.pid for command in crowd}) == 1
    assert [command.finish() for command in crowd] == [0, 0, 0, 0]


def test_comings_and_goings_never_collide(site: Site) -> None:
    """A command that comes while the last one's server stops gets a server too."""
    script = (
        "import sys; from pathlib import Path; "
        "from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis; "
        "kind = {'redis': EmbeddedRedis, 'postgres': EmbeddedPostgres}[sys.argv[1]]\n"
        "for _ in range(4):\n"
        "    with kind(Path(sys.argv[2])) as server: server.pid"
    )
    words = [sys.executable, "-c", script, site.kind, str(site.folder)]
    crowd = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(one.communicate(timeout=120)[1], one.returncode) for one in crowd] == [("", 0)] * 3


def test_a_killed_command_leaves_nothing_running(site: Site) -> None:
    """The server saves and ends when the only command is killed, however hard."""
    command = site.run()
    supervisor = supervisor_of(command.pid)
    site.put(command.url, 3)
    command.process.kill()
    wait_until(lambda: not is_alive(command.pid) and not is_alive(supervisor))
    with site.server() as server:
        assert site.get(server.url) == 3


def test_a_killed_command_takes_nothing_from_the_others(site: Site) -> None:
    """The server goes on for the command that is left."""
    first, second = site.run(), site.run()
    site.put(first.url, 4)
    first.process.kill()
    first.process.wait()
    assert site.get(second.url) == 4
    assert second.finish() == 0


def test_an_interrupt_reaches_the_command_only(site: Site) -> None:
    """Ctrl-C signals the whole process group; the server is stopped by its command, cleanly."""
    command = site.run()
    supervisor = supervisor_of(command.pid)
    site.put(command.url, 5)
    os.killpg(command.process.pid, signal.SIGINT)
    assert command.process.wait(60) == 130
    wait_until(lambda: not is_alive(command.pid) and not is_alive(supervisor))
    log = (site.folder / "server.log").read_text()
    assert "ready to exit" in log or "database system is shut down" in log
    with site.server() as server:
        assert site.get(server.url) == 5


def test_a_killed_supervisor_takes_the_server_with_it(site: Site) -> None:
    """The server doesn't outlive its supervisor, and the next command starts a new one."""
    command = site.run()
    os.kill(supervisor_of(command.pid), signal.SIGKILL)
    wait_until(lambda: not is_alive(command.pid))
    with site.server() as server:
        assert server.pid != command.pid
    assert command.finish() == 0  # what it held on to is gone, which is no failure


def test_what_a_power_cut_leaves_behind_is_no_obstacle(site: Site) -> None:
    """Stale sockets and pid files, that of a foreign process included, are seen through."""
    command = site.run()
    supervisor = supervisor_of(command.pid)
    for pid in (supervisor, command.pid, command.process.pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(command.pid) and not is_alive(supervisor))
    wait_until(lambda: not is_lock_held(site.folder / "server.lock"))
    (site.folder / "server.pid").write_text("1\n")
    pid_file = site.folder / "data/postmaster.pid"
    if pid_file.exists():
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with site.server() as server:
        assert is_alive(server.pid)


def test_the_supervisor_stops_when_told_to(site: Site) -> None:
    """SIGTERM, as at the shutdown of a machine, saves and stops."""
    command = site.run()
    site.put(command.url, 6)
    os.kill(supervisor_of(command.pid), signal.SIGTERM)
    wait_until(lambda: not is_alive(command.pid))
    with site.server() as server:
        assert site.get(server.url) == 6


def test_a_server_that_dies_is_started_anew(site: Site) -> None:
    """A crash of the server ends its supervisor; the next command isn't fooled by the sockets."""
    command = site.run()
    supervisor = supervisor_of(command.pid)
    os.kill(command.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(supervisor))
    with site.server() as server:
        assert server.pid != command.pid


def test_a_command_killed_while_it_starts_leaves_nothing(site: Site) -> None:
    """Half a data folder is no obstacle for the next command."""
    command = site.begin()
    wait_until(lambda: is_lock_held(site.folder / "server.lock"))
    command.process.kill()
    wait_until(lambda: not is_lock_held(site.folder / "server.lock"))
    with site.server() as server:
        site.put(server.url, 1)
        assert site.get(server.url) == 1


def test_two_folders_are_two_servers(site: Site, folder: Path) -> None:
    """Two demos side by side don't collide."""
    other = Site(kind=site.kind, folder=folder / "other")
    with site.server() as one, other.server() as two:
        site.put(one.url, 1)
        other.put(two.url, 2)
        assert one.pid != two.pid
        assert (site.get(one.url), other.get(two.url)) == (1, 2)


def test_one_process_may_hold_a_server_twice(site: Site) -> None:
    """Objects share like commands do; start and stop may be repeated."""
    one, two = site.server(), site.server()
    one.start()
    one.start()
    two.start()
    pid = one.pid
    assert two.pid == pid
    one.stop()
    one.stop()
    assert is_alive(pid)
    two.stop()
    assert not is_alive(pid)
