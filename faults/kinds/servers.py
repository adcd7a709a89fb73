"""Faults of the store's server: killed, frozen, restarted, unwilling."""

from __future__ import annotations

import contextlib
from typing import Final

import psycopg

from faults.moments import AT_REST, READING, WARMING, WRITING
from faults.stage import Fault, Stage
from faults.world import World

__all__ = ["FAULTS"]

_PASSWORD: Final = "another"
_MUCH: Final = (
    "CREATE TABLE much AS SELECT repeat(md5(i::text), 40) FROM generate_series(1, 200000) i"
)
_ROOM: Final = 32_768
"""Bytes of a file that can still be written: a log, but no data."""


class _Killed(Fault):
    """Redis is killed, and later starts again.

    Args:
        name: of the fault.
        title: of the fault.
        keeps: whether it has its data then.
    """

    moments = (*READING, *WARMING)
    seconds = 1.5

    def __init__(self, name: str, title: str, *, keeps: bool) -> None:
        self.name, self.title, self._keeps = name, title, keeps

    def act(self, stage: Stage) -> None:
        redis = stage.world.redis
        if self._keeps:
            redis.save()
        redis.kill()

    def undo(self, stage: Stage) -> None:
        if not self._keeps:
            stage.world.redis.forget_data()
        stage.world.redis.start()


class _RestartedEmpty(_Killed):
    """Redis is away for as long as a restart takes, and has nothing then."""

    moments = (*READING, *WARMING)
    seconds = 0.8

    def __init__(self) -> None:
        super().__init__("restart-empty", "restart Redis empty", keeps=False)

    def act(self, stage: Stage) -> None:
        super().act(stage)
        super().undo(stage)

    def undo(self, stage: Stage) -> None:
        pass


class _Frozen(Fault):
    """Redis doesn't move for 5 seconds."""

    name, title = "freeze-redis", "SIGSTOP Redis for 5 s"
    moments = (*READING, *WARMING)
    seconds = 5.0

    def act(self, stage: Stage) -> None:
        stage.world.redis.freeze()

    def undo(self, stage: Stage) -> None:
        stage.world.redis.thaw()


class _ReadOnly(Fault):
    """Redis is a replica, and takes no writes."""

    name, title = "readonly", "READONLY"
    moments = (*READING, *WRITING)
    is_quiet = False

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            client.replicaof("127.0.0.1", "1")

    def undo(self, stage: Stage) -> None:
        with stage.store() as client:
            client.replicaof("NO", "ONE")


class _WrongPassword(Fault):
    """Redis wants a password that nobody has."""

    name, title = "wrong-password", "wrong password"
    moments = (*READING, *WRITING)
    seconds = 1.2
    is_quiet = False

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            client.config_set("requirepass", _PASSWORD)
        stage.world.redis_proxy.cut_all()
        stage.world.warm_proxy.cut_all()

    def undo(self, stage: Stage) -> None:
        with stage.world.redis.client(_PASSWORD) as client:
            client.config_set("requirepass", "")


class _DiskFull(Fault):
    """Neither server can write a byte to its disk."""

    name, title = "disk-full", "disk full for the embedded servers"
    moments = (AT_REST, *WRITING)
    seconds = 1.5
    is_quiet = False

    def act(self, stage: Stage) -> None:
        world = stage.world
        if not world.disks.fill():
            stage.notes.append("by a limit on the size of files: only root may make a small disk")
            _bound(world)
        self._use(stage)

    @staticmethod
    def _use(stage: Stage) -> None:
        """Have both find out that it is full."""
        with stage.store() as client:
            client.bgsave()
        with contextlib.suppress(psycopg.Error):
            stage.world.postgres.execute(_MUCH)
            stage.failures.append("Postgres could write, its disk isn't full")

    def undo(self, stage: Stage) -> None:
        # Redis only couldn't save, but Postgres may have stopped itself.
        world = stage.world
        world.disks.empty()
        world.redis.bound_files(None)
        world.postgres.start()
        world.postgres.execute("DROP TABLE IF EXISTS much")
        with stage.store() as client:
            client.bgsave()


class _FileLimit(_DiskFull):
    """Neither server may write beyond the beginning of a file: every write fails, not only new."""

    name, title = "file-limit", "no file of the embedded servers may grow (RLIMIT_FSIZE)"

    def act(self, stage: Stage) -> None:
        _bound(stage.world)
        self._use(stage)


def _bound(world: World) -> None:
    world.redis.bound_files(_ROOM)
    world.postgres.bound_files(_ROOM)


FAULTS: Final[tuple[Fault, ...]] = (
    _Killed("kill-redis", "kill -9 Redis, back with its data", keeps=True),
    _Killed("lose-redis", "kill -9 Redis, back without data", keeps=False),
    _RestartedEmpty(),
    _Frozen(),
    _ReadOnly(),
    _WrongPassword(),
    _DiskFull(),
    _FileLimit(),
)
