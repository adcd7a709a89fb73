"""`warmcube.audit.stream_sink`: lines on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import subprocess
import sys

import pytest
from tests.support.audit import a_grant, read_lines

from warmcube.audit.stream_sink import StreamSink
from warmcube.audit.trail import Trail
from warmcube.errors import AuditError

LINES = [b"x" * 999 + b"\n"] * 500


@pytest.mark.parametrize("blocks", [True, False])
async def test_all_of_it_arrives(blocks: bool) -> None:
    """More than a pipe holds, and also where it was set not to block."""
    reading, writing = os.pipe()
    os.set_blocking(writing, blocks)
    sink = StreamSink(writing)

    def read() -> bytes:
        with os.fdopen(reading, "rb") as file:
            return file.read()

    reader = asyncio.create_task(asyncio.to_thread(read))
    await sink.write(LINES)
    await sink.close()
    os.close(writing)
    assert await reader == b"".join(LINES)


async def test_a_process_with_many_descriptors() -> None:
    """Waiting for room in a pipe knows no greatest descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2048:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    reading, low = os.pipe()
    writing = fcntl.fcntl(low, fcntl.F_DUPFD, 1024)
    os.close(low)
    os.set_blocking(writing, False)
    sink = StreamSink(writing)

    def read() -> bytes:
        with os.fdopen(reading, "rb") as file:
            return file.read()

    reader = asyncio.create_task(asyncio.to_thread(read))
    await sink.write(LINES)
    await sink.close()
    os.close(writing)
    assert await reader == b"".join(LINES)


async def test_nobody_listens() -> None:
    """A closed pipe is an error, not the end of the process."""
    reading, writing = os.pipe()
    os.close(reading)
    sink = StreamSink(writing)
    with pytest.raises(AuditError, match="standard output: Broken pipe; see where that leads"):
        await sink.write(LINES)
    await sink.close()
    os.close(writing)


async def test_who_doesnt_listen_holds_nobody_up() -> None:
    """A pipe that is full is no answer where one is required; and a short while later it is."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filled += os.write(writing, b"\n" * 1024)
    os.set_blocking(writing, True)
    trail = Trail(StreamSink(writing), required=True, bound=0.2)
    with pytest.raises(AuditError, match=r"didn't answer within 0\.2 s"):
        await trail.record(a_grant("held up"))

    def read() -> bytes:
        with os.fdopen(reading, "rb") as file:
            return file.read()

    reader = asyncio.create_task(asyncio.to_thread(read))
    is_written = False
    async with asyncio.timeout(30):
        while not is_written:
            with contextlib.suppress(AuditError):
                await trail.record(a_grant("later"))
                is_written = True
    await trail.close()
    os.close(writing)
    lines = read_lines((await reader)[filled:])
    assert [line["subject"] for line in lines][0 :: len(lines) - 1] == ["held up", "later"]


def test_standard_output_is_where_it_goes() -> None:
    """Without being told."""
    script = """
import asyncio
from warmcube.audit.stream_sink import StreamSink
async def main():
    sink = StreamSink()
    await sink.write([b"a\\n", b"b\\n"])
    await sink.close()
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == (b"a\nb\n", b"")


def test_a_pipe_that_nobody_reads_doesnt_keep_a_process() -> None:
    """The audit gives up after its bound, and the interpreter doesn't wait for its thread."""
    script = """
import asyncio, os
from tests.support.audit import a_grant
from warmcube.audit.stream_sink import StreamSink
from warmcube.audit.trail import Trail
_, full = os.pipe()
os.set_blocking(full, False)
try:
    while True:
        os.write(full, b"x" * 65536)
except BlockingIOError:
    os.set_blocking(full, True)
async def main():
    trail = Trail(StreamSink(full), bound=0.1)
    trail.note(a_grant())
    await trail.close()
asyncio.run(main())
print("ended")
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.returncode) == ("ended\n", 0)
