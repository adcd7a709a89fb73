"""What everything runs on: two servers with proxies before them, the history, and the writer."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from faults.disks import Disks
from faults.history import History
from faults.people import ACCESS
from faults.proxy import Proxy
from faults.rules import Rules
from faults.servers import PostgresServer, RedisServer
from faults.table import DATASOURCE, TABLE
from faults.writer import Writer

__all__ = ["DEADLINE", "READER", "World"]

DEADLINE: Final = 2.0
"""Seconds that a query may take."""
TTL: Final = 3600
READER: Final = "reader"
"""The role by which warmcube reads the database, whoever asks."""
KEPT: Final = 1
"""Snapshots that stay behind the live one, to go back to."""
_SOCKET: Final = ".s.PGSQL.5432"


class World:
    """Servers, proxies, history and writer, in a folder of their own.

    Attributes:
        redis: the store; readers reach it by `redis_proxy`, warmers by `warm_proxy`.
        postgres: the database; readers reach it by `postgres_proxy`, warmers by `gather_proxy`.
        history: every version of every row.
        writer: changes the table.
        lacking: columns that the table may lack just now.
        rules: what every answer has to obey just now.
        disks: what the servers' data lie on.

    Args:
        seed: makes what happens repeatable, as far as clocks and servers let it.
    """

    def __init__(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wf-"))  # short: sockets lie in it
        self.folder.chmod(0o711)
        self.redis = RedisServer(self.folder / "redis")
        self.postgres = PostgresServer(self.folder / "postgres")
        self._other = PostgresServer(self.folder / "other")
        self.redis_proxy = Proxy(self.folder / "redis.sock", lambda: self.redis.socket)
        self.warm_proxy = Proxy(self.folder / "warm.sock", lambda: self.redis.socket)
        self._database = self.folder / "database"
        self.postgres_proxy = Proxy(self._database / _SOCKET, lambda: self.postgres.socket)
        self._gathering = self.folder / "gathering"
        self.gather_proxy = Proxy(self._gathering / _SOCKET, lambda: self.postgres.socket)
        self.rules = Rules()
        self.disks = Disks({self.folder / "redis": 32, self.folder / "postgres": 320})
        self.lacking: frozenset[str] = frozenset()
        self._seed = seed
        self.history: History
        self.writer: Writer

    def start(self) -> None:
        """Start everything, and make the table."""
        self._database.mkdir()
        self._gathering.mkdir()
        for server in (self.redis, self.postgres, self._other):
            server.start()
        for proxy in self._proxies:
            proxy.start()
        self.postgres.execute("ALTER SYSTEM SET max_wal_size = '64MB'", "SELECT pg_reload_conf()")
        self.history = History(self._other.url)
        self.writer = Writer(self.postgres.url, self.history, self._seed)
        self.writer.begin(
            lambda create: (
                f"CREATE SCHEMA ih; {create}; CREATE ROLE {READER} LOGIN;"
                f"GRANT USAGE ON SCHEMA ih TO {READER}; GRANT SELECT ON {TABLE} TO {READER}"
            )
        )
        (self.folder / "access.toml").write_text(ACCESS, encoding="utf-8")

    def stop(self) -> None:
        """End everything that was started, and remove the folder."""
        for server in (self.redis, self.postgres):
            server.thaw()
        if hasattr(self, "writer"):
            self.writer.end()
            self.history.close()
        for proxy in self._proxies:
            if proxy.is_started:
                proxy.stop()
        for server in (self.redis, self.postgres, self._other):
            server.end()
        self.disks.unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(
        self, name: str, store: Proxy, *, is_warmer: bool = False, more: str = "", **cache: str
    ) -> Path:
        """A configuration file.

        Args:
            name: of the file, and of its connections to the database.
            store: by which proxy the store is reached.
            is_warmer: whether the database is reached as warmers reach it.
            more: further sections.
            cache: more keys of ``[cache]``.
        """
        folder = self._gathering if is_warmer else self._database
        database = (
            f"postgresql:///postgres?host={folder}&port=5432&user={READER}&application_name={name}"
        )
        settings = {
            "ttl": str(TTL),
            "query_timeout": str(int(DEADLINE * 1000)),
            "max_pointer_age": "0.5",
            "max_unchecked_age": "2.0",
            "keep_snapshots": str(KEPT),
            **cache,
        }
        lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'[store]\nurl = "unix://{store.path}"\n[cache]\n{lines}\n'
            f'[sources.main]\nurl = "{database}"\n'
            f'[directory]\npath = "access.toml"\n{more}\n'
            f'[[datasources]]\nid = {DATASOURCE}\nname = "Facts"\nsource = "main"\n'
            f'table = "{TABLE}"\n',
            encoding="utf-8",
        )
        return path

    def heal(self) -> None:
        """Let everything pass again."""
        for proxy in self._proxies:
            proxy.heal()

    @property
    def _proxies(self) -> tuple[Proxy, ...]:
        return self.redis_proxy, self.warm_proxy, self.postgres_proxy, self.gather_proxy
