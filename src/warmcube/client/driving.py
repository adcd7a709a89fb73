"""Does the steps of a call: with ``await`` or without, and nothing else."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from warmcube.client.exchange import Close, Do, Read, Send, Step, Steps, Wait
from warmcube.errors import NotUsable

__all__ = ["drive", "drive_async"]

_T = TypeVar("_T")


@dataclass(slots=True)
class _Reply:
    response: httpx.Response
    chunks: Iterator[bytes]


@dataclass(slots=True)
class _AsyncReply:
    response: httpx.Response
    chunks: AsyncIterator[bytes]


def drive(http: httpx.Client, steps: Steps[_T]) -> _T:
    """Do the steps one after another."""
    resume, value = steps.send, None
    while True:
        try:
            step = resume(value)
        except StopIteration as end:
            done: _T = end.value
            return done
        try:
            resume, value = steps.send, _done(http, step)
        except BaseException as error:  # noqa: BLE001 - the steps decide what becomes of it
            resume, value = steps.throw, error


def _done(http: httpx.Client, step: Step) -> Any:
    match step:
        case Send(request):
            response = http.send(request, stream=True)
            return _Reply(response, response.iter_bytes())
        case Read(reply):
            return next(reply.chunks, b"")  # type: ignore[attr-defined]
        case Close(reply):
            return reply.response.close()
        case Wait(seconds):
            return time.sleep(seconds)
        case Do(call):
            value = call()
            if inspect.iscoroutine(value):
                value.close()
                raise NotUsable("the token comes from a coroutine; use AsyncClient for that")
            return value


async def drive_async(http: httpx.AsyncClient, steps: Steps[_T]) -> _T:
    """Do the steps one after another, letting others work meanwhile."""
    resume, value = steps.send, None
    while True:
        try:
            step = resume(value)
        except StopIteration as end:
            done: _T = end.value
            return done
        try:
            resume, value = steps.send, await _done_async(http, step)
        except BaseException as error:  # noqa: BLE001 - likewise, a cancellation included
            resume, value = steps.throw, error


async def _done_async(http: httpx.AsyncClient, step: Step) -> Any:
    match step:
        case Send(request):
            response = await http.send(request, stream=True)
            return _AsyncReply(response, response.aiter_bytes())
        case Read(reply):
            return await anext(reply.chunks, b"")  # type: ignore[attr-defined]
        case Close(reply):
            return await reply.response.aclose()
        case Wait(seconds):
            return await asyncio.sleep(seconds)
        case Do(call):
            value = await asyncio.to_thread(call)
            return await value if inspect.isawaitable(value) else value
