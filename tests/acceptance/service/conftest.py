"""Services in processes of their own, on real servers, over a table of known rows."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, TypeAlias

import pytest
import redis
from tests.support.caches import TABLE, execute, make_cache
from tests.support.served import Running, running

from warmcube.embedded import EmbeddedRedis

Start: TypeAlias = Callable[..., Running]

_LAUNCH: Final = """
import os, sys
from warmcube.cli.console import say, say_error
from warmcube.config import load
from warmcube.errors import WarmcubeError
from warmcube.service.app import create_app
from warmcube.service.serve import serve
from warmcube.service.server.logs import log_to_stderr
from tests.support.services import identify_by_name
log_to_stderr()
try:
    serve(load(sys.argv[1], os.environ), lambda each: create_app(each, identify_by_name), say)
except WarmcubeError as error:
    say_error(str(error))
    sys.exit(error.exit_status)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table, and a text in it that makes large answers."""
    execute(
        postgres_module_db,
        TABLE,
        "INSERT INTO ih.facts SELECT 'Long', 101, n, 'Monthly', DATE '2024-01-01', n, "
        "repeat(md5(n::text), 20) FROM generate_series(1, 8000) AS n",
    )
    return postgres_module_db


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis, facts: str) -> Path:
    """The folder of a configuration whose table is warm."""
    folder = tmp_path_factory.mktemp("warm")
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    cache = make_cache(folder, redis_server.url, facts)

    async def warm() -> None:
        async with cache:
            await cache.warm(1)

    asyncio.run(warm())
    return folder


@pytest.fixture
def start(tmp_path: Path, warm: Path) -> Iterator[Start]:
    """Starts services: takes settings of ``[service]``, one a line."""
    with ExitStack() as stack:

        def go(settings: str, *, is_awaited: bool = True) -> Running:
            shutil.copytree(warm, tmp_path, dirs_exist_ok=True)
            with (tmp_path / "warmcube.toml").open("a") as file:
                file.write(f"[service]\n{settings}")
            return stack.enter_context(
                running(
                    [str(tmp_path / "warmcube.toml")],
                    Path(__file__).parents[3],
                    program=[sys.executable, "-W", "error", "-c", _LAUNCH],
                    is_awaited=is_awaited,
                )
            )

        yield go


QUERY: Final = (
    b'{"datasource": 1, "measure": "Charges", "frequency": "Monthly", "practices": [101]}'
)
"""Of `north` and `root`."""

LARGE: Final = b'{"datasource": 1, "measure": "Long", "frequency": "Monthly", "practices": [101]}'
"""An answer of several MB."""

AS_NORTH: Final = "Authorization: Test north"
