"""Services in processes of their own, on real servers, over a table of known rows."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, TypeAlias

import pytest
import redis
from joserfc import jwt
from joserfc.jwk import OctKey
from tests.support.caches import TABLE, execute, make_cache
from tests.support.served import Running, running

from warmcube.embedded import EmbeddedRedis

Start: TypeAlias = Callable[..., Running]

_SECRET: Final = "not very secret, and long enough for HS256"
_AUTH: Final = """
[[auth.keys]]
issuer = "https://issuer.example.com"
audience = "warmcube"
algorithms = ["HS256"]
key_file = "secret.key"
"""


def bearer(user: str) -> str:
    """A header with a token for a user."""
    claims = {
        "iss": "https://issuer.example.com",
        "aud": "warmcube",
        "sub": user,
        "exp": int(time.time()) + 3600,
    }
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(_SECRET))
    return f"Authorization: Bearer {token}"


def auth_for(folder: Path, settings: str) -> None:
    """Have the configuration in a folder take the tokens of `bearer`, with some ``[service]``."""
    secret = folder / "secret.key"
    secret.touch(mode=0o600)
    secret.write_text(_SECRET)
    with (folder / "warmcube.toml").open("a") as file:
        file.write(f"{_AUTH}\n[service]\n{settings}\n")


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table, a text in it that makes large answers, and rows of many pieces."""
    execute(
        postgres_module_db,
        TABLE,
        "INSERT INTO ih.facts SELECT 'Long', 101, n, 'Monthly', DATE '2024-01-01', n, "
        "repeat(md5(n::text), 20) FROM generate_series(1, 8000) AS n",
        "INSERT INTO ih.facts SELECT 'Many', 101, n % 100, 'Monthly', DATE '2024-01-01', n, "
        "repeat(md5(n::text), 2) FROM generate_series(1, 150000) AS n",
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
    """Starts services: takes settings of ``[service]``, and options of the command."""
    with ExitStack() as stack:

        def go(settings: str, *options: str, auth: str = _AUTH, is_awaited: bool = True) -> Running:
            shutil.copytree(warm, tmp_path, dirs_exist_ok=True)
            secret = tmp_path / "secret.key"
            secret.write_text(_SECRET)
            secret.chmod(0o600)
            with (tmp_path / "warmcube.toml").open("a") as file:
                file.write(f"{auth}\n[service]\n{settings}")
            words = ("--config", "warmcube.toml", "serve", *options)
            return stack.enter_context(running(words, tmp_path, is_awaited=is_awaited))

        yield go


QUERY: Final = (
    b'{"datasource": 1, "measure": "Charges", "frequency": "Monthly", "practices": [101]}'
)
"""Of `north` and `root`."""

LARGE: Final = b'{"datasource": 1, "measure": "Long", "frequency": "Monthly", "practices": [101]}'
"""An answer of several MB."""

MANY: Final = LARGE.replace(b"Long", b"Many")
"""An answer that is exported in several pieces of several MB."""

AS_NORTH: Final = bearer("north")
AS_ROOT: Final = bearer("root")
