"""What is audited of the directory: which one is in force, and why another isn't."""

from __future__ import annotations

from warmcube.access.directory import Directory
from warmcube.access.survey import Survey
from warmcube.audit.events import DirectoryChanged
from warmcube.audit.listed import listed_texts
from warmcube.audit.trail import Trail
from warmcube.errors import DirectoryError

__all__ = ["audit_directory", "audit_no_directory"]


def audit_directory(
    trail: Trail, actor: str, source: str, before: Directory | None, after: Survey
) -> None:
    """Have it written that another directory is in force, with its defects.

    Args:
        trail: where to.
        actor: who runs the process that reads it.
        source: where it is kept.
        before: the one that was in force, if there was one.
        after: the one that is now.
    """
    found = after.directory
    trail.note(
        DirectoryChanged(
            outcome="done",
            actor=actor,
            source=source,
            before=None if before is None else before.version,
            after=None if found is None else found.version,
            users=None if found is None else len(found.users),
            organizations=None if found is None else len(found.organizations),
            roles=None if found is None else len(found.roles),
            defects=listed_texts(after.defects),
        )
    )


def audit_no_directory(trail: Trail, actor: str, source: str, error: DirectoryError) -> None:
    """Have it written that the directory can't be read, or is refused."""
    trail.note(DirectoryChanged(outcome="failed", actor=actor, source=source, error=str(error)))
