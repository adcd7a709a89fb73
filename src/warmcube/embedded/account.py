"""How Postgres is run by root, whom it refuses.

It is run as ``nobody``, under a group number that nobody else uses, so that other processes of
``nobody`` can't reach its socket. No user is made, and no permission outside our own folders is
changed. Where ``nobody`` can't reach the data folder or the programs (a home of mode 0700, say),
the data, or a copy of the programs, live under ``/var/lib/warmcube``.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from warmcube.errors import EmbeddedError

__all__ = ["Account", "home_for", "is_open_to_all", "programs_for", "unprivileged_account"]

_OWN_GROUP = 61_181  # outside the ranges that distributions and systemd hand out
_NOTE = "data-elsewhere"  # in a folder: the name of the one that holds its data
_ORIGIN = "origin"  # in that one: the folder, or the programs, that it stands for
_COPY = "programs-"
_SHARED_PLACES = (Path("/var/lib/warmcube"), Path(tempfile.gettempdir(), "warmcube-root"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Whom a server runs as."""

    user: int
    group: int

    def own(self, path: Path) -> None:
        """Give this folder to the account."""
        os.chown(path, self.user, self.group)

    def admit(self, path: Path) -> None:
        """Let the account, and nobody else, pass through this folder of root's."""
        os.chown(path, 0, self.group)
        path.chmod(0o710)


def unprivileged_account() -> Account | None:
    """The account for a server that refuses root, or None if we aren't root.

    Raises:
        EmbeddedError: We are root, and the system has no ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    try:
        return Account(user=pwd.getpwnam("nobody").pw_uid, group=_OWN_GROUP)
    except KeyError:
        raise EmbeddedError(
            "Postgres refuses to run as root, and this system has no user 'nobody' to run it as; "
            "run the command as an ordinary user"
        ) from None


def is_open_to_all(path: Path) -> bool:
    """Whether every user can reach this file or folder, and read it."""
    real = path.resolve()
    wanted = stat.S_IROTH | (stat.S_IXOTH if real.is_dir() else 0)
    return _is_reachable(real) and real.stat().st_mode & wanted == wanted


def _is_reachable(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def home_for(folder: Path) -> Path:
    """Where a server that can't enter every folder keeps the data of this folder.

    That is the folder itself, if all can reach it; else a folder under ``/var/lib/warmcube`` that
    this one names. The name is never used again, so that a new folder at the same path doesn't
    find the data of an old one; and what no folder names any more is removed.
    """
    if _is_reachable(folder):
        return folder
    place = _shared_place()
    _sweep(place)
    note = folder / _NOTE
    home = place / (note.read_text(encoding="utf-8").strip() if note.exists() else "")
    if home == place or not home.is_dir():
        home = place / secrets.token_hex(8)
        note.write_text(f"{home.name}\n", encoding="utf-8")
        home.mkdir(mode=0o700)
        (home / _ORIGIN).write_text(f"{folder.resolve()}\n", encoding="utf-8")
    return home


def _sweep(place: Path) -> None:
    """Remove data whose folder is gone, and copies of programs that are."""
    for entry in place.iterdir():
        try:
            origin = Path((entry / _ORIGIN).read_text(encoding="utf-8").strip())
        except OSError:  # not made by us, or being made just now
            continue
        if entry.name.startswith(_COPY):
            is_wanted = origin.exists()
        else:
            note = origin / _NOTE
            named = note.read_text(encoding="utf-8").strip() if note.exists() else ""
            is_wanted = named == entry.name or _is_served(entry / "data")
        if not is_wanted:
            shutil.rmtree(entry, ignore_errors=True)


def _is_served(data: Path) -> bool:
    """Whether a Postgres is at work on these data."""
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split(maxsplit=1)[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return False
    return True


def programs_for(programs: Path, libraries: Path) -> Path:
    """The folder of Postgres' programs, or a copy of it that every user can run.

    Args:
        programs: The installation: ``bin``, ``lib``, ``share``.
        libraries: The shared libraries that the wheel keeps beside the package.
    """
    needed = (programs / "bin/postgres", programs / "bin/initdb", programs / "share")
    if all(is_open_to_all(path) for path in needed):
        return programs
    stamp = f"{programs.resolve()} {(programs / 'bin/postgres').stat().st_mtime_ns}"
    place = _shared_place() / (_COPY + hashlib.sha256(stamp.encode()).hexdigest()[:16])
    copied = place / programs.parent.name / programs.name
    if not place.exists():
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=place.parent))
        try:
            _copy(programs, libraries, draft)
            (draft / _ORIGIN).write_text(f"{programs.resolve()}\n", encoding="utf-8")
            draft.rename(place)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not copied.exists():  # else another command was faster
                raise
    return copied


def _copy(programs: Path, libraries: Path, draft: Path) -> None:
    target = draft / programs.parent.name / programs.name
    (target / "bin").mkdir(parents=True)
    for name in ("initdb", "postgres"):
        shutil.copy2(programs / "bin" / name, target / "bin" / name)
    shutil.copytree(programs / "lib/postgresql", target / "lib/postgresql")
    shutil.copytree(programs / "share", target / "share")
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name)
    for folder, _, files in os.walk(draft):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder, file)
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def _shared_place() -> Path:
    """A folder of root's that every user can pass through.

    Raises:
        EmbeddedError: There is no such place.
    """
    for path in _SHARED_PLACES:
        try:
            path.mkdir(mode=0o711, parents=True, exist_ok=True)
            facts = path.lstat()
            if stat.S_ISDIR(facts.st_mode) and facts.st_uid == 0 and _is_reachable(path):
                path.chmod(0o711)
                return path
        except OSError:
            continue
    raise EmbeddedError(
        "Postgres refuses to run as root, and neither "
        + " nor ".join(map(str, _SHARED_PLACES))
        + " can hold its data for another user; run the command as an ordinary user"
    )
