"""One running demo: its folder, its servers, its data."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warmcube.config import load as load_settings
from warmcube.demo.check import CheckReport, check
from warmcube.demo.files import USERS, write_files
from warmcube.demo.generate import practice_count
from warmcube.demo.load import is_loaded, load
from warmcube.demo.passwords import make_passwords
from warmcube.embedded import EmbeddedPostgres
from warmcube.engine import AnalyticsCache
from warmcube.errors import EmbeddedError

__all__ = ["DEFAULT_FOLDER", "Demo", "open_demo"]

DEFAULT_FOLDER: Final = Path(".warmcube/demo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo whose data are loaded and whose servers run.

    Attributes:
        cache: on the demo's data; not warmed yet.
        configuration: the file with which other commands can use the same data.
        was_loaded: whether the data were there from an earlier time.
        url: of its Postgres.
        rows: how many there are.
        practices: how many practices they are about.
        passwords: of each sample user, to sign in with.
    """

    cache: AnalyticsCache
    configuration: Path
    was_loaded: bool
    url: str
    rows: int
    practices: int
    passwords: Mapping[str, str]

    async def check(self, progress: Callable[[int, int], None] | None = None) -> CheckReport:
        """Compare the cache's answers with SQL's."""
        return await check(self.cache, self.url, self.practices, progress=progress)


@asynccontextmanager
async def open_demo(
    folder: Path, rows: int, progress: Callable[[int], None] | None = None
) -> AsyncIterator[Demo]:
    """Start a demo's servers on a folder, and load its data where they aren't there yet.

    Args:
        folder: keeps everything; made if it isn't there.
        rows: how many rows of practice data.
        progress: told how many rows are loaded so far, from another thread.

    Raises:
        EmbeddedError: a server can't be started, the folder can't be used, or another demo uses
            it.
    """
    with _exclusive(folder):
        practices = practice_count(rows)
        configuration = write_files(folder, practices)
        # Not the caller's environment: a WARMCUBE_STORE__URL must not turn a demo on production.
        settings = load_settings(configuration, {})
        postgres = EmbeddedPostgres(settings.embedded_folder / "postgres")
        # Passwords are slow to hash on purpose; meanwhile Postgres starts.
        hashing = asyncio.create_task(asyncio.to_thread(make_passwords, folder, USERS))
        await asyncio.to_thread(postgres.start)
        try:
            passwords = await hashing
            was_loaded = await asyncio.to_thread(is_loaded, postgres.url, rows)
            if not was_loaded:
                await asyncio.to_thread(load, postgres.url, rows, progress=progress)
            async with AnalyticsCache(settings) as cache:
                yield Demo(
                    cache=cache,
                    configuration=configuration,
                    was_loaded=was_loaded,
                    url=postgres.url,
                    rows=rows,
                    practices=practices,
                    passwords=passwords,
                )
        finally:
            postgres.stop()


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Be the only demo in a folder; the kernel releases the lock however this process ends."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"the demo's folder {folder} can't be used: {error.strerror}; name another with "
            "--folder"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedError(
                f"another demo runs in {folder}; use it with `warmcube --config "
                f"{folder / 'warmcube.toml'} query …`, or start one elsewhere with --folder"
            ) from None
        yield
    finally:
        os.close(descriptor)
