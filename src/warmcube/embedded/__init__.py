"""Real servers out of wheels: Redis and Postgres with nothing else installed.

They listen on Unix sockets in folders that only their owner can enter, keep their data between
commands, are shared by commands that run at the same time, and end with the last of them.
"""

from warmcube.embedded.postgres_server import EmbeddedPostgres
from warmcube.embedded.redis_server import EmbeddedRedis

__all__ = ["EmbeddedPostgres", "EmbeddedRedis"]
