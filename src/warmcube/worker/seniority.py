"""Which of several workers has the say, where they don't have the same configuration. Pure.

A snapshot that was made under another configuration is cold for a worker, and would be warmed over.
Two workers would so take turns for ever, after a file was changed on one machine only. Therefore
the one that was started last has the say, since it has read its configuration last; the others
leave such a snapshot alone for as long as it lives and that worker does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple

from warmcube.entry.manifest import FORMAT
from warmcube.jobs.workers import WorkerCard
from warmcube.model.schema import Datasource

__all__ = ["digest_of", "senior_of", "why_left"]


def digest_of(datasource: Datasource, seal: str) -> str:
    """The same wherever configuration and version of warmcube can read each other's snapshots.

    Args:
        datasource: as configured.
        seal: the name of the one that values bear.
    """
    facts = [FORMAT, seal, datasource.source, datasource.table, astuple(datasource.roles)]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()


def senior_of(card: WorkerCard, others: Iterable[WorkerCard], datasource: int) -> WorkerCard | None:
    """The worker to which another one leaves what was made under another configuration.

    Args:
        card: of the one that may leave it.
        others: those that are alive.
        datasource: the data source.

    Returns:
        the one that was started last of those that look after the data source; None if that has
        the same configuration, or none was started later.
    """
    own = card.configurations.get(datasource)
    rivals = [
        each
        for each in others
        if each.id != card.id and datasource in each.configurations and not each.is_ending
    ]
    last = max(rivals, key=_rank, default=None)
    if last is None or _rank(last) < _rank(card) or last.configurations[datasource] == own:
        return None
    return last


def _rank(card: WorkerCard) -> tuple[bool, int, str]:
    # Whoever comes every ten minutes isn't the last to have been configured each time.
    return not card.is_once, card.since_ms, card.id


def why_left(senior: WorkerCard) -> str:
    """Why a snapshot is left alone, and what to do."""
    return (
        f"its snapshot was made under another configuration or by another version of warmcube than "
        f"this worker's, and {senior.host} process {senior.process} (warmcube {senior.version}), "
        "which was started later, keeps it warm; give both the same configuration and restart them"
    )
