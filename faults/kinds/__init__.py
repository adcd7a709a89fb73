"""The faults, by what they are done to."""

from __future__ import annotations

from typing import Final

from faults.kinds import damage, database, network, servers, warmers
from faults.stage import Fault

__all__ = ["FAULTS"]

FAULTS: Final[tuple[Fault, ...]] = (
    *servers.FAULTS,
    *damage.FAULTS,
    *network.FAULTS,
    *warmers.FAULTS,
    *database.FAULTS,
)
"""All of them, in the order of the report."""
