"""What is audited: one frozen dataclass for each kind of event.

A field's annotation says what it is, and `warmcube.audit.schema` makes the JSON Schema of a line
from these. No event holds a value of a row or of a condition, or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from warmcube.audit.listed import EMPTY, Listed, id_of
from warmcube.audit.reasons import BLOCKED, DenialReason, EmptyReason, denial_reason
from warmcube.audit.request import Because, Request
from warmcube.errors import WarmcubeError

__all__ = [
    "EVENTS",
    "AuditEvent",
    "BlockedFilter",
    "Denied",
    "DirectoryChanged",
    "DirectoryRead",
    "Dropped",
    "EmbedMinted",
    "EmbedRevoked",
    "EmptyGrant",
    "EntryInspected",
    "Exported",
    "Granted",
    "Invalidated",
    "PasswordChanged",
    "SignedIn",
    "SignedOut",
    "SnapshotSteered",
    "Verified",
    "Warmed",
    "denial",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Somebody is given rows."""

    name: ClassVar[str] = "granted"

    outcome: Annotated[Literal["allowed"], "what came of it"] = "allowed"
    actor: Annotated[str, "who asked"]
    subject: Annotated[str, "whose rights count"]
    request: Request
    because: Annotated[Listed[Because], "the rights that the grant rests on"] = EMPTY
    directory: Annotated[str | None, "the version of the directory"] = None
    origin: Annotated[str | None, "where the answer came from"] = None
    snapshot: Annotated[str | None, "of which snapshot the answer is"] = None
    rows: Annotated[int | None, "how many rows the answer has"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyGrant:
    """Somebody may ask, and what they may see is nothing."""

    name: ClassVar[str] = "empty_grant"

    outcome: Annotated[Literal["empty"], "what came of it"] = "empty"
    reason: Annotated[EmptyReason, "why there is nothing"]
    actor: Annotated[str, "who asked"]
    subject: Annotated[str, "whose rights count"]
    request: Request
    because: Annotated[Listed[Because], "the rights that the grant rests on"] = EMPTY
    directory: Annotated[str | None, "the version of the directory"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Somebody is denied; several alike within a minute are one line after the first."""

    name: ClassVar[str] = "denied"

    outcome: Annotated[Literal["denied"], "what came of it"] = "denied"
    reason: Annotated[DenialReason, "why"]
    detail: Annotated[str | None, "what the reason leaves open"] = None
    actor: Annotated[str | None, "who asked; null for several"]
    subject: Annotated[str | None, "whose rights count; null for several, or if not known"]
    request: Request
    repeated: Annotated[int, "how many more like it this line stands for"] = 0
    since: Annotated[datetime | None, "the time of the first, where it stands for several"] = None
    subjects: Annotated[
        Listed[str] | None, "the first of the users that it stands for, where they differ"
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedFilter(Denied):
    """Somebody named an organization, a practice or a provider that isn't theirs to name."""

    name: ClassVar[str] = "blocked_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An export begins or ends; a stream has a line for both, with the same `export`."""

    name: ClassVar[str] = "exported"

    outcome: Annotated[
        Literal["allowed", "done", "failed"], "allowed at the beginning; what came of it at the end"
    ]
    phase: Annotated[Literal["begin", "end"], "which end of the export"]
    export: Annotated[str, "an id that the two lines of one export share"]
    actor: Annotated[str, "who asked"]
    subject: Annotated[str, "whose rights count"]
    request: Request
    because: Annotated[Listed[Because], "the rights that the grant rests on"] = EMPTY
    directory: Annotated[str | None, "the version of the directory"] = None
    format: Annotated[str | None, "such as csv"] = None
    origin: Annotated[str | None, "where the answer came from"] = None
    snapshot: Annotated[str | None, "of which snapshot it is"] = None
    rows: Annotated[int | None, "how many rows went out, at the end"] = None
    error: Annotated[str | None, "the kind of error that ended it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody proved who they are, and has a session."""

    name: ClassVar[str] = "signed_in"

    outcome: Annotated[Literal["done"], "what came of it"] = "done"
    actor: Annotated[str, "who let them in"]
    subject: Annotated[str, "who signed in"]
    by: Annotated[Literal["password", "oidc"], "how they proved who they are"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """Somebody ended their session, or all of theirs."""

    name: ClassVar[str] = "signed_out"

    outcome: Annotated[Literal["done"], "what came of it"] = "done"
    actor: Annotated[str, "who did it"]
    subject: Annotated[str, "whose sessions ended"]
    sessions: Annotated[int, "how many of them"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged:
    """Somebody has a new password, or none any more; their sessions end."""

    name: ClassVar[str] = "password_changed"

    outcome: Annotated[Literal["done"], "what came of it"] = "done"
    actor: Annotated[str, "who did it"]
    subject: Annotated[str, "whose password"]
    removed: Annotated[bool, "whether there is none any more"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedMinted:
    """Somebody made a token that shows one dashboard in another site, under their rights."""

    name: ClassVar[str] = "embed_minted"

    outcome: Annotated[Literal["allowed"], "what came of it"] = "allowed"
    actor: Annotated[str, "who asked"]
    subject: Annotated[str, "whose rights count when it is used"]
    embed: Annotated[str, "the id of the token; never the token"]
    dashboard: Annotated[str, "the id of the dashboard"]
    request: Request
    expires: Annotated[datetime, "when it ends"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRevoked:
    """Somebody ended a token of an embed before its time."""

    name: ClassVar[str] = "embed_revoked"

    outcome: Annotated[Literal["done"], "what came of it"] = "done"
    actor: Annotated[str, "who asked"]
    subject: Annotated[str, "whose embed it was"]
    embed: Annotated[str, "the id of the token"]
    dashboard: Annotated[str, "the id of the dashboard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """A data source was warmed, or was not."""

    name: ClassVar[str] = "warmed"

    outcome: Annotated[Literal["done", "failed"], "what came of it"]
    actor: Annotated[str, "who asked"]
    datasource: Annotated[int, "the id of the data source"]
    why: Annotated[str | None, "why: asked for, cold, aging, scheduled, or damage"] = None
    forced: Annotated[bool, "whether to publish although most rows are gone"] = False
    snapshot: Annotated[str | None, "the snapshot that is live now"] = None
    rows: Annotated[int | None, "how many rows it holds"] = None
    entries: Annotated[int | None, "how many entries it holds"] = None
    seconds: Annotated[float | None, "how long it took"] = None
    error: Annotated[str | None, "the kind of error that ended it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalidated:
    """A data source's snapshot was taken away, or could not be."""

    name: ClassVar[str] = "invalidated"

    outcome: Annotated[Literal["done", "failed"], "what came of it"]
    actor: Annotated[str, "who asked"]
    datasource: Annotated[int, "the id of the data source"]
    was_live: Annotated[bool | None, "whether there was a snapshot"] = None
    keys: Annotated[int | None, "how many keys were removed"] = None
    error: Annotated[str | None, "the kind of error that ended it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSteered:
    """A data source was rolled back, unpinned, disabled or enabled, or could not be."""

    name: ClassVar[str] = "snapshot_steered"

    outcome: Annotated[Literal["done", "failed"], "what came of it"]
    actor: Annotated[str, "who asked"]
    datasource: Annotated[int, "the id of the data source"]
    action: Annotated[Literal["rollback", "unpin", "disable", "enable"], "what was asked for"]
    changed: Annotated[bool | None, "whether it wasn't so already"] = None
    snapshot: Annotated[str | None, "the snapshot that is live then, or behind the switch"] = None
    error: Annotated[str | None, "the kind of error that ended it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A data source's snapshot was compared with its database, or could not be."""

    name: ClassVar[str] = "verified"

    outcome: Annotated[Literal["done", "failed"], "what came of it"]
    actor: Annotated[str, "who asked"]
    datasource: Annotated[int, "the id of the data source"]
    snapshot: Annotated[str | None, "the snapshot that was verified"] = None
    verdict: Annotated[
        Literal["equal", "changed", "differs", "wrong", "damaged"] | None,
        "equal, or how it differs; damaged if the store doesn't hold what was written",
    ] = None
    findings: Annotated[int | None, "how many differences were found"] = None
    rows: Annotated[int | None, "how many rows of the cache were read"] = None
    seconds: Annotated[float | None, "how long it took"] = None
    error: Annotated[str | None, "the kind of error that ended it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInspected:
    """Somebody who looks after the cache looked at one entry, or at which ones there are."""

    name: ClassVar[str] = "entry_inspected"

    outcome: Annotated[Literal["done", "failed"], "failed if there is no such entry, or damage"]
    actor: Annotated[str, "who asked"]
    subject: Annotated[str, "whose rights count"]
    datasource: Annotated[int, "the id of the data source"]
    what: Annotated[
        Literal["entry", "rows", "list"], "its figures; its rows too; which entries there are"
    ]
    measure: Annotated[str | None, 'the measure; "~" for rows without one'] = None
    frequency: Annotated[str | None, 'the frequency; "~" for rows without one'] = None
    practice: Annotated[str | None, 'the practice; "~" for rows without one'] = None
    provider: Annotated[str | None, 'the provider; "~" for rows without one'] = None
    snapshot: Annotated[str | None, "of which snapshot"] = None
    rows: Annotated[int | None, "how many rows were shown"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRead:
    """Somebody looked through the directory; whom they had explained is `granted` or `denied`."""

    name: ClassVar[str] = "directory_read"

    outcome: Annotated[Literal["done"], "what came of it"] = "done"
    actor: Annotated[str, "who asked"]
    subject: Annotated[str, "whose rights count"]
    what: Annotated[Literal["organizations", "users", "defects"], "what was listed"]
    directory: Annotated[str | None, "the version of the directory"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryChanged:
    """Another directory is in force, the one that is has defects, or it can't be read."""

    name: ClassVar[str] = "directory_changed"

    outcome: Annotated[Literal["done", "failed"], "failed if it isn't in force"]
    actor: Annotated[str, "who runs the process that reads it"]
    source: Annotated[str, "where it is kept"]
    before: Annotated[str | None, "the version that was in force"] = None
    after: Annotated[str | None, "the version that is in force now"] = None
    users: Annotated[int | None, "how many users it has"] = None
    organizations: Annotated[int | None, "how many organizations it has"] = None
    roles: Annotated[int | None, "how many roles it has"] = None
    defects: Annotated[Listed[str], "what is wrong with it"] = EMPTY
    error: Annotated[str | None, "why it can't be read"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Events were lost, since the sink took none for too long."""

    name: ClassVar[str] = "dropped"

    outcome: Annotated[Literal["failed"], "what came of it"] = "failed"
    actor: Annotated[str, "always warmcube itself"] = "warmcube"
    count: Annotated[int, "how many events"]
    since: Annotated[datetime, "when the first of them happened"]


AuditEvent: TypeAlias = (
    Granted
    | EmptyGrant
    | Denied
    | BlockedFilter
    | Exported
    | Warmed
    | Invalidated
    | SnapshotSteered
    | Verified
    | EntryInspected
    | DirectoryRead
    | DirectoryChanged
    | SignedIn
    | SignedOut
    | PasswordChanged
    | EmbedMinted
    | EmbedRevoked
    | Dropped
)
EVENTS: Final[tuple[type[AuditEvent], ...]] = (
    Granted,
    EmptyGrant,
    Denied,
    BlockedFilter,
    Exported,
    Warmed,
    Invalidated,
    SnapshotSteered,
    Verified,
    EntryInspected,
    DirectoryRead,
    DirectoryChanged,
    SignedIn,
    SignedOut,
    PasswordChanged,
    EmbedMinted,
    EmbedRevoked,
    Dropped,
)
"""All of them."""


def denial(error: WarmcubeError, *, actor: str, subject: object, request: Request) -> Denied:
    """The event of an error that denies.

    That is `AccessDenied`, `UnknownDatasource` or `DirectoryError`; of who signs in,
    `Unauthenticated` or `TooManyAttempts`.

    Args:
        error: as it was raised.
        actor: who asked.
        subject: the user as named, or as the grant says; None if there is neither.
        request: what for.
    """
    reason, detail = denial_reason(error)
    kind = BlockedFilter if reason in BLOCKED else Denied
    return kind(
        reason=reason,
        detail=detail,
        actor=actor,
        subject=None if subject is None else str(id_of(subject)),
        request=request,
    )
