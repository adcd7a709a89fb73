"""What everything runs on: two servers with proxies before them, the history, and the writer."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from faults.history import History
from faults.people import ACCESS
from faults.proxy import Proxy
from faults.servers import PostgresServer, RedisServer
from faults.table import DATASOURCE, TABLE
from faults.writer import Writer

__all__ = ["DEADLINE", "World"]

DEADLINE: Final = 2.0
"""Seconds that a query may take."""
TTL: Final = 3600
_READER: Final = "reader"


class World:
    """Servers, proxies, history and writer, in a folder of their own.

    Attributes:
        redis: the store; readers reach it by `redis_proxy`, warmers by `warm_proxy`.
        postgres: the database; both reach it by `postgres_proxy`.
        history: every version of every row.
        writer: changes the table.
        lacking: columns that the table may lack just now.

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
        self.postgres_proxy = Proxy(self._database / ".s.PGSQL.5432", lambda: self.postgres.socket)
        self.lacking: frozenset[str] = frozenset()
        self._seed = seed
        self.history: History
        self.writer: Writer

    def start(self) -> None:
        """Start everything, and make the table."""
        self._database.mkdir()
        for server in (self.redis, self.postgres, self._other):
            server.start()
        for proxy in (self.redis_proxy, self.warm_proxy, self.postgres_proxy):
            proxy.start()
        self.history = History(self._other.url)
        self.writer = Writer(self.postgres.url, self.history, self._seed)
        self.writer.begin(
            lambda create: (
                f"CREATE SCHEMA ih; {create}; CREATE ROLE {_READER} LOGIN;"
                f"GRANT USAGE ON SCHEMA ih TO {_READER}; GRANT SELECT ON {TABLE} TO {_READER}"
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
        for proxy in (self.redis_proxy, self.warm_proxy, self.postgres_proxy):
            if proxy.is_started:
                proxy.stop()
        for server in (self.redis, self.postgres, self._other):
            server.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(self, name: str, store: Proxy, **cache: str) -> Path:
        """A configuration file.

        Args:
            name: of the file.
            store: by which proxy the store is reached.
            cache: more keys of ``[cache]``.
        """
        database = f"postgresql:///postgres?host={self._database}&port=5432&user={_READER}"
        settings = {
            "ttl": str(TTL),
            "query_timeout": str(int(DEADLINE * 1000)),
            "max_pointer_age": "0.5",
            "max_unchecked_age": "2.0",
            **cache,
        }
        lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'[store]\nurl = "unix://{store.path}"\n[cache]\n{lines}\n'
            f'[sources.main]\nurl = "{database}"\n'
            '[directory]\npath = "access.toml"\n'
            f'[[datasources]]\nid = {DATASOURCE}\nname = "Facts"\nsource = "main"\n'
            f'table = "{TABLE}"\n',
            encoding="utf-8",
        )
        return path

    def heal(self) -> None:
        """Let everything pass again."""
        for proxy in (self.redis_proxy, self.warm_proxy, self.postgres_proxy):
            proxy.heal()
