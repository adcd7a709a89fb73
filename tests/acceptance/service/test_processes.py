"""The service's processes: started, drained, replaced, and ended with a reason."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections import Counter
from pathlib import Path

import pytest
from tests.support.caches import ACCESS, make_cache, select
from tests.support.served import Running, exchange, raw_query, read_reply, running
from tests.support.servers import is_alive, wait_until

from .conftest import AS_NORTH, AS_ROOT, LARGE, MANY, QUERY, Start, auth_for

PORT = "port = 0\n"


def half_sent(service: Running) -> socket.socket:
    """A connection with a request that lacks its last byte, and is being answered."""
    connection = service.connect()
    request = raw_query(QUERY, AS_NORTH, "Expect: 100-continue")
    connection.sendall(request[: -len(QUERY)])
    assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")  # so the application waits for it
    connection.sendall(QUERY[:-1])
    return connection


def test_the_rows_are_the_users_through_every_process(start: Start, facts: str) -> None:
    """Two processes behind one port: each gives exactly SQL's rows; the URL has the real port."""
    service = start(f"{PORT}workers = 2")
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+", service.url)
    assert len(service.workers) == 2
    expected = select(
        facts,
        "SELECT provider_uid, date_index::text, measure_value::text FROM ih.facts "
        "WHERE practice_uid = 101 AND measure = 'Charges' AND frequency = 'Monthly'",
    )
    for _ in range(12):
        reply = exchange(service, raw_query(QUERY, AS_NORTH))
        assert reply.status == 200
        rows = [
            (row["provider_uid"], row["date_index"], row["measure_value"])
            for row in reply.data["rows"]
        ]
        assert Counter(rows) == Counter(expected)
        assert "server" not in reply.headers


def test_a_term_lets_requests_end(start: Start) -> None:
    """After SIGTERM nothing new is taken; what runs is answered; the exit status is 0."""
    service = start(f"{PORT}workers = 2")
    connections = [half_sent(service) for _ in range(8)]
    idle = service.connect()
    service.signal(signal.SIGTERM)
    assert idle.recv(1) == b""  # what has no request is hung up on
    wait_until(lambda: is_refused(service))
    for connection in connections:
        connection.sendall(QUERY[-1:])
        reply = read_reply(connection)
        assert (reply.status, len(reply.data["rows"])) == (200, 31)
        assert reply.headers["connection"] == "close"
    assert service.end() == 0


def is_refused(service: Running) -> bool:
    """Whether new connections are."""
    try:
        service.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_takes_longer_than_the_drain_is_cut(start: Start) -> None:
    """A request that never comes to its end holds nobody up beyond ``[service] shutdown``."""
    service = start(f"{PORT}shutdown = 0.5")
    connection = half_sent(service)
    service.signal(signal.SIGINT)
    assert service.end() == 0
    assert b" 200 " not in connection.recv(65_536)
    assert not was_killed(service)


def was_killed(service: Running) -> bool:
    """Whether the supervisor had to end processes that didn't end by themselves."""
    return any("are cut off" in line for line in service.told)


def slow_taker(service: Running, request: bytes) -> socket.socket:
    """A connection with a request whose answer doesn't fit into the system's memory for it."""
    connection = service.connect(4096)
    connection.sendall(request)
    return connection


def test_an_answer_that_is_not_taken_keeps_no_process_from_ending(start: Start) -> None:
    """Its connection is broken before the event loop closes, with all that waits to be sent."""
    service = start(f"{PORT}shutdown = 0.5")
    connection = slow_taker(service, raw_query(LARGE, AS_ROOT))
    assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    assert not was_killed(service)
    wait_until(lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0)


def test_an_export_that_is_cut_ends_before_what_it_reads_from(start: Start, tmp_path: Path) -> None:
    """Its end is in the audit; the file is visibly broken, and nothing fails under it."""
    service = start(f"{PORT}shutdown = 0.5")
    exporting = ACCESS.replace('"cache:manage:all"', '"analytics:export:all"')
    (tmp_path / "access.toml").write_text(exporting)
    few = raw_query(QUERY, AS_ROOT, path="/api/export")
    wait_until(lambda: exchange(service, few).status == 200)
    connection = slow_taker(service, raw_query(MANY, AS_ROOT, path="/api/export"))
    assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    assert not was_killed(service)
    wait_until(lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0)
    lines = map(json.loads, (tmp_path / ".warmcube/audit.jsonl").read_text().splitlines())
    told = [
        (line["phase"], line["outcome"])
        for line in lines
        if line["event"] == "exported" and line["measure"] == "Many"
    ]
    assert told == [("begin", "allowed"), ("end", "failed")]


def test_a_second_interrupt_ends_at_once(start: Start) -> None:
    """Whoever presses Ctrl-C twice doesn't want to wait; no process stays."""
    service = start(f"{PORT}shutdown = 600\nworkers = 2")
    connection = half_sent(service)
    workers = service.workers
    service.signal(signal.SIGINT)
    wait_until(lambda: is_refused(service))
    service.signal(signal.SIGINT)
    assert service.end() == 130
    wait_until(lambda: not any(map(is_alive, workers)))
    connection.close()


def test_a_process_that_is_killed_is_replaced(start: Start) -> None:
    """The other goes on, a new one comes, and what waits at the dead one's door is answered."""
    service = start(f"{PORT}workers = 2")
    before = set(service.workers)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    replies = [exchange(service, raw_query(QUERY, AS_NORTH)) for _ in range(20)]
    assert {reply.status for reply in replies} == {200}
    wait_until(lambda: len(service.workers) == 2)
    assert before - set(service.workers) == {killed}
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    words = f"process {killed} ended by signal 9; it is replaced"
    assert sum(words in line for line in service.told) == 1


def test_processes_that_keep_ending_end_the_service(start: Start) -> None:
    """It doesn't go on for ever; the last line says what happened."""
    service = start(PORT)
    ended: set[int] = set()
    while service.process.poll() is None:
        for pid in set(service.workers) - ended:
            os.kill(pid, signal.SIGKILL)
            ended.add(pid)
    assert service.end() == 1
    words = "error: the service's processes keep ending, the last one by signal 9; its log says why"
    assert service.told[-1] == f"{words}\n"


def test_no_process_outlives_the_supervisor(start: Start) -> None:
    """A supervisor that is killed takes its processes with it."""
    service = start(f"{PORT}workers = 2")
    workers = service.workers
    service.signal(signal.SIGKILL)
    service.end()
    wait_until(lambda: not any(map(is_alive, workers)))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use(start: Start, workers: int) -> None:
    """One sentence, and no second service that shares the port."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = taken.getsockname()[1]
        service = start(f"port = {port}\nworkers = {workers}", is_awaited=False)
        assert service.end() == 1
    words = f"error: the service can't listen on 127.0.0.1:{port}: something else listens there"
    assert service.told == [f"{words}; stop it, or choose another with --port\n"]


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", ""])
def test_an_address_of_another_machine(start: Start, host: str) -> None:
    """One sentence."""
    service = start(f'{PORT}host = "{host or "a" * 300}"', is_awaited=False)
    assert service.end() == 1
    assert len(service.told) == 1
    assert service.told[0].startswith("error: the service can't listen on ")


def test_what_keeps_processes_from_starting_is_said(start: Start, tmp_path: Path) -> None:
    """Once, however many processes there are."""
    keyless = """
[[auth.keys]]
issuer = "https://issuer.example.com"
audience = "warmcube"
algorithms = ["RS256"]
key_file = "no.pem"
"""
    service = start(f"{PORT}workers = 2", auth=keyless, is_awaited=False)
    assert service.end() == 2
    missing = f"error: [[auth.keys]] key_file {tmp_path / 'no.pem'} can't be read: "
    assert service.told == [f"{missing}No such file or directory\n"]


def test_nobody_could_prove_who_they_are(start: Start) -> None:
    """Without authentication nothing listens; it says what to write."""
    service = start(PORT, auth="", is_awaited=False)
    assert service.end() == 2
    assert len(service.told) == 1
    assert "add [[auth.keys]]" in service.told[0]


def test_options_count_before_settings(start: Start) -> None:
    """``--host``, ``--port`` and ``--workers`` stand above what the file says."""
    service = start("port = 1\nhost = '192.0.2.1'", "--port=0", "--host=localhost", "--workers=2")
    assert service.url.startswith("http://127.0.0.1:")
    assert len(service.workers) == 2


@pytest.mark.parametrize("option", ["--port=65536", "--port=x", "--workers=0", "--host="])
def test_wrong_options(start: Start, option: str) -> None:
    """Usage errors have the status 2."""
    service = start(PORT, option, is_awaited=False)
    assert service.end() == 2
    assert len(service.told) == 1


def test_off_loopback_it_says_that_tls_must_end_in_front(start: Start) -> None:
    """A warning in the log; none where users are known to come by https."""
    for public, warnings in (("", 1), ('public_url = "https://cube.example.com"\n', 0)):
        service = start(f'host = "0.0.0.0"\n{PORT}{public}')
        service.signal(signal.SIGTERM)
        assert service.end() == 0
        assert sum("doesn't encrypt" in line for line in service.told) == warnings


def test_what_cant_be_used_at_the_start_is_said_once(tmp_path: Path) -> None:
    """A warning for each part, whatever the number of processes; the service runs all the same."""
    make_cache(tmp_path, "redis://127.0.0.1:1/0", "postgresql://user@127.0.0.1:1/db")
    (tmp_path / "access.toml").unlink()
    auth_for(tmp_path, f"{PORT}workers = 2")
    with running(("--config", "warmcube.toml", "serve"), tmp_path) as service:
        service.signal(signal.SIGTERM)
        assert service.end() == 0
    events = [json.loads(line)["event"] for line in service.told]
    after = "; the service goes on, and GET /readyz tells when it is"
    cold = "it can't be reached, and not everything can be answered from the store"
    assert [each for each in events if each.endswith(after)] == [
        f"the store isn't ready: it can't be reached{after}",
        f"the directory isn't ready: it can't be read{after}",
        f"the database isn't ready: {cold}{after}",
    ]


def test_nothing_is_said_of_what_can_be_used(start: Start) -> None:
    """A healthy service begins without a warning."""
    service = start(PORT)
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    assert [line for line in service.told if '"warning"' in line] == []
