"""What is audited of a read: the judgement that it was answered on, or why it was refused."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from warmcube.access.grant import Grant
from warmcube.audit.events import AuditEvent, Denied, EmptyGrant, Exported, Granted, denial
from warmcube.audit.listed import id_of
from warmcube.audit.reasons import empty_reason
from warmcube.audit.request import Request, RequestAction, because, request_of
from warmcube.audit.trail import Trail
from warmcube.errors import WarmcubeError
from warmcube.query.asked import Asked, Wanted
from warmcube.query.judge import Judged
from warmcube.query.result import Meta

__all__ = ["audit_answer", "audit_export", "audit_export_end", "audit_refusal"]

_ACTIONS: Final[Mapping[Wanted, RequestAction]] = {
    "rows": "query",
    "values": "values",
    "measures": "measures",
}


async def audit_answer(trail: Trail, judged: Judged, meta: Meta) -> None:
    """Have it written that an answer is given, before it is.

    An export has two lines: that it is allowed, and, since a whole answer is given at once, that it
    is done.

    Raises:
        AuditError: it has to be written, and can't be.
    """
    event = _answered(judged, meta.origin, meta.snapshot, meta.rows)
    await trail.record(event)
    if isinstance(event, Exported):
        audit_export_end(trail, event, meta.rows, None)


async def audit_export(
    trail: Trail, judged: Judged, origin: str, snapshot: str | None, format: str
) -> Exported | None:
    """Have it written that an export begins, before it does.

    Returns:
        the event, for `audit_export_end`; None where there is nothing to export.

    Raises:
        AuditError: it has to be written, and can't be.
    """
    event = _answered(judged, origin, snapshot, rows=None)
    if isinstance(event, Exported):
        event = replace(event, format=format)
    await trail.record(event)
    return event if isinstance(event, Exported) else None


def audit_export_end(trail: Trail, begun: Exported, rows: int, error: str | None) -> None:
    """Have it written that an export has ended.

    Args:
        trail: where.
        begun: what `audit_export` gave.
        rows: how many rows went out.
        error: the kind of error that ended it; None if all went out.
    """
    outcome: Literal["done", "failed"] = "done" if error is None else "failed"
    trail.note(replace(begun, phase="end", outcome=outcome, rows=rows, error=error))


def audit_refusal(trail: Trail, asked: Asked, grant: object, error: WarmcubeError) -> None:
    """Have it written that a read was refused."""
    trail.note(_refused(asked, grant if type(grant) is Grant else None, error))


def _answered(judged: Judged, origin: str, snapshot: str | None, rows: int | None) -> AuditEvent:
    narrowed = judged.narrowed
    grant = narrowed.grant
    who: dict[str, Any] = {
        "actor": grant.actor,
        "subject": grant.user.id,
        "request": _request(judged.asked),
        "because": because(narrowed.reasons),
        "directory": grant.version,
    }
    if narrowed.scope.is_empty:
        return EmptyGrant(reason=empty_reason(judged.asked.query, narrowed), **who)
    if judged.asked.purpose == "export":
        return Exported(
            outcome="allowed",
            phase="begin",
            export=secrets.token_hex(8),
            origin=origin,
            snapshot=snapshot,
            **who,
        )
    return Granted(origin=origin, snapshot=snapshot, rows=rows, **who)


def _refused(asked: Asked, grant: Grant | None, error: WarmcubeError) -> Denied:
    return denial(
        error,
        actor="unknown" if grant is None else grant.actor,
        subject=None if grant is None else grant.user.id,
        request=_request(asked),
    )


def _request(asked: Asked) -> Request:
    action = _ACTIONS[asked.wanted] if asked.purpose == "read" else asked.purpose
    found = request_of(asked.query, action)
    return found if asked.column is None else replace(found, column=str(id_of(asked.column)))
