"""Who is told how reads and warms went, so that figures can be kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Final, Protocol

__all__ = ["UNOBSERVED", "AnswerFigures", "MissReason", "Observer"]


class MissReason(StrEnum):
    """Why the cache couldn't answer."""

    DISABLED = "disabled"
    COLD = "cold"
    STORE = "store"
    DAMAGE = "damage"
    MOVING = "moving"


class AnswerFigures(Protocol):
    """What is told of an answer; `warmcube.query.result.Meta` is one."""

    @property
    def origin(self) -> str:
        """The tier that it was answered from."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Milliseconds by step."""

    @property
    def entries(self) -> int:
        """How many entries were fetched."""

    @property
    def rows_fetched(self) -> int:
        """How many rows the evaluation started from."""

    @property
    def rows(self) -> int:
        """How many rows the answer has."""


class Observer(Protocol):
    """Told from the event loop; never waits, never fails. Data sources are configured ones."""

    def answered(self, datasource: int, figures: AnswerFigures) -> None:
        """An answer is given."""

    def fallback(self, datasource: int, reason: MissReason) -> AbstractContextManager[None]:
        """The cache can't answer; what is done within asks the database instead."""

    def denied(self, reason: str) -> None:
        """Somebody is denied, for one of the audit's reasons."""

    def warmed(self, datasource: int, phases: Mapping[str, float] | None, seconds: float) -> None:
        """A warm is over: seconds by phase and in all; no phases if it failed."""

    def verified(self, datasource: int, verdict: str, seconds: float) -> None:
        """A verification is over, with one of `warmcube.observe.verified.VERDICTS`."""


class _Unobserved:
    """Tells nobody."""

    def answered(self, datasource: int, figures: AnswerFigures) -> None:
        """See `Observer`."""

    def fallback(self, datasource: int, reason: MissReason) -> AbstractContextManager[None]:
        """See `Observer`."""
        del datasource, reason
        return nullcontext()

    def denied(self, reason: str) -> None:
        """See `Observer`."""

    def warmed(self, datasource: int, phases: Mapping[str, float] | None, seconds: float) -> None:
        """See `Observer`."""

    def verified(self, datasource: int, verdict: str, seconds: float) -> None:
        """See `Observer`."""


UNOBSERVED: Final[Observer] = _Unobserved()
"""Where nobody keeps figures."""
