"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis
from adbc_driver_postgresql import dbapi

import warmcube

__all__ = ["machine", "peak_bytes"]


def machine(redis_url: str, postgres_url: str) -> dict[str, Any]:
    """Cores, memory, versions."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        server = client.info("server")
    with dbapi.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        (postgres,) = cursor.fetchone() or ("unknown",)
    packages = ("redis", "hiredis", "adbc-driver-postgresql", "pyarrow", "numpy", "uvloop")
    return {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "warmcube": warmcube.__version__,
        "redis_server": server["redis_version"],
        "postgres_server": postgres,
        **{package: version(package) for package in packages},
    }


def peak_bytes() -> int | None:
    """The most resident memory that this process has had; None where the system doesn't tell.

    From ``/proc``: what ``getrusage`` says of a process begins with its parent's.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
