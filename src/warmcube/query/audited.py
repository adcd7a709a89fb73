"""What is audited of a read: the judgement that it was answered on, or why it was refused."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from warmcube.access.grant import Grant
from warmcube.access.reasons import Reason
from warmcube.audit.events import AuditEvent, Denied, EmptyGrant, Exported, Granted, denial
from warmcube.audit.listed import Listed, id_of
from warmcube.audit.reasons import empty_reason
from warmcube.audit.request import Because, Request, RequestAction, because, request_of
from warmcube.audit.trail import Trail
from warmcube.errors import WarmcubeError
from warmcube.query.asked import Asked, Wanted
from warmcube.query.judge import Judged
from warmcube.query.result import Meta

__all__ = ["audit_answer", "audit_at_once", "audit_export", "audit_export_end", "audit_refusal"]

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


def audit_at_once(trail: Trail, judged: Judged, meta: Meta) -> bool:
    """What `audit_answer` does, where nothing has to be waited for; whether it was done."""
    if judged.narrowed.purpose == "export":
        return False
    make = partial(_answered, judged, meta.origin, meta.snapshot, meta.rows)
    if not judged.is_brief:
        event = make()
        return trail.record_at_once(lambda: event)
    return trail.record_at_once(make)


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
    if judged.asked.purpose == "export" and not judged.narrowed.scope.is_empty:
        return Exported(
            outcome="allowed",
            phase="begin",
            export=secrets.token_hex(8),
            origin=origin,
            snapshot=snapshot,
            **_who(judged),
        )
    # Who is asked the same again and again says the same each time.
    last = judged.memo.get("event")
    if isinstance(last, _Told) and last[:3] == (origin, snapshot, rows):
        return last.event
    event: AuditEvent
    if judged.narrowed.scope.is_empty:
        reason = empty_reason(judged.asked.query, judged.narrowed)
        event = EmptyGrant(reason=reason, **_who(judged))
    else:
        event = Granted(origin=origin, snapshot=snapshot, rows=rows, **_who(judged))
    judged.memo["event"] = _Told(origin, snapshot, rows, event)
    return event


class _Told(NamedTuple):
    """What was told of an answer, and what it was made of beside the judgement."""

    origin: str
    snapshot: str | None
    rows: int | None
    event: AuditEvent


def _who(judged: Judged) -> dict[str, Any]:
    """The fields that follow from the judgement alone."""
    narrowed = judged.narrowed
    grant = narrowed.grant
    return {
        "actor": grant.actor,
        "subject": grant.user.id,
        "request": _request(judged.asked),
        "because": _because(grant, narrowed.reasons),
        "directory": grant.version,
    }


def _because(grant: Grant, reasons: tuple[Reason, ...]) -> Listed[Because]:
    """The rights that the grant rests on: they are the same for whatever it is asked for."""
    known = grant.memo.get("because")
    if isinstance(known, _Rights) and known.reasons is reasons:
        return known.listed
    listed = because(reasons)
    grant.memo["because"] = _Rights(reasons, listed)
    return listed


class _Rights(NamedTuple):
    """Some reasons, and the rights that they come from."""

    reasons: tuple[Reason, ...]
    listed: Listed[Because]


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
