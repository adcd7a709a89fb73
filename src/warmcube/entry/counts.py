"""The ``counts`` of a partition: the proof that an index lookup is complete.

They are hashes: ``counts`` itself has the practices' fields, and its bins have the providers',
who are many. A hash of few short values is one string of bytes in the server, in which a field
takes a third of what it takes in a larger hash.

Every practice and provider with rows has a field, named like its
index set's suffix (``p:114``, ``prov:5``, ``p:~``); its value is the number of members, and where
these are few, the members themselves instead of a set of their own: for a practice their
providers, for a provider their practices, each with ``/k`` for part k. A set of its own has a fold
of its members there: the number of them alone wouldn't tell a member from another put in its place.
A ``+`` before the number says that the practice has sums. The value is sealed with the key of
``counts`` and the field's name.

In each of these hashes a field ``total``, written last and sealed with the hash's key, holds how
many entries (parts included), rows, practices and providers the partition has, how many practices
have sums (`warmcube.entry.sums`), and how many fields there are in this hash. So a lost field is
told from a practice or a provider without rows.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from xxhash import xxh3_64_intdigest

from warmcube.entry.seal import Seal, seal, unseal
from warmcube.errors import Damage

__all__ = [
    "INLINE_MEMBERS",
    "TOTAL",
    "SetCount",
    "Total",
    "bin_of",
    "bins_of",
    "fold",
    "member_from",
    "pack_set",
    "pack_total",
    "unpack_set",
    "unpack_size",
    "unpack_total",
]

TOTAL: Final = b"total"
INLINE_MEMBERS: Final = 16
"""Sets up to this size live inside ``counts``; most sets are so small, and each Redis set of its
own would cost 300 to 700 bytes."""

BIN: Final = 128
"""At most about so many providers are in a bin of ``counts``: it is walked to find one."""

_SET: Final = re.compile(rb"(\+?)([0-9]+)(?:#([0-9a-f]+)|:(.*))\Z", re.DOTALL)
_TOTAL: Final = struct.Struct("<QQQQQQ")
_HAS_SUMS: Final = b"+"


class Total(NamedTuple):
    """What a partition holds in all, and how many fields the hash has in which this stands."""

    entries: int
    rows: int
    practices: int
    providers: int
    sums: int  # how many practices have them
    fields: int  # of the hash, ``total`` included


class SetCount(NamedTuple):
    """What ``counts`` says of one index set; a tuple, since a lookup makes many.

    `members` is None where a set of its own has them; then `folded` is their `fold`. `has_sums`
    is for practices only.
    """

    size: int
    members: tuple[bytes, ...] | None
    folded: int = 0
    has_sums: bool = False


def fold(key: bytes, members: Iterable[bytes], using: Seal) -> int:
    """One number for some members in any order; that of several disjoint sets is their XOR.

    Args:
        key: of ``counts``.
        members: whole ones.
        using: the seal; whoever doesn't know its secret can't find other members with this fold.
    """
    folded = 0
    for member in members:
        folded ^= int.from_bytes(using(key, member), "little")
    return folded


def bins_of(entries: int) -> int:
    """In how many bins the providers' fields of a partition lie, by the number of its entries.

    There are no more providers than entries; and how many entries there are is known before the
    first count is written, and to whoever removes what a crash has left.

    Returns:
        a power of two, so that all providers of one bucket of `warmcube.warm.index` lie in few.
    """
    return 1 << (max(0, entries - 1) // BIN).bit_length()


def bin_of(provider: bytes, among: int) -> int:
    """Which of the bins has a provider's field.

    Args:
        provider: encoded, as it stands in the field.
        among: how many bins there are.
    """
    return xxh3_64_intdigest(provider) % among


def pack_total(key: bytes, total: Total, using: Seal) -> bytes:
    """The value of the field ``total``.

    Args:
        key: of ``counts`` or a bin.
        total: what to pack.
        using: the seal.
    """
    body = _TOTAL.pack(*total)
    return seal(using, key + b" " + TOTAL, body)


def unpack_total(key: bytes, value: bytes | None, using: Seal) -> Total:
    """What `pack_total` packed.

    Raises:
        Damage: if it is missing or altered.
    """
    body = unseal(using, key + b" " + TOTAL, value, "the total of a partition")
    if len(body) != _TOTAL.size:
        raise Damage("the total of a partition can't be read")
    return Total(*_TOTAL.unpack(body))


def pack_set(
    key: bytes, field: bytes, others: Sequence[bytes], using: Seal, *, has_sums: bool = False
) -> bytes:
    """The value of one practice's or provider's field.

    Args:
        key: of ``counts``, whichever hash the field lies in.
        field: ``p:<practice>`` or ``prov:<provider>``.
        others: the encoded other component of each member, ``/k`` appended for part k.
        using: the seal.
        has_sums: whether it is a practice with sums.
    """
    body = b"%b%d" % (_HAS_SUMS if has_sums else b"", len(others))
    if len(others) <= INLINE_MEMBERS:
        body += b":" + b",".join(others)
    else:
        folded = fold(key, (member_from(field, other) for other in others), using)
        body += b"#%x" % folded
    return seal(using, key + b" " + field, body)


def unpack_set(key: bytes, field: bytes, value: bytes, using: Seal) -> SetCount:
    """What `pack_set` packed, with whole members.

    Raises:
        Damage: if it is altered.
    """
    body = bytes(unseal(using, key + b" " + field, value, "the count of an index set"))
    has_sums = body.startswith(_HAS_SUMS)
    number, colon, packed = body.partition(b":")
    if not (colon and number.isdigit()):  # what nearly all are, and a pattern takes as long again
        found = _SET.match(body)
        if found is None:
            raise Damage("the count of an index set can't be read")
        number, packed = found[2], found[4]
        if packed is None:
            return SetCount(int(number), None, int(found[3], 16), has_sums)
    others = packed.split(b",")
    size = int(number)
    if len(others) != size:
        raise Damage("an inlined index set isn't as large as its count")
    return SetCount(size, tuple([member_from(field, other) for other in others]), 0, has_sums)


def unpack_size(key: bytes, field: bytes, value: bytes, using: Seal) -> tuple[int, bool]:
    """Of what `pack_set` packed the number of members, and whether there are sums.

    Raises:
        Damage: if it is altered.
    """
    found = _SET.match(unseal(using, key + b" " + field, value, "the count of an index set"))
    if found is None:
        raise Damage("the count of an index set can't be read")
    return int(found[2]), bool(found[1])


def member_from(field: bytes, other: bytes) -> bytes:
    """The member that a set's owner and one packed other component make."""
    if b"/" in other:
        component, _, part = other.partition(b"/")
        return member_from(field, component) + b":part:" + part
    if field.startswith(b"p:"):
        return field + b":prov:" + other
    return b"p:" + other + b":" + field
