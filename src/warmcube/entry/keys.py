"""Every key that warmcube writes, and the parsing of what comes back.

A component is percent-encoded: RFC 3986's unreserved characters stay, every other byte of its
UTF-8 form becomes ``%XX``. NULL is ``~``, and a literal ``~`` is encoded although RFC 3986 would
let it stay. So no value can end its component, close the hash tag, or look like NULL, and two
different tuples never give the same key.

The member of an index set is an entry's suffix, ``p:<practice>:prov:<provider>``, with
``:part:<k>`` (k from 1) for the further parts of an entry that is too large for one value.

What adds up over a practice's entries lies under ``p:<practice>:sums``, over a partition's under
``sums``, in the place of a member. No component holds a colon, so no entry's key can look so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from warmcube.errors import Damage

__all__ = [
    "SERVICE_KEYS",
    "WORKER_KEYS",
    "Keys",
    "Member",
    "PartitionKeys",
    "PartitionName",
    "Version",
    "decode_component",
    "encode_component",
    "is_of_partition",
    "member_of",
    "parse_field",
    "parse_member",
    "practice_field",
    "provider_field",
]

NULL_MARK: Final = "~"
SERVICE_KEYS: Final = b"cache:meta:service:"
"""What the processes of a service share begins so, behind the namespace; no data source's does."""

WORKER_KEYS: Final = b"cache:meta:{workers}"
"""The key of the set of workers, behind the namespace; with a colon and an id, of one of them."""

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_ESCAPES: Final = tuple(chr(b) if b in _UNRESERVED else f"%{b:02X}" for b in bytes(range(256)))
_LONGEST_KEPT: Final = 100
_MOST_KEPT: Final = 1 << 16
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]*\Z")
_COMPONENT: Final = rb"((?:[A-Za-z0-9._-]|%[0-9A-F]{2})*|~)"
_MEMBER: Final = re.compile(
    rb"p:" + _COMPONENT + rb":prov:" + _COMPONENT + rb"(?::part:([1-9][0-9]{0,8}))?\Z"
)
_VERSION: Final = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{16})\Z")


def encode_component(value: str | None) -> str:
    """The form of one value inside a key; None is NULL."""
    if value is None:
        return NULL_MARK
    if _PLAIN.match(value):
        return value
    return "".join([_ESCAPES[b] for b in value.encode()])


def decode_component(text: str | bytes) -> str | None:
    """The value that `encode_component` was given.

    Raises:
        Damage: if this can't have come out of `encode_component`.
    """
    raw = text.encode() if isinstance(text, str) else text
    if raw == b"~":
        return None
    # What isn't UTF-8 becomes U+FFFD, whose encoding is another.
    value = unquote_to_bytes(raw).decode(errors="replace")
    if encode_component(value).encode() != raw:
        raise Damage(f"a key component isn't canonically encoded ({len(raw)} bytes)")
    return value


class Version(NamedTuple):
    """An opaque, never reused number of a snapshot: fencing number plus 64 random bits."""

    fence: int
    token: str

    def __str__(self) -> str:
        return f"{self.fence}-{self.token}"

    @classmethod
    def parse(cls, text: str | bytes) -> Version:
        """The version that prints as `text`.

        Raises:
            Damage: if none does.
        """
        found = _VERSION.match(text if isinstance(text, str) else text.decode(errors="replace"))
        if found is None:
            raise Damage("a snapshot version can't be read")
        return cls(int(found[1]), found[2])


class PartitionName(NamedTuple):
    """A partition: canonical measure and frequency, None where NULL or where the role lacks.

    A tuple, since every read looks for things by it.
    """

    measure: str | None
    frequency: str | None

    @property
    def is_long(self) -> bool:
        """Whether too much would be kept for it by who bounds only how many names are kept."""
        return len(self.measure or "") + len(self.frequency or "") > _LONGEST_KEPT


class Member(NamedTuple):
    """A parsed member of an index set; a tuple, since a read makes thousands."""

    practice: str | None
    provider: str | None
    part: int = 0


def member_of(practice: str | None, provider: str | None, part: int = 0) -> bytes:
    """The member that stands for one entry, or one further part of it."""
    text = f"p:{encode_component(practice)}:prov:{encode_component(provider)}"
    return (f"{text}:part:{part}" if part else text).encode()


def parse_member(member: bytes) -> Member:
    """What a member names.

    Raises:
        Damage: if it isn't a member that `member_of` builds.
    """
    found = _MEMBER.match(member)
    if found is None:
        raise Damage(f"an index member can't be read ({len(member)} bytes)")
    practice, provider, part = found.groups()
    number = int(part) if part else 0
    if b"%" not in member and b"~" not in member:  # nothing is encoded: the common case
        return Member(practice.decode(), provider.decode(), number)
    return Member(decode_component(practice), decode_component(provider), number)


class PartitionKeys:
    """The keys of one version of one partition; all lie in one cluster slot."""

    __slots__ = ("all", "counts", "entry_prefix", "set_prefix")

    def __init__(self, namespace: str, datasource: int, name: PartitionName, version: str) -> None:
        tag = (
            f"{{ds:{datasource}:m:{encode_component(name.measure)}"
            f":freq:{encode_component(name.frequency)}}}"
        )
        base = f"{namespace}idx:{tag}:v{version}"
        self.all: Final = base.encode()
        self.counts: Final = f"{base}:counts".encode()
        self.set_prefix: Final = f"{base}:".encode()
        self.entry_prefix: Final = f"{namespace}cache:{tag}:v{version}:".encode()

    def entry(self, member: bytes) -> bytes:
        """The key of the entry that a member names."""
        return self.entry_prefix + member

    def set(self, field: bytes) -> bytes:
        """The key of the index set that `counts` has under `field`."""
        return self.set_prefix + field

    def sums(self, field: bytes) -> bytes:
        """The key of the sums of the practice that `counts` has under `field`."""
        return b"%b%b:sums" % (self.entry_prefix, field)

    def bin(self, number: int) -> bytes:
        """The key of a bin of ``counts``: see `warmcube.entry.counts.bins_of`."""
        return b"%b:%d" % (self.counts, number)

    def bins(self, among: int) -> list[bytes]:
        """The keys of all bins, of which there are so many."""
        return [self.bin(number) for number in range(among)]

    @property
    def whole_sums(self) -> bytes:
        """The key of the sums of the whole partition."""
        return self.entry_prefix + b"sums"


class _Fields(dict[str | None, bytes]):
    """Fields of ``counts`` by what they name, those that aren't long kept; asked for like a dict,
    since a read asks for thousands.

    Args:
        kind: what they begin with.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, named: str | None) -> bytes:
        field = f"{self._kind}:{encode_component(named)}".encode()
        if named is None or len(named) <= _LONGEST_KEPT:  # whoever asks can make up long ones
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[named] = field
        return field


practice_field: Final[Callable[[str | None], bytes]] = _Fields("p").__getitem__
"""Names a practice's index set, in its key and in `counts`."""

provider_field: Final[Callable[[str | None], bytes]] = _Fields("prov").__getitem__
"""Names a provider's index set, in its key and in `counts`."""


def parse_field(field: bytes) -> tuple[Literal["practice", "provider"], str | None]:
    """What `practice_field` or `provider_field` named.

    Raises:
        Damage: if neither did.
    """
    kind, colon, component = field.partition(b":")
    if colon and kind == b"p":
        return "practice", decode_component(component)
    if colon and kind == b"prov":
        return "provider", decode_component(component)
    raise Damage(f"a field of a partition's counts can't be read ({len(field)} bytes)")


def is_of_partition(key: bytes) -> bool:
    """Whether a key belongs to one version of one partition, and so never changes once written.

    Behind the hash tag of all other keys stands a colon and a word.
    """
    return b"}:v" in key


class Keys:
    """The keys of one data source that belong to no partition; all lie in one cluster slot.

    But for ``reservations``, which all data sources share.
    """

    __slots__ = (
        "carrying",
        "channel",
        "current",
        "damage",
        "datasource",
        "ends",
        "fence",
        "figures",
        "figures_coarse",
        "history",
        "job",
        "jobs",
        "jobs_order",
        "kept",
        "last_warm",
        "lock",
        "master",
        "namespace",
        "outlook",
        "pin",
        "reservations",
        "tally",
        "verifications",
        "verifications_order",
        "verified",
        "verifying",
    )

    def __init__(self, namespace: str, datasource: int) -> None:
        tag = f"{{ds:{datasource}}}"
        meta = f"{namespace}cache:meta:{tag}"
        self.namespace: Final = namespace
        self.datasource: Final = datasource
        self.master: Final = f"{namespace}idx:{tag}:master".encode()
        self.carrying: Final = f"{meta}:carrying".encode()
        self.current: Final = f"{meta}:current".encode()
        self.damage: Final = f"{meta}:damage".encode()
        self.ends: Final = f"{meta}:ends".encode()
        self.fence: Final = f"{meta}:fence".encode()
        self.figures: Final = f"{meta}:figures".encode()
        self.figures_coarse: Final = f"{meta}:figures:coarse".encode()
        self.tally: Final = f"{meta}:figures:tally".encode()
        self.history: Final = f"{meta}:history".encode()
        self.job: Final = f"{meta}:job".encode()
        self.jobs: Final = f"{meta}:jobs".encode()
        self.jobs_order: Final = f"{meta}:jobs:order".encode()
        self.outlook: Final = f"{meta}:outlook".encode()
        self.kept: Final = f"{meta}:kept".encode()
        self.pin: Final = f"{meta}:pin".encode()
        self.last_warm: Final = f"{meta}:last_warm".encode()
        self.verifying: Final = f"{meta}:verifying".encode()
        self.verifications: Final = f"{meta}:verifications".encode()
        self.verifications_order: Final = f"{meta}:verifications:order".encode()
        self.verified: Final = f"{meta}:verified".encode()
        self.lock: Final = f"{namespace}lock:{tag}:warm".encode()
        self.channel: Final = f"{meta}:published".encode()
        self.reservations: Final = f"{namespace}cache:meta:{{reservations}}".encode()

    def _meta(self, rest: str) -> bytes:
        return f"{self.namespace}cache:meta:{{ds:{self.datasource}}}:{rest}".encode()

    def manifest(self, version: str) -> bytes:
        return self._meta(f"snapshot:{version}")

    def retired(self, version: str) -> bytes:
        """Marks a snapshot whose keys are about to go: it must not be served or kept again."""
        return self._meta(f"retired:{version}")

    def uses(self, version: str) -> bytes:
        """How often a snapshot was asked: hits and misses."""
        return self._meta(f"uses:{version}")

    def dictionary(self, column: str, version: str, chunk: int) -> bytes:
        return self._meta(f"dict:{encode_component(column)}:v{version}:{chunk}")

    def partition(self, name: PartitionName, version: str) -> PartitionKeys:
        if name.is_long:
            return PartitionKeys(self.namespace, self.datasource, name, version)
        return _partition_keys(self.namespace, self.datasource, name, version)


@lru_cache(1 << 10)
def _partition_keys(
    namespace: str, datasource: int, name: PartitionName, version: str
) -> PartitionKeys:
    return PartitionKeys(namespace, datasource, name, version)
