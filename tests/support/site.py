"""The demo's pages in a process of their own: ``python -m tests.support.site FOLDER ROWS``.

Its Redis and Postgres are real and its own. It prints one JSON object once it answers, and ends in
order at SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from warmcube import AnalyticsCache
from warmcube.authn.sign_in import open_sessions
from warmcube.demo.files import DATASOURCE
from warmcube.demo.session import open_demo
from warmcube.service.app import create_app
from warmcube.service.serve import served

__all__ = ["ROWS", "Site", "in_thread", "site_running"]

T = TypeVar("T")

ROWS: Final = 60_000
_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A service that runs.

    Attributes:
        url: of its pages.
        database: of its Postgres, for SQL.
        folder: with ``access.toml``, ``warmcube.toml`` and the rest.
        passwords: of each sample user.
    """

    url: str
    database: str
    folder: Path
    passwords: dict[str, str]

    def session(self, user: str) -> str:
        """The cookie, ``name=value``, of a new session of a user."""
        answered = httpx.post(
            f"{self.url}/api/session",
            json={"user": user, "password": self.passwords[user]},
            headers={"Origin": self.url},
        )
        assert answered.status_code == 200, answered.text
        return answered.headers["set-cookie"].partition(";")[0]

    def end_sessions(self, user: str) -> None:
        """End all sessions of a user, as time would."""

        async def end() -> None:
            async with AnalyticsCache.from_config(self.folder / "warmcube.toml") as cache:
                await open_sessions(cache.settings, cache.store).end_all(user)

        in_thread(end)


def in_thread(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What asynchronous work gives, in a thread: Playwright keeps this one's event loop busy."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(work())).result()


@contextmanager
def site_running(rows: int = ROWS) -> Iterator[Site]:
    """A service for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="warmcube-site-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # an unprivileged Postgres has to get through
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.site", str(folder / "demo"), str(rows)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told, "the service didn't start"
            known = json.loads(told)
            yield Site(folder=folder / "demo", **known)
        finally:
            process.terminate()
            process.wait(60)
            if process.stdout is not None:
                process.stdout.close()


async def _serve(folder: Path, rows: int) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with open_demo(folder, rows) as running:
        await running.cache.warm(DATASOURCE)
        section = running.cache.settings.service.model_copy(update={"port": 0})
        settings = replace(running.cache.settings, service=section)
        async with served(settings, create_app) as url:
            known = {
                "url": url,
                "database": running.url,
                "passwords": dict(running.passwords),
            }
            sys.stdout.write(f"{json.dumps(known)}\n")
            sys.stdout.flush()
            await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
