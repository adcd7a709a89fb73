"""``warmcube serve``: from a configuration to processes that answer behind one port."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from fastapi import FastAPI

from warmcube.config import Settings
from warmcube.errors import ConfigError
from warmcube.query.slots import share_of_slots
from warmcube.readiness import Part
from warmcube.service.allocator import keep_freed_memory
from warmcube.service.pauses import avoid_pauses
from warmcube.service.server.listening import bound, is_loopback, url_of
from warmcube.service.server.supervisor import Life, Supervisor
from warmcube.service.server.worker import Server

__all__ = ["Build", "event_loop", "serve", "served"]

_LOG: Final = logging.getLogger("warmcube.service")
_OTHER_FILES: Final = 256
"""Open files of a process beside its connections."""
_MARGIN: Final = 1.25
"""Connections beyond the limit, which live until they are refused."""

Build: TypeAlias = Callable[[Settings], FastAPI]
"""Makes the application; called in each process."""


def serve(settings: Settings, build: Build, announce: Callable[[str], None]) -> None:
    """Run the service until a signal ends it.

    Args:
        settings: of the whole.
        build: makes the application.
        announce: told the URL as soon as requests are answered.

    Raises:
        ServeError: it can't listen or start, or its processes keep ending.
        ConfigError: it can't be run as configured.
        KeyboardInterrupt: by the second Ctrl-C: everything is cut.
    """
    section = settings.service
    share_of_slots(settings.cache.fallback_slots, section.workers)  # said once, by nobody's child
    _allow_files(section.connections)
    with bound(section.host, section.port, section.workers) as sockets:
        listening = sockets[0]
        url = url_of(listening)
        if not is_loopback(listening) and not (section.public_url or "").startswith("https://"):
            _LOG.warning(
                "%s can be reached from other machines, and doesn't encrypt: let TLS end in front "
                "of it, and set [service] public_url to the https:// that users see",
                url,
            )

        def work(number: int, life: Life) -> None:
            for other in sockets:
                if other is not sockets[number]:
                    other.close()
            keep_freed_memory()
            with asyncio.Runner(loop_factory=event_loop()) as runner:
                runner.run(_work(settings, build, sockets[number], life, tells=number == 0))

        Supervisor(
            section.workers,
            work,
            drain=section.shutdown,
            ready=lambda: announce(url),
            stopping=lambda: _close(sockets),
        ).run()


async def _work(
    settings: Settings, build: Build, listening: socket.socket, life: Life, *, tells: bool
) -> None:
    """What each process does.

    Args:
        settings: of the whole.
        build: makes the application.
        listening: its socket.
        life: what ties it to its supervisor.
        tells: whether it is the one that says what is missing at the start.
    """
    app = build(settings)
    server = Server(app, settings)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(life.supervisor)  # its end can be read again and again
        app.state.service.drain()
        server.stop()

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_reader(life.supervisor, stop)  # it is gone: nobody would end us
    async with app.router.lifespan_context(app), server.on(listening) as serving:
        avoid_pauses()
        life.tell_ready()
        if tells:
            _tell(await app.state.service.cache.readiness.parts())
        await serving


def _tell(parts: Iterable[Part]) -> None:
    """Say what can't be used: it may come, but whoever has just started the service looks now."""
    for part in parts:
        if not part.is_ready:
            _LOG.warning(
                "the %s isn't ready: %s; the service goes on, and GET /readyz tells when it is",
                part.name,
                part.why,
            )


@asynccontextmanager
async def served(settings: Settings, build: Build) -> AsyncIterator[str]:
    """The service within this process, under the URL that is yielded, for as long as this lasts.

    Args:
        settings: of the whole.
        build: makes the application.

    Raises:
        ServeError: it can't listen.
    """
    section = settings.service
    with bound(section.host, section.port, 1) as (listening,):
        url = url_of(listening)
        app = build(settings)
        server = Server(app, settings)
        async with app.router.lifespan_context(app), server.on(listening):
            yield url


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


def _allow_files(connections: int) -> None:
    """Have the system permit as many open files as a process may need.

    Raises:
        ConfigError: it doesn't.
    """
    wanted = int(connections * _MARGIN) + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard not in (resource.RLIM_INFINITY, -1) and hard < wanted:
        raise ConfigError(
            f"[service] connections = {connections} needs {wanted} open files in a process, and "
            f"the system permits {hard}; raise that (ulimit -n), or lower connections"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes event loops: uvloop's, where there is one."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - isn't there on every platform

    return uvloop.new_event_loop
