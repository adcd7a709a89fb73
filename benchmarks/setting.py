"""The servers, and the configurations that point to them, for as long as the benchmarks run."""

from __future__ import annotations

import random
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import redis
from adbc_driver_postgresql import dbapi

from benchmarks.data import EVERYTHING_TABLE, LARGE_TABLE, TABLE
from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis

__all__ = [
    "ANALYSTS",
    "CALLERS",
    "DATASOURCE",
    "EVERYTHING_DATASOURCE",
    "LARGE_DATASOURCE",
    "TRIO",
    "TRIO_PRACTICES",
    "USER",
    "VIEWERS",
    "Setting",
    "open_setting",
]

DATASOURCE: Final = 1
EVERYTHING_DATASOURCE: Final = 2
LARGE_DATASOURCE: Final = 3
_TABLES: Final = {
    DATASOURCE: TABLE,
    EVERYTHING_DATASOURCE: EVERYTHING_TABLE,
    LARGE_DATASOURCE: LARGE_TABLE,
}

USER: Final = "root"
"""A super admin."""

CALLERS: Final = tuple(f"caller-{number}" for number in range(100))
"""More of them: so many ask at a time."""

TRIO: Final = "trio"
TRIO_PRACTICES: Final = (101, 102, 103)
"""Somebody whose organization has 3 practices, and which."""

ANALYSTS: Final = {
    f"analyst-{number}": range(100 + 25 * number, 125 + 25 * number) for number in range(4)
}
"""Users who may see some practices, and which."""

_CHANCE: Final = random.Random(1)  # noqa: S311 (not for secrets)

VIEWERS: Final = {
    f"viewer-{number}": sorted(_CHANCE.sample(range(100, 200), _CHANCE.choice((1, 1, 2, 3, 5, 10))))
    for number in range(200)
}
"""Those of the mix, with organizations of 1 to 10 practices."""

RESIDENT_BYTES: Final = 512 << 20
"""Enough for all partitions of the smaller table."""

LARGE_INDEX_BYTES: Final = 256 << 20
"""Enough for the index of one frequency of the larger table."""

CHUNK: Final = 1000


def _members(users: Mapping[str, Sequence[int]]) -> str:
    return "".join(
        f"""
[[organizations]]
id = "of-{user}"
practices = {list(practices)}

[[users]]
id = "{user}"
roles = ["org_analyst"]
organizations = ["of-{user}"]
"""
        for user, practices in users.items()
    )


def _access() -> str:
    admins = "".join(
        f"""
[[users]]
id = "{user}"
roles = ["super_admin"]
"""
        for user in (USER, *CALLERS)
    )
    roles = """
[roles]
super_admin = ["analytics:read:all", "cache:manage:all"]
org_analyst = ["analytics:read:organization"]
"""
    return roles + admins + _members({**ANALYSTS, **VIEWERS, TRIO: list(TRIO_PRACTICES)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Two servers, and configurations of them.

    Attributes:
        redis_url: of a Redis.
        postgres_url: of a Postgres.
        schema: all tables lie in it.
        namespace: all keys begin with it.
        folder: for files, for as long as this lasts.
        config: the cache, keeping no answers, so that the store is what is measured.
        resident: the same, keeping what is hot.
        knowing: the same with memory for the index of ten times the data.
        unknowing: the cache, keeping no index either, so that each question is looked up.
        uncached: the same with the cache disabled, so that the database answers.
    """

    redis_url: str
    postgres_url: str
    schema: str
    namespace: str
    folder: Path
    config: Path
    resident: Path
    knowing: Path
    unknowing: Path
    uncached: Path

    def table(self, datasource: int = DATASOURCE) -> str:
        """A data source's table, as ``schema.table``."""
        return f"{self.schema}.{_TABLES[datasource]}"

    @property
    def transports(self) -> dict[str, str]:
        """How each server is reached."""
        is_socket = urlsplit(self.redis_url).scheme == "unix"
        query = urlsplit(self.postgres_url).query
        return {
            "redis": "Unix socket" if is_socket else "TCP",
            "postgres": "Unix socket" if "host=/" in query or "host=%2F" in query else "TCP",
        }


@contextmanager
def open_setting(
    redis_url: str | None = None, postgres_url: str | None = None, *, namespace: str | None = None
) -> Iterator[Setting]:
    """Servers of its own, in a temporary folder, or others; nothing is left on either in the end.

    Args:
        redis_url: of one that is there already; None to start one.
        postgres_url: likewise.
        namespace: what all keys begin with; None for nothing on a server of its own, and for
            something that nobody else has on another one.
    """
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="warmcube-bench-"))
        folder = Path(name)
        folder.chmod(0o711)  # as root, Postgres runs as somebody else and must reach its data
        (folder / "access.toml").write_text(_access(), encoding="utf-8")
        own = secrets.token_hex(4)
        if namespace is None:
            namespace = "" if redis_url is None else f"warmcube-bench-{own}:"
        schema = f"warmcube_bench_{own}"
        if redis_url is None:
            redis_url = stack.enter_context(EmbeddedRedis(folder / "redis")).url
        elif namespace:
            stack.callback(_remove_keys, redis_url, namespace)
        if postgres_url is None:
            postgres_url = stack.enter_context(EmbeddedPostgres(folder / "postgres")).url
        stack.enter_context(_own_schema(postgres_url, schema))

        def write(
            name: str,
            *,
            enabled: str = "true",
            resident_bytes: int = 0,
            index_bytes: int | None = None,
        ) -> Path:
            path = folder / f"{name}.toml"
            cache = f"enabled = {enabled}\nresident_bytes = {resident_bytes}"
            if index_bytes is not None:
                cache += f"\nindex_bytes = {index_bytes}"
            store = f'url = "{redis_url}"\nnamespace = "{namespace}"'
            path.write_text(_configuration(store, cache, postgres_url, schema), encoding="utf-8")
            return path

        yield Setting(
            redis_url=redis_url,
            postgres_url=postgres_url,
            schema=schema,
            namespace=namespace,
            folder=folder,
            config=write("warmcube"),
            resident=write("resident", resident_bytes=RESIDENT_BYTES),
            knowing=write("knowing", index_bytes=LARGE_INDEX_BYTES),
            unknowing=write("unknowing", index_bytes=0),
            uncached=write("uncached", enabled="false"),
        )


def _configuration(store: str, cache: str, postgres_url: str, schema: str) -> str:
    datasources = "".join(
        f"""
[[datasources]]
id = {datasource}
name = "Benchmark {datasource}"
source = "main"
table = "{schema}.{table}"
"""
        for datasource, table in _TABLES.items()
    )
    return f"""
[store]
{store}
[cache]
{cache}
[limits]
running_per_user = 100
[audit]
sink = "file"
path = "audit.jsonl"
[sources.main]
url = "{postgres_url}"
{datasources}"""


@contextmanager
def _own_schema(url: str, schema: str) -> Iterator[None]:
    _execute(url, f"CREATE SCHEMA {schema}")
    try:
        yield
    finally:
        _execute(url, f"DROP SCHEMA {schema} CASCADE")


def _execute(url: str, statement: str) -> None:
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _remove_keys(url: str, namespace: str) -> None:
    """Remove what was written, and nothing else."""
    with closing(redis.Redis.from_url(url)) as client:
        found = list(client.scan_iter(match=f"{namespace}*", count=CHUNK))
        for at in range(0, len(found), CHUNK):
            client.unlink(*found[at : at + CHUNK])
