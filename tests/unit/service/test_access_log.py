"""`warmcube.service.access_log`: a line for each request; nobody forges one, or waits for one."""

from __future__ import annotations

import json
import os
import re
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.audit.text import ESCAPED
from warmcube.service.access_log import AccessLog, Served


def served(**more: Any) -> Served:
    """A request, with some things changed."""
    fields: dict[str, Any] = {
        "time": 1_772_366_400.25,
        "request": "r-1",
        "method": "POST",
        "route": "/api/query",
        "status": 200,
        "milliseconds": 1.23456,
        "sent": 99,
        "user": "ana",
        "authentication": "token",
        "client": "203.0.113.9",
        "problem": None,
    }
    return Served(**{**fields, **more})


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Two ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def logged(path: Path, *requests: Served) -> list[dict[str, Any]]:
    """What a log writes of some requests."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    log = AccessLog(descriptor)
    for request in requests:
        log.add(request)
    log.close()
    os.close(descriptor)
    assert log.dropped == 0
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines]


def test_a_line_in_full(tmp_path: Path) -> None:
    """All that is known of a request, in order, whatever isn't as null."""
    first, second = logged(
        tmp_path / "log",
        served(),
        served(user=None, authentication=None, client=None, status=None, problem="AccessDenied"),
    )
    assert list(first.items()) == [
        ("time", "2026-03-01T12:00:00.250Z"),
        ("event", "request"),
        ("request", "r-1"),
        ("method", "POST"),
        ("route", "/api/query"),
        ("status", 200),
        ("ms", 1.235),
        ("bytes", 99),
        ("user", "ana"),
        ("auth", "token"),
        ("client", "203.0.113.9"),
        ("problem", None),
    ]
    changed = {"user": None, "auth": None, "client": None, "status": None}
    assert second == {**first, **changed, "problem": "AccessDenied"}


@given(text=st.text(max_size=400))
def test_whatever_comes_from_outside_stays_in_its_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """It ends no line, shows nothing elsewhere, and is of bounded length."""
    path = tmp_path_factory.getbasetemp() / "outside"
    (line,) = logged(path, served(user=text + "\r\n\x1b\u202e\ud800", client=text))
    raw = path.read_text(encoding="utf-8")
    assert len(raw) < 6000
    assert not re.search(ESCAPED, raw.removesuffix("\n"))
    assert line["request"] == "r-1"


def test_a_reader_that_stops_costs_lines_not_requests(pipe: tuple[int, int]) -> None:
    """Lines beyond what may wait are counted as lost; those that wait come when it reads again."""
    reading, writing = pipe
    os.set_blocking(writing, False)
    filled = 0
    while select.select([], [writing], [], 0)[1]:
        filled += os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    log = AccessLog(writing, queue_size=10)
    for _ in range(2000):
        log.add(served())
    lost = log.dropped
    assert lost >= 2000 - 10 - 10  # what waits, and a batch that is being written
    while filled:
        filled -= len(os.read(reading, min(filled, 65536)))
    told = b""
    while told.count(b"\n") < 2000 - lost:
        told += os.read(reading, 65536)
    log.close()
    assert told.count(b"\n") == 2000 - lost == 2000 - log.dropped


def test_a_reader_that_is_gone_is_no_failure() -> None:
    """Nothing can be told any more, but how many lines were lost."""
    reading, writing = os.pipe()
    os.close(reading)
    log = AccessLog(writing)
    for _ in range(5):
        log.add(served())
    log.close()
    os.close(writing)
    assert log.dropped == 5
