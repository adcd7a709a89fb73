"""The process that does one job, so that it takes nothing from those who answer queries.

``python -m warmcube.service.job_process`` reads a job and the configuration from its standard
input, and records in the store how far it is: a warm, or with ``verify`` as its argument a
verification. SIGTERM ends it in order: the lease is given back, what was written is removed, and
the old snapshot goes on serving. Where that hangs, such as in a thread that waits for a database
that is silent, the process is killed, and says so. It outlives the service that started it: if
that is killed, the job is still finished.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from functools import partial
from typing import Final

from warmcube.config import Settings
from warmcube.config.handover import unpack_settings
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError
from warmcube.jobs.job import Job, Record, unpack_job
from warmcube.jobs.verification import Verification, unpack_verification

__all__ = ["main", "work"]

_LOG: Final = logging.getLogger("warmcube")

END_SECONDS = 10.0
"""So long the process may take to end in order, once it is told to or has done its work."""


def main() -> int:
    """Do the job that standard input describes; 0 if it is done."""
    logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stderr)
    unpack = unpack_verification if sys.argv[1:] == ["verify"] else unpack_job
    job = unpack(sys.stdin.buffer.readline())
    settings = unpack_settings(sys.stdin.buffer.read())
    try:
        asyncio.run(work(settings, job))
    except asyncio.CancelledError:
        _LOG.warning("job %s was stopped", job.id)
        return 1
    except WarmcubeError as error:
        _LOG.warning("job %s: %s: %s", job.id, type(error).__name__, error)
        return error.exit_status
    except Exception:  # noqa: BLE001 - whatever it is, the log has it
        _LOG.exception("job %s", job.id)
        return 1
    finally:
        _end_soon(job)  # the interpreter waits for threads, and they for whatever they wait for
    return 0


async def work(settings: Settings, job: Job | Verification) -> None:
    """Do one job; SIGTERM and SIGINT cancel it.

    Raises:
        WarmcubeError: it failed, which its record says too if the store could be reached.
    """
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        _end_soon(job)
        if task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with AnalyticsCache(settings, actor=job.actor, stdout=2) as cache:
            if isinstance(job, Verification):
                await cache.verify(job.datasource, job=job)
            else:
                await cache.warm(job.datasource, force=job.forced, job=job)
    finally:
        _end_soon(job)  # the end of the loop waits for its threads


def _end_soon(job: Record) -> None:
    """Kill this process if it is still there after `END_SECONDS`; nobody waits for that."""
    timer = threading.Timer(END_SECONDS, partial(_kill, job))
    timer.daemon = True
    timer.start()


def _kill(job: Record) -> None:
    _LOG.error(
        "job %s: its process %d hangs, %g s after it should have ended, and is killed; see whether "
        "the database and the store answer",
        job.id,
        os.getpid(),
        END_SECONDS,
    )
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
