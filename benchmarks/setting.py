"""The servers, and the configuration that points to them, for as long as the benchmarks run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.data import TABLE
from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis

__all__ = ["ANALYSTS", "DATASOURCE", "USER", "Setting", "open_setting"]

DATASOURCE: Final = 1
USER: Final = "root"

ANALYSTS: Final = {
    f"analyst-{number}": range(100 + 25 * number, 125 + 25 * number) for number in range(4)
}
"""Users who may see some practices, and which."""

_ACCESS: Final = """
[roles]
super_admin = ["analytics:read:all", "cache:manage:all"]
org_analyst = ["analytics:read:organization"]

[[users]]
id = "root"
roles = ["super_admin"]
""" + "".join(
    f"""
[[organizations]]
id = "of-{user}"
practices = {list(practices)}

[[users]]
id = "{user}"
roles = ["org_analyst"]
organizations = ["of-{user}"]
"""
    for user, practices in ANALYSTS.items()
)


@dataclass(frozen=True, slots=True)
class Setting:
    """Two servers and two configurations.

    Attributes:
        redis_url: of an empty Redis.
        postgres_url: of an empty Postgres.
        config: the cache, keeping no answers, so that the store is what is measured.
        uncached: the same with the cache disabled, so that the database answers.
    """

    redis_url: str
    postgres_url: str
    config: Path
    uncached: Path


@contextmanager
def open_setting() -> Iterator[Setting]:
    """Start the servers in a temporary folder; stop them and remove it in the end."""
    with tempfile.TemporaryDirectory(prefix="warmcube-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, Postgres runs as somebody else and must reach its data
        (folder / "access.toml").write_text(_ACCESS, encoding="utf-8")
        with (
            EmbeddedRedis(folder / "redis") as redis,
            EmbeddedPostgres(folder / "postgres") as postgres,
        ):
            yield Setting(
                redis.url,
                postgres.url,
                _write(folder / "warmcube.toml", redis.url, postgres.url, enabled="true"),
                _write(folder / "uncached.toml", redis.url, postgres.url, enabled="false"),
            )


def _write(path: Path, redis_url: str, postgres_url: str, *, enabled: str) -> Path:
    path.write_text(
        f"""
[store]
url = "{redis_url}"
[cache]
enabled = {enabled}
resident_bytes = 0
[sources.main]
url = "{postgres_url}"
[[datasources]]
id = {DATASOURCE}
name = "Benchmark"
source = "main"
table = "{TABLE}"
""",
        encoding="utf-8",
    )
    return path
