"""Where is cleared up, and by which bounds."""

from __future__ import annotations

from dataclasses import dataclass

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Seal
from warmcube.store.api import Store
from warmcube.warm.lease import LEASE_SECONDS

__all__ = ["Clearing"]


@dataclass(frozen=True, slots=True)
class Clearing:
    """Where is cleared up, and by which bounds.

    Attributes:
        store: the store.
        keys: of the data source.
        using: the seal of its values.
        grace: seconds for which readers may still be in the middle of what was live.
        lease_seconds: how long a lease is.
        life_seconds: how long what a warm writes is there, at most.
    """

    store: Store
    keys: Keys
    using: Seal
    grace: float = 16.0
    lease_seconds: float = LEASE_SECONDS
    life_seconds: float = 18_000.0
