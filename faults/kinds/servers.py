"""Faults of the store's server: killed, frozen, restarted, unwilling."""

from __future__ import annotations

from typing import Final

from faults.stage import AT_REST, READING, WARMING, Fault, Stage

__all__ = ["FAULTS"]

_PASSWORD: Final = "another"
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
    moments = (AT_REST,)
    seconds = 1.2
    is_quiet = False

    def act(self, stage: Stage) -> None:
        world = stage.world
        world.redis.bound_files(_ROOM)
        world.postgres.bound_files(_ROOM)
        with stage.store() as client:
            client.bgsave()

    def undo(self, stage: Stage) -> None:
        # Redis only couldn't save, but Postgres may have stopped itself.
        stage.world.redis.bound_files(None)
        stage.world.postgres.start()


FAULTS: Final[tuple[Fault, ...]] = (
    _Killed("kill-redis", "kill -9 Redis, back with its data", keeps=True),
    _Killed("lose-redis", "kill -9 Redis, back without data", keeps=False),
    _RestartedEmpty(),
    _Frozen(),
    _ReadOnly(),
    _WrongPassword(),
    _DiskFull(),
)
