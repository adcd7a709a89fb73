"""What must be so of every answer while something holds, whatever else happens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

__all__ = ["AT_ONCE", "SETTLED", "Rules"]

AT_ONCE: Final = 1.0
"""Seconds after which every process has to know that a snapshot was withdrawn or switched off:
`max_pointer_age`, which is half as long here, and what the operation takes."""
SETTLED: Final = 1.0
"""Seconds that an error may take once breakers are open."""


@dataclass(slots=True)
class Rules:
    """What holds just now; times are monotonic.

    Attributes:
        withdrawn: snapshots that nobody may be shown any more, and since when.
        off_since: since when the database answers everything; None if it needn't.
        dead_since: since when nothing can answer, and every breaker knows; None if that isn't so.
    """

    withdrawn: dict[str, float] = field(default_factory=dict)
    off_since: float | None = None
    dead_since: float | None = None

    def withdraw(self, snapshot: str | None) -> None:
        """From now on nobody may be shown a snapshot."""
        if snapshot is not None:
            self.withdrawn[snapshot] = time.monotonic()

    def restore(self, snapshot: str | None) -> None:
        """It may be shown again."""
        self.withdrawn.pop(snapshot or "", None)

    def flaw(self, began: float, snapshot: str | None) -> str | None:
        """What is wrong with an answer; None if nothing is.

        Args:
            began: when it was asked for.
            snapshot: its name; None from the database.
        """
        if snapshot is None:
            return None
        since = self.withdrawn.get(snapshot)
        if since is not None and began > since + AT_ONCE:
            return f"snapshot {snapshot} was withdrawn {began - since:.2f} s before"
        since = self.off_since
        if since is not None and began > since + AT_ONCE:
            return f"the data source was switched off {began - since:.2f} s before"
        return None

    def has_settled(self, began: float) -> bool:
        """Whether an error has to come in under a second."""
        return self.dead_since is not None and began > self.dead_since
