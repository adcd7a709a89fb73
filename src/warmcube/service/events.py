"""Server-sent events: how far jobs are, told to whoever listens, for as long as they may.

What is told is always the present state of a job, so nothing has to be kept for those who read
slowly, and whoever comes back with the last id that they got misses nothing but what is past. An
id holds which revision of which jobs was told.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from warmcube.errors import InvalidQuery, UnknownJob, WarmcubeError
from warmcube.jobs.job import Job
from warmcube.jobs.ledger import Ledger

__all__ = ["EventStream", "job_events", "parse_last_id"]

POLL_SECONDS: Final = 0.1
QUIET_SECONDS: Final = 15.0
"""After so long without news a comment is sent, so that nothing on the way takes it for dead."""

SEND_SECONDS: Final = 30.0
"""Who takes nothing for so long is let go."""

_MOST: Final = 200
_SEEN: Final = re.compile(r"((?:0|[1-9]\d{0,9})-[0-9a-f]{16})\.(0|[1-9]\d{0,8})", re.ASCII)


class EventStream(StreamingResponse):
    """Events as they happen."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(
            events,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            return  # the server closes the connection, since the answer isn't complete


async def job_events(
    jobs: Ledger,
    seen: Mapping[str, int],
    is_over: Callable[[], bool],
) -> AsyncIterator[bytes]:
    """What becomes of some jobs, until all have ended.

    Args:
        jobs: of all processes.
        seen: the jobs, and which revision of each is known already; -1 for none.
        is_over: whether to stop before, because the right to listen is over.
    """
    told = dict(seen)
    following = set(told)
    spoke = time.monotonic()
    yield b"retry: 2000\n\n"
    while following and not is_over():
        for name in sorted(following):
            try:
                job = await jobs.find(name)
            except UnknownJob:
                following.discard(name)
                continue
            except WarmcubeError:  # the store; whoever listens comes back
                return
            if job.revision > told[name]:
                told[name] = job.revision
                yield _event(job, told)
                spoke = time.monotonic()
            if job.state.has_ended:
                following.discard(name)
        if time.monotonic() - spoke >= QUIET_SECONDS:
            yield b": still there\n\n"
            spoke = time.monotonic()
        if following:
            await asyncio.sleep(POLL_SECONDS)


def parse_last_id(text: str | None) -> dict[str, int]:
    """Which revisions somebody knows, by ``Last-Event-ID``.

    Raises:
        InvalidQuery: it isn't one of ours.
    """
    if not text:
        return {}
    parts = text.split(",")
    matches = [_SEEN.fullmatch(part) for part in parts]
    if len(parts) > _MOST or None in matches:
        raise InvalidQuery(
            "Last-Event-ID isn't the id of an event of this stream; leave it out to begin anew"
        )
    return {match[1]: int(match[2]) for match in matches if match is not None}


def _event(job: Job, told: Mapping[str, int]) -> bytes:
    name = b"end" if job.state.has_ended else b"progress"
    known = ",".join(f"{each}.{revision}" for each, revision in told.items() if revision >= 0)
    data = orjson.dumps(job.as_dict())
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (known.encode(), name, data)
