"""Everything that warmcube raises.

::

    WarmcubeError
    ├── ConfigError                what is configured can't be used
    ├── InvalidQuery               the request is wrong, whoever asks
    │   ├── UnknownDatasource      no such data source (for this user)
    │   ├── UnknownDashboard       no such dashboard (for this user)
    │   ├── UnknownColumn          no such column in the data source
    │   ├── MissingRole            needs a role column that the table lacks
    │   ├── InvalidFilter          a condition, id or date that can't be read
    │   ├── LimitExceeded          more than ``[limits]`` allow
    │   ├── UnknownJob             no such job, or one that is long over
    │   └── InvalidRequest         what holds the query can't be read (malformed, too large)
    ├── Unauthenticated            nobody knows who asks
    ├── TooManyAttempts            too many wrong passwords; try again later
    ├── IdentityUnavailable        the identity provider can't be asked
    ├── AccessDenied               this user may not ask for this
    ├── QueryTimeout               a query wasn't answered by its deadline
    ├── Overloaded                 too much is asked at once; try again later
    ├── ExportBroken               an export that broke off; what went out of it isn't whole
    ├── DirectoryError             the directory can't be read or has defects
    ├── AuditError                 the audit can't be written
    ├── SourceError                the database
    │   ├── SourceUnavailable      can't be reached
    │   ├── TableMismatch          table or column missing, type not usable
    │   └── UnsupportedValue       a value that can't be kept exactly
    ├── StoreError                 Redis or Valkey
    │   ├── StoreUnavailable       can't be reached, or doesn't answer
    │   ├── StoreRefused           answered with an error
    │   └── StoreTooSmall          the snapshot doesn't fit, or would be evicted
    ├── Damage                     a failed proof or checksum (internal: answered by the fallback)
    ├── InProgress                 somebody else is at it already
    │   ├── WarmInProgress         holds the lease; a WarmError, too
    │   └── VerifyInProgress       verifies it; a VerifyError, too
    ├── WarmError
    │   ├── WarmOutrun             what it was decided upon isn't so any more
    │   ├── WarmPinned             after a rollback, nobody asked for this warm
    │   ├── WarmFenced             the lease or the fence was lost on the way
    │   ├── WarmMismatch           what was written isn't what the source holds
    │   ├── WarmRefused            far fewer rows than before; needs ``--force``
    │   └── UnknownPartition       a refresh names what is nowhere
    ├── RollbackRefused            there is no earlier snapshot that can be served
    ├── VerifyError                what is to be verified never stays the same
    │   ├── NothingToVerify        it is cold, or switched off
    │   └── VerifyOutrun           what it was decided upon isn't so any more
    ├── ServeError                 the service can't listen, or its processes keep ending
    ├── EmbeddedError              an embedded server can't be started
    ├── ServiceError               a service answers otherwise than a client expects
    │   └── ServiceUnavailable     can't be reached, or doesn't answer in time
    └── NotUsable                  closed, forked, or called from where it would wait for itself

A message says what was wrong, with the value; what was expected; what to do. It never holds a
credential. ``exit_status`` is what the command line exits with.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AccessDenied",
    "AuditError",
    "ConfigError",
    "Damage",
    "DirectoryError",
    "EmbeddedError",
    "ExportBroken",
    "IdentityUnavailable",
    "InProgress",
    "InvalidFilter",
    "InvalidQuery",
    "InvalidRequest",
    "LimitExceeded",
    "MissingRole",
    "NotUsable",
    "NothingToVerify",
    "Overloaded",
    "QueryTimeout",
    "RollbackRefused",
    "ServeError",
    "ServiceError",
    "ServiceUnavailable",
    "SourceError",
    "SourceUnavailable",
    "StoreError",
    "StoreRefused",
    "StoreTooSmall",
    "StoreUnavailable",
    "TableMismatch",
    "TooManyAttempts",
    "Unauthenticated",
    "UnknownColumn",
    "UnknownDashboard",
    "UnknownDatasource",
    "UnknownJob",
    "UnknownPartition",
    "UnsupportedValue",
    "VerifyError",
    "VerifyInProgress",
    "VerifyOutrun",
    "WarmError",
    "WarmFenced",
    "WarmInProgress",
    "WarmMismatch",
    "WarmOutrun",
    "WarmPinned",
    "WarmRefused",
    "WarmcubeError",
]


class WarmcubeError(Exception):
    """The root: catch this to catch everything that warmcube raises on purpose."""

    exit_status = 1


class ConfigError(WarmcubeError):
    """The configuration can't be used; names file, key, value and what was expected."""

    exit_status = 2


class InvalidQuery(WarmcubeError):
    """The request itself is wrong, whoever asks."""

    exit_status = 2


class UnknownDatasource(InvalidQuery):
    """No such data source, or none that this user may know of: the words are the same."""


class UnknownDashboard(InvalidQuery):
    """No such dashboard, or none that this user may know of: the words are the same."""


class UnknownJob(InvalidQuery):
    """No such job: there never was one, or it ended so long ago that its record is gone."""


class UnknownColumn(InvalidQuery):
    """The data source has no such column."""


class MissingRole(InvalidQuery):
    """The query needs a role (measure, date, …) that the data source's table lacks."""


class InvalidFilter(InvalidQuery):
    """A condition, an id or a date that can't be read as its column's type."""


class LimitExceeded(InvalidQuery):
    """More than one of ``[limits]`` allows; the message names it."""


class InvalidRequest(InvalidQuery):
    """A request that never becomes a query: no JSON, the wrong type, too large, too deep.

    Args:
        message: what is wrong with it.
        status: the status of HTTP that says so.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Unauthenticated(WarmcubeError):
    """Nobody knows who asks: no credentials, or none that count.

    Args:
        message: for whoever asked; holds nothing of the credentials.
        code: which kind of credentials failed, and how, in one word; for logs and metrics.
    """

    exit_status = 3

    def __init__(self, message: str, *, code: str = "missing") -> None:
        super().__init__(message)
        self.code = code


class TooManyAttempts(WarmcubeError):
    """Somebody tried to sign in too often; says nothing of whether the user exists.

    Args:
        message: for whoever asked.
        retry_after: seconds after which the next attempt counts.
    """

    exit_status = 3

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class IdentityUnavailable(WarmcubeError):
    """The identity provider can't be reached, or answers what can't be used."""


class Overloaded(WarmcubeError):
    """Too much is asked at once.

    Args:
        message: which limit was met.
        retry_after: seconds after which it is worth another try.
    """

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueryTimeout(WarmcubeError):
    """A query wasn't answered by its deadline, ``[cache] query_timeout``."""

    @classmethod
    def at(cls, step: str, seconds: float) -> QueryTimeout:
        """For a query whose time ran out.

        Args:
            step: what it was doing, as in "reading the database".
            seconds: that it had in all.
        """
        return cls(
            f"the query wasn't answered in {seconds:.3g} s ([cache] query_timeout): its time ran "
            f"out while {step}; ask again, or for less at a time"
        )


class ExportBroken(WarmcubeError):
    """A streamed export that broke off: what went out isn't all, and has to be thrown away."""


class AccessDenied(WarmcubeError):
    """This user may not ask for this; never says whether what was named exists.

    Args:
        message: for whoever asked.
        reason: for the audit only: it may tell apart what the message must not.
    """

    exit_status = 3

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class DirectoryError(WarmcubeError):
    """The directory of users and organizations can't be read, or has defects."""


class AuditError(WarmcubeError):
    """The audit can't be written; where ``[audit] required = true``, there is no answer then."""


class SourceError(WarmcubeError):
    """Something about the database."""


class SourceUnavailable(SourceError):
    """The database can't be reached or broke off.

    Args:
        message: for whoever asked.
        is_unreachable: whether there was no connection to it at all.
    """

    def __init__(self, message: str, *, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.is_unreachable = is_unreachable


class TableMismatch(SourceError):
    """The table, a column, or a column's type isn't what the configuration needs."""


class UnsupportedValue(SourceError):
    """A value that can't be kept exactly; names the column, never rounds."""


class StoreError(WarmcubeError):
    """Something about Redis or Valkey."""


class StoreUnavailable(StoreError):
    """The store can't be reached, or didn't answer in time.

    Args:
        message: for whoever looks after it.
        is_unsent: whether for certain nothing was sent to it.
    """

    def __init__(self, message: str, *, is_unsent: bool = False) -> None:
        super().__init__(message)
        self.is_unsent = is_unsent


class StoreRefused(StoreError):
    """The store answered with an error."""


class StoreTooSmall(StoreError):
    """The snapshot doesn't fit, or the eviction policy would evict it."""


class Damage(WarmcubeError):
    """A failed proof or checksum; never reaches a user: the database answers instead.

    Attributes:
        partition: of which partition, a `warmcube.entry.keys.PartitionName`, where that is known;
            whoever knows it notes it.
        is_whole: whether it is of what all partitions share.
    """

    partition: Any = None
    is_whole = False


class InProgress(WarmcubeError):
    """Somebody else is at it already.

    Args:
        message: for whoever asked.
        by: who.
        since: since when, ISO 8601 in UTC; None if not known.
        job: the id of their job; None if there is only a lease.
        retry_after: seconds after which it is worth another try.
    """

    def __init__(
        self,
        message: str,
        *,
        by: str = "somebody",
        since: str | None = None,
        job: str | None = None,
        retry_after: float = 1.0,
    ) -> None:
        super().__init__(message)
        self.by = by
        self.since = since
        self.job = job
        self.retry_after = retry_after


class WarmError(WarmcubeError):
    """A warm that did not publish; the old snapshot, if any, goes on serving."""


class WarmInProgress(InProgress, WarmError):
    """Somebody else is warming this data source."""


class WarmOutrun(WarmError):
    """What was seen when a warm was decided upon isn't so any more: somebody was faster."""


class WarmPinned(WarmError):
    """Nobody asked for this warm, and after a rollback none but such a one may begin."""


class WarmFenced(WarmError):
    """The lease or the fence was lost on the way, so publishing was no longer allowed."""


class WarmMismatch(WarmError):
    """What was written or read back isn't what the source holds."""


class WarmRefused(WarmError):
    """The new snapshot would lose far too many rows; ``--force`` publishes it anyway."""


class UnknownPartition(WarmError):
    """What a refresh names is neither in the table nor in the live snapshot."""

    exit_status = 2


class RollbackRefused(WarmcubeError):
    """No earlier snapshot is kept, or the last one can't be served any more."""


class VerifyError(WarmcubeError):
    """What was to be verified is replaced each time before that is done."""


class NothingToVerify(VerifyError):
    """Nothing of the data source is live: it is cold, or switched off."""


class VerifyInProgress(InProgress, VerifyError):
    """Somebody else is verifying this data source."""


class VerifyOutrun(VerifyError):
    """What was seen when a verification was decided upon isn't so any more."""


class ServeError(WarmcubeError):
    """The service can't listen where it should, can't start, or its processes keep ending."""


class EmbeddedError(WarmcubeError):
    """An embedded server can't be started or stopped."""


class ServiceError(WarmcubeError):
    """A service of warmcube answers otherwise than its client expects, or has failed."""


class ServiceUnavailable(ServiceError):
    """The service can't be reached, or didn't answer in time."""


class NotUsable(WarmcubeError):
    """A cache or a client that isn't open, is another process's, or would wait for itself."""
