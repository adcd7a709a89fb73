"""A Redis Cluster of three masters and three replicas, put together over the protocol."""

from __future__ import annotations

import contextlib
import ctypes
import math
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from warmcube.embedded.redis_server import redis_executable

__all__ = ["HASTY_MS", "Node", "RedisCluster", "run_cluster"]

MASTERS = 3
SLOTS = 16384
HASTY_MS = 1000
STEADY_MS = 30_000


@dataclass(kw_only=True)
class Node:
    """One server of the cluster.

    Attributes:
        port: where it listens.
        command: what runs it.
        home: its folder.
        process: it.
        id: by which the cluster knows it.
    """

    port: int
    command: list[str]
    home: Path
    process: subprocess.Popen[bytes] = field(init=False)
    id: str = ""
    client: redis.Redis = field(init=False)

    def __post_init__(self) -> None:
        self.client = redis.Redis(port=self.port, socket_timeout=10, decode_responses=True)

    def ask(self, *words: str | int | bytes) -> Any:
        """Send one command; the reply as it is on the wire."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def info(self, section: str) -> dict[str, Any]:
        """What it says of itself."""
        found: dict[str, Any] = self.client.info(section)
        return found

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it, without any data; it knows its cluster again, if it ran before."""
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 (no threads are needed for it)
            )

    def freeze(self) -> None:
        """Stop it where it is; it keeps its connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.process.send_signal(signal.SIGCONT)

    def fall_behind(self) -> None:
        """Cut a replica off from its master; it goes on answering, from what it has."""
        _await(lambda: self._link == "up")
        self.ask("CONFIG", "SET", "masterauth", "wrong")  # so that it can't come back
        self.ask("CLIENT", "KILL", "TYPE", "master")
        _await(lambda: self._link == "down")

    def catch_up(self) -> None:
        """Let one that fell behind follow its master again."""
        self.ask("CONFIG", "SET", "masterauth", "")
        _await(lambda: self._link == "up")

    @property
    def _link(self) -> str:
        """A replica's with its master."""
        return str(self.info("replication").get("master_link_status"))

    def take_over(self) -> None:
        """Have a replica become the master, whose place its master takes."""
        asked = -math.inf

        def is_master() -> bool:
            nonlocal asked
            if self.info("replication")["role"] == "master":
                return True
            # Masters give no second vote for the same place within two time-outs of a node.
            if time.monotonic() > asked + 2.5 * HASTY_MS / 1000:
                asked = time.monotonic()
                self.ask("CLUSTER", "FAILOVER")
            return False

        _await(is_master)


@dataclass(kw_only=True)
class RedisCluster:
    """A running cluster.

    Attributes:
        nodes: all servers; the masters of the beginning come first, then a replica of each.
    """

    nodes: list[Node]

    @property
    def url(self) -> str:
        """What a configuration calls it."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])

    def live(self) -> list[Node]:
        """The nodes whose process runs."""
        return [node for node in self.nodes if node.is_running]

    def masters(self) -> list[Node]:
        """Those that say that they are masters, and run."""
        return [node for node in self.live() if node.info("replication")["role"] == "master"]

    def master_of(self, key: bytes) -> Node:
        """The running node that holds a key, as the nodes agree."""
        slots = self.live()[0].ask("CLUSTER", "SLOTS")
        wanted = key_slot(key)
        (port,) = [row[2][1] for row in slots if row[0] <= wanted <= row[1]]
        (node,) = [node for node in self.nodes if node.port == port]
        return node

    def replica_of(self, master: Node) -> Node:
        """A running replica of a master."""
        return next(
            node
            for node in self.live()
            if node.info("replication").get("master_port") == master.port
        )

    def flush(self) -> None:
        """Empty it, replicas included."""
        masters = self.masters()
        for node in masters:
            node.ask("FLUSHALL")
        for node in masters:
            node.ask("SET", f"{{{_tag_of(node)}}}", "", "PX", 1)
            assert int(node.ask("WAIT", 1, 5000)) >= 0

    def all_keys(self) -> set[bytes]:
        """Every key on every master."""
        found: set[bytes] = set()
        for node in self.masters():
            with contextlib.closing(redis.Redis(port=node.port)) as client:
                found |= {bytes(key) for key in client.keys("*") if isinstance(key, bytes)}
        return found

    def await_whole(self, seconds: float = 30.0) -> None:
        """Wait until all running nodes find the cluster well, alike, and replicas up to date."""

        def is_whole() -> bool:
            nodes = self.live()
            return all(map(_is_whole, nodes)) and len({*map(_seen, nodes)}) == 1

        _await(is_whole, seconds)

    def stop(self) -> None:
        """End all servers."""
        for node in self.nodes:
            node.client.close()
            if node.is_running:
                node.thaw()
                node.kill()


def _tag_of(node: Node) -> str:
    rows = node.ask("CLUSTER", "SLOTS")
    own = [row for row in rows if row[2][1] == node.port]
    return next(
        str(n)
        for n in range(100_000)
        if any(row[0] <= key_slot(b"{%d}" % n) <= row[1] for row in own)
    )


def _seen(node: Node) -> str:
    """Who holds what, as one node sees it."""
    rows = node.ask("CLUSTER", "SLOTS")
    held = [
        (first, last, master[1], sorted(replica[1] for replica in replicas))
        for first, last, master, *replicas in rows
    ]
    return str(sorted(held))


def _is_whole(node: Node) -> bool:
    with contextlib.suppress(redis.RedisError):
        state = node.ask("CLUSTER", "INFO")
        replication = node.info("replication")
        linked = replication["role"] == "master" or replication["master_link_status"] == "up"
        return "cluster_state:ok" in state and linked
    return False


def _await(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster did not come together in time")
        time.sleep(0.02)


@contextlib.contextmanager
def run_cluster(
    executable: Path | None = None,
    *options: str,
    replicas: bool = True,
    timeout_ms: int = STEADY_MS,
) -> Iterator[RedisCluster]:
    """Run a cluster until the block ends.

    Args:
        executable: the server; None is the wheel's.
        options: more options for each.
        replicas: whether each master has one.
        timeout_ms: after which a silent node counts as failed; nobody takes over before. On a busy
            machine a node may be silent for a second that nobody did anything to.
    """
    folder = Path(tempfile.mkdtemp(prefix="warmcube-cluster-"))
    count = 2 * MASTERS if replicas else MASTERS
    program = executable or redis_executable()
    cluster = RedisCluster(nodes=[])
    try:
        for number in range(count):
            home = folder / str(number)
            home.mkdir()
            cluster.nodes.append(_start(program, home, options))
        _join(cluster.nodes)
        cluster.await_whole()
        for node in cluster.nodes:  # they came together sooner while they were hasty
            node.ask("CONFIG", "SET", "cluster-node-timeout", timeout_ms)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start(program: Path, home: Path, options: tuple[str, ...]) -> Node:
    for _ in range(20):
        port = _free_port()
        given = {
            "port": port,
            "bind": "127.0.0.1",
            "dir": home,
            "save": "",
            "appendonly": "no",
            "cluster-enabled": "yes",
            "cluster-config-file": f"nodes-{port}.conf",
            "cluster-node-timeout": HASTY_MS,
            "cluster-replica-validity-factor": 0,
            "repl-diskless-sync": "yes",
            "repl-diskless-sync-delay": 0,
            "repl-timeout": 5,
        }
        command = [str(program)]
        for name, value in given.items():
            command += (f"--{name}", str(value))
        node = Node(port=port, command=[*command, *options], home=home)
        node.start()
        deadline = time.monotonic() + 20
        while node.is_running and time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError):
                node.client.ping()
                return node
            time.sleep(0.01)
        if node.is_running:
            node.kill()
    raise RuntimeError(f"no server could be started: {(home / 'log').read_text()[-2000:]}")


def _end_with_parent() -> None:
    """Have the kernel end a server whose test process was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _free_port() -> int:
    """A port that is free, and whose bus port, 10,000 above, is free too."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(12_000, 32_000)
        with contextlib.ExitStack() as held:
            try:
                for each in (port, port + 10_000):
                    listening = held.enter_context(socket.socket())
                    listening.bind(("127.0.0.1", each))
            except OSError:
                continue
            return port


def _join(nodes: list[Node]) -> None:
    masters, replicas = nodes[:MASTERS], nodes[MASTERS:]
    for number, node in enumerate(nodes):
        node.id = str(node.ask("CLUSTER", "MYID"))
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for number, node in enumerate(masters):
        first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS
        node.ask("CLUSTER", "ADDSLOTS", *range(first, last))
    for node in nodes[1:]:
        node.ask("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)

    def all_met() -> bool:
        return all(
            str(node.ask("CLUSTER", "NODES")).count(" connected") == len(nodes)
            and "handshake" not in str(node.ask("CLUSTER", "NODES"))
            for node in nodes
        )

    _await(all_met)
    for master, replica in zip(masters, replicas, strict=False):
        replica.ask("CLUSTER", "REPLICATE", master.id)
    _await(lambda: all(node.info("replication")["role"] == "slave" for node in replicas))
