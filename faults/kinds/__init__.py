"""The faults, by what they are done to."""

from __future__ import annotations

from typing import Final

from faults.kinds import (
    cluster,
    crowd,
    damage,
    database,
    network,
    servers,
    steering,
    warmers,
    workers,
)
from faults.stage import Fault

__all__ = ["FAULTS"]

FAULTS: Final[tuple[Fault, ...]] = (
    *servers.FAULTS,
    *damage.FAULTS,
    *network.FAULTS,
    *warmers.FAULTS,
    *workers.FAULTS,
    *steering.FAULTS,
    *database.FAULTS,
    *cluster.FAULTS,
    *crowd.FAULTS,
)
"""All of them, in the order of the report."""
