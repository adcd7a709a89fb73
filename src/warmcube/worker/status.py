"""What all workers do and what comes next, read from the store: any process can show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from warmcube.entry.keys import Keys
from warmcube.jobs.job import Job
from warmcube.jobs.ledger import Ledger
from warmcube.jobs.workers import WorkerCard, Workers
from warmcube.model.schema import Datasource
from warmcube.observe.outlook import Outlook, unpack_outlook
from warmcube.store.api import Store

__all__ = ["SourceStatus", "Status", "outlook_facts", "read_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What is known of a data source.

    Attributes:
        datasource: its id.
        name: as configured.
        workers: how many workers look after it.
        outlook: what comes next; None where no worker is alive.
        job: the warm that is queued or runs, whoever asked for it.
    """

    datasource: int
    name: str
    workers: int
    outlook: Outlook | None
    job: Job | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "datasource": self.datasource,
            "name": self.name,
            "workers": self.workers,
            **outlook_facts(self.outlook),
            "job": None if self.job is None else self.job.as_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All of it.

    Attributes:
        now_ms: when it was read, by the store's clock.
        workers: those that are alive.
        datasources: what is known of each.
    """

    now_ms: int
    workers: tuple[WorkerCard, ...]
    datasources: tuple[SourceStatus, ...]

    @property
    def is_looked_after(self) -> bool:
        """Whether a worker is alive for each data source."""
        return all(each.workers for each in self.datasources)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "workers": [card.as_dict() for card in self.workers],
            "datasources": [each.as_dict() for each in self.datasources],
        }


def outlook_facts(outlook: Outlook | None) -> dict[str, Any]:
    """What is told of an outlook, with its instant in ISO 8601; null is what isn't known."""
    if outlook is None:
        names = ("state", "next", "reason", "held", "failures", "error", "damaged", "next_verify")
        return dict.fromkeys(names)
    return {
        "state": outlook.state,
        "next": _instant(outlook.next_ms),
        "reason": outlook.reason,
        "held": outlook.held,
        "failures": outlook.failures,
        "error": outlook.error,
        "damaged": outlook.damaged,
        "next_verify": _instant(outlook.verify_ms),
    }


def _instant(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


async def read_status(
    store: Store, namespace: str, jobs: Ledger, datasources: Sequence[Datasource]
) -> Status:
    """Read what the workers have written down.

    Raises:
        StoreError: the store.
    """
    cards = await Workers(store, namespace).alive()
    stored = await store.run([(b"GET", Keys(namespace, each.id).outlook) for each in datasources])
    found = []
    for each, outlook in zip(datasources, stored, strict=True):
        last = await jobs.last(each.id)
        found.append(
            SourceStatus(
                datasource=each.id,
                name=each.name,
                workers=sum(each.id in card.datasources for card in cards),
                outlook=unpack_outlook(outlook),
                job=next((job for job in last if not job.state.has_ended), None),
            )
        )
    return Status(now_ms=await store.now_ms(), workers=cards, datasources=tuple(found))
