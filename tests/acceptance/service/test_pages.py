"""The page about the API: each example is run by a shell, and answered as the page says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from adbc_driver_postgresql import dbapi
from tests.support.served import Running, running

from warmcube import AnalyticsCache
from warmcube.authn.issue import issue_token
from warmcube.config import load
from warmcube.embedded import EmbeddedRedis

DOCS: Final = Path(__file__).parents[3] / "docs"
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
AUTH: Final = """
[service]
port = 0
[[auth.keys]]
issuer = "https://issuer.example.com"
audience = "warmcube"
algorithms = ["HS256"]
key_file = "secret.key"
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """Languages and texts of a page's blocks."""
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def examples() -> list[tuple[str, str]]:
    """Each command of the page, and the answer that stands below it."""
    found = blocks("reference/service.md")
    pairs = list(pairwise(found))
    commands = [text for language, text in found if language == "sh"]
    answered = [
        (ask[1], told[1]) for ask, told in pairs if ask[0] == "sh" and told[0] in ("json", "csv")
    ]
    assert [ask for ask, _ in answered] == commands
    return answered


@pytest.fixture(scope="module")
def tutorial(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis, postgres_module_db: str
) -> Iterator[tuple[Running, dict[str, str]]]:
    """A service over the tutorial's table, and tokens of Ana and of who looks after the cache."""
    folder = tmp_path_factory.mktemp("tutorial")
    found = blocks("tutorial.md")
    (sql,) = [text for language, text in found if language == "sql"]
    with (
        dbapi.connect(postgres_module_db, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        for statement in filter(str.strip, sql.split(";\n")):
            cursor.execute(statement)
    for language, text in found:
        if language == "toml":
            (folder / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    config = folder / "warmcube.toml"
    text = config.read_text().replace('url = "embedded"', f'url = "{redis_server.url}"')
    text = text.replace("postgresql://me@db.example:5432/analytics", postgres_module_db)
    config.write_text(text + AUTH)
    secret = folder / "secret.key"
    secret.touch(mode=0o600)
    secret.write_text("not very secret, and long enough for HS256")
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()

    async def warm() -> None:
        async with AnalyticsCache.from_config(config) as cache:
            await cache.warm(1)

    asyncio.run(warm())
    settings, now = load(config, {}), int(time.time())
    tokens = {
        name: issue_token(settings, user, now, 3600)
        for name, user in (("TOKEN", "ana"), ("ADMIN", "root"))
    }
    with running(("--config", str(config), "serve"), folder) as service:
        yield service, tokens


def agrees(told: Any, written: Any) -> bool:
    """Whether an answer is what the page says; "…" stands for what differs each time."""
    if written == "…":
        return told is not None
    if isinstance(written, dict):
        return set(told) == set(written) and all(agrees(told[n], written[n]) for n in written)
    if isinstance(written, list):
        return len(told) == len(written) and all(map(agrees, told, written))
    return type(told) is type(written) and told == written


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to run it with")
@pytest.mark.parametrize(("command", "answer"), examples())
def test_each_example_is_answered_as_the_page_says(
    tutorial: tuple[Running, dict[str, str]], command: str, answer: str
) -> None:
    """Run as it stands, with the service's URL and a token of Ana's in the environment."""
    service, tokens = tutorial
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "URL": service.url, **tokens},
        capture_output=True,
        check=True,
    )
    if not answer.startswith("{"):
        assert done.stdout.decode() == answer.replace("\n", "\r\n")
        return
    told, written = json.loads(done.stdout), json.loads(answer)
    assert agrees(told, written), told
