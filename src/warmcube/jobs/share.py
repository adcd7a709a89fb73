"""How much of a whole warm is done, from where one of its phases is."""

from __future__ import annotations

from typing import Final

from warmcube.warm.report import Phase, Progress

__all__ = ["remaining_seconds", "share_of"]

_SHARES: Final = {
    Phase.COUNTING: (0.0, 0.05),
    Phase.CARRYING: (0.05, 0.05),
    Phase.READING: (0.05, 0.5),
    Phase.WRITING: (0.5, 0.9),
    Phase.VERIFYING: (0.9, 0.97),
    Phase.PUBLISHING: (0.97, 0.98),
    Phase.CLEANING: (0.98, 1.0),
    Phase.DONE: (1.0, 1.0),
}
"""Where each phase begins and ends, as it is for tables of a million rows."""

_LEAST: Final = 0.06
"""Below that share a pace says nothing."""


def share_of(progress: Progress) -> float:
    """From 0 to 1; grows with the rows of a phase, and from phase to phase."""
    begin, end = _SHARES[progress.phase]
    within = 0.0
    if progress.total_rows:
        within = min(1.0, progress.rows / progress.total_rows)
    return round(begin + (end - begin) * within, 4)


def remaining_seconds(progress: Progress) -> float | None:
    """How long all the rest will take at the pace so far; None while nobody can tell."""
    share = share_of(progress)
    if share < _LEAST:
        return None
    return round(progress.seconds * (1 - share) / share, 1)
