"""Audit events of every kind, and lines that are checked against the documented schema."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from warmcube.audit.events import (
    AuditEvent,
    BlockedFilter,
    Denied,
    DirectoryChanged,
    DirectoryRead,
    Dropped,
    EmbedMinted,
    EmbedRevoked,
    EmptyGrant,
    EntryInspected,
    Exported,
    Granted,
    Invalidated,
    PasswordChanged,
    SignedIn,
    SignedOut,
    SnapshotSteered,
    Verified,
    Warmed,
)
from warmcube.audit.listed import Listed, listed_ids
from warmcube.audit.reasons import DenialReason, EmptyReason
from warmcube.audit.request import Because, Condition, Request

__all__ = ["EVENTS", "NOON", "SCHEMA_FILE", "a_denial", "a_grant", "read_line", "read_lines"]

SCHEMA_FILE = Path(__file__).parents[2] / "docs/reference/audit.schema.json"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHO: dict[str, Any] = {"actor": "cli:op", "subject": "ana"}
REQUEST = Request(
    action="query",
    datasource=1,
    measure="Charges",
    frequency="Monthly",
    organization="north",
    practices=Listed((101, "102"), 2),
    providers=Listed(tuple(range(20)), 5000),
    conditions=Listed((Condition(column="note", operator="like"),), 1),
)
RIGHTS = Listed((Because(role="analyst", permission="analytics:read:all", organization=None),), 1)

EVENTS: dict[str, AuditEvent] = {
    "granted": Granted(
        **WHO,
        request=REQUEST,
        because=RIGHTS,
        directory="v1",
        origin="store",
        snapshot="7-abc",
        rows=240,
    ),
    "granted, nothing named": Granted(**WHO, request=Request(action="authorize")),
    "empty grant": EmptyGrant(
        **WHO, reason=EmptyReason.NO_PRACTICES, request=REQUEST, because=RIGHTS, directory="v1"
    ),
    "denied": Denied(
        **WHO, reason=DenialReason.OTHER, detail="as yet unknown", request=Request(action="values")
    ),
    "denied, several": Denied(
        actor=None,
        subject=None,
        reason=DenialReason.UNKNOWN_USER,
        request=REQUEST,
        repeated=7,
        since=NOON,
        subjects=Listed(("a", "b"), 2),
    ),
    "blocked filter": BlockedFilter(
        **WHO, reason=DenialReason.PRACTICE_OUTSIDE, request=Request(action="query", datasource=1)
    ),
    "export begins": Exported(
        **WHO,
        outcome="allowed",
        phase="begin",
        export="e1",
        request=REQUEST,
        because=RIGHTS,
        directory="v1",
        format="csv",
        origin="database",
    ),
    "export ends": Exported(
        **WHO,
        outcome="failed",
        phase="end",
        export="e1",
        request=REQUEST,
        rows=12,
        error="SourceUnavailable",
    ),
    "warmed": Warmed(
        actor="cli:op",
        outcome="done",
        datasource=1,
        forced=True,
        snapshot="8-def",
        rows=10,
        entries=5,
        seconds=1.25,
    ),
    "not warmed": Warmed(actor="cli:op", outcome="failed", datasource=1, error="WarmMismatch"),
    "invalidated": Invalidated(
        actor="cli:op", outcome="done", datasource=1, was_live=True, keys=99
    ),
    "verified": Verified(
        actor="cli:op",
        outcome="done",
        datasource=1,
        snapshot="8-def",
        verdict="changed",
        findings=2,
        rows=10,
        seconds=0.5,
    ),
    "snapshot steered": SnapshotSteered(
        actor="cli:op",
        outcome="done",
        datasource=1,
        action="rollback",
        changed=True,
        snapshot="8-def",
    ),
    "entry inspected": EntryInspected(
        actor="test",
        subject="root",
        outcome="done",
        datasource=1,
        what="rows",
        measure="Charges",
        frequency="Monthly",
        practice="101",
        provider="~",
        snapshot="3-00000000000000aa",
        rows=4,
    ),
    "directory read": DirectoryRead(actor="test", subject="root", what="users", directory="v1"),
    "directory changed": DirectoryChanged(
        actor="library",
        outcome="done",
        source="access.toml",
        before="v1",
        after="v2",
        users=5,
        organizations=3,
        roles=2,
        defects=Listed(("users[0]: unknown role 'x'",), 1),
    ),
    "directory unreadable": DirectoryChanged(
        actor="library", outcome="failed", source="access.toml", before="v1", error="not there"
    ),
    "signed in": SignedIn(actor="service", subject="ana", by="password"),
    "signed out": SignedOut(actor="ana", subject="ana", sessions=2),
    "password changed": PasswordChanged(actor="cli:op", subject="ana", removed=False),
    "embed minted": EmbedMinted(
        actor="ana",
        subject="ana",
        embed="A" * 22,
        dashboard="sales",
        request=Request(action="embed", datasource=1, practices=listed_ids([101])),
        expires=NOON,
    ),
    "embed revoked": EmbedRevoked(actor="root", subject="ana", embed="A" * 22, dashboard="sales"),
    "not signed in": Denied(
        actor="service",
        subject=None,
        reason=DenialReason.WRONG_CREDENTIALS,
        request=Request(action="sign_in"),
    ),
    "dropped": Dropped(count=3, since=NOON),
}


def a_grant(subject: str = "ana") -> Granted:
    """A grant of somebody."""
    return Granted(actor="cli:op", subject=subject, request=Request(action="query", datasource=1))


def a_denial(
    subject: str | None = "ana",
    reason: DenialReason = DenialReason.NO_PERMISSION,
    *,
    actor: str = "cli:op",
    datasource: int | None = 1,
) -> Denied:
    """A denial of somebody."""
    return Denied(
        actor=actor,
        subject=subject,
        reason=reason,
        request=Request(action="query", datasource=datasource),
    )


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def read_line(line: bytes) -> dict[str, Any]:
    """What a line holds; it has to be one line, and as the documented schema says."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    tree = json.loads(line)
    assert [error.message for error in _validator().iter_errors(tree)] == []
    assert isinstance(tree, dict)
    return tree


def read_lines(data: bytes) -> list[dict[str, Any]]:
    """What the lines of a file hold."""
    return [read_line(line) for line in data.splitlines(keepends=True)]
