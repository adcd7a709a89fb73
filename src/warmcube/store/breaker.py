"""The circuit breaker of one server: what opens it, and what closes it. Pure.

While it is open, nobody waits for a server that doesn't answer: every call fails at once, so that
there is time left for the database. Only a probe, which is nobody's query, closes it again.
"""

from __future__ import annotations

from typing import Final

__all__ = ["PROBE_EVERY", "Breaker"]

PROBE_EVERY: Final = 0.25
"""Seconds from the beginning of one probe to that of the next, unless the first takes longer."""


class Breaker:
    """Open or closed, with what a probe says having the last word.

    There is no half-open state in which somebody's query is tried: while a probe is under way, the
    breaker stays as it is.

    Attributes:
        is_open: whether calls have to fail at once.
        why: why it is open, or was when it last was.
        since: when it opened last, by the clock of whoever tells it; None if it never did.
        closings: how often it was closed; a call notes it when it begins.
        heard: when the server sent its latest reply, likewise; whoever reads replies sets it.
    """

    __slots__ = ("closings", "heard", "is_open", "since", "why")

    def __init__(self) -> None:
        self.is_open = False
        self.why = ""
        self.since: float | None = None
        self.closings = 0
        self.heard = 0.0

    def fail(self, began: int, why: str, now: float) -> bool:
        """A call had no answer.

        Args:
            began: `closings` when the call began; what began before the server was found well
                again says nothing of how it is now.
            why: in a few words.
            now: the time.

        Returns:
            whether it is open now, so that it has to be probed.
        """
        if not self.is_open and began == self.closings:
            self._open(why, now)
        return self.is_open

    def unanswered(self, why: str, now: float) -> None:
        """A probe had no answer that would let calls through."""
        if self.is_open:
            self.why = why
        else:
            self._open(why, now)

    def answered(self) -> None:
        """A probe had one."""
        if self.is_open:
            self.is_open = False
            self.closings += 1

    @staticmethod
    def pause(began: float, now: float) -> float:
        """Seconds from now to the next probe, if the last one began then."""
        return max(0.0, began + PROBE_EVERY - now)

    def _open(self, why: str, now: float) -> None:
        self.is_open = True
        self.why = why
        self.since = now
