"""Seals: how they are computed, and what they find."""

from __future__ import annotations

import hashlib

import pytest
from xxhash import xxh3_64

from warmcube.entry.seal import Checksum, Mac, Seal, seal, unseal
from warmcube.errors import Damage

SEALS: list[Seal] = [Checksum(), Mac(b"k" * 32)]


def test_a_checksum_is_computed_as_documented() -> None:
    """xxh3-64 of the body, seeded with that of the key: readable by any later version."""
    assert Checksum()(b"key", b"body") == xxh3_64(b"body", xxh3_64(b"key").intdigest()).digest()
    assert Checksum()(b"key", b"body").hex() == "ffa0bc522b9d3097"
    assert (Checksum().size, Checksum().name) == (8, "checksum")


@pytest.mark.parametrize("secret", [b"", b"short", b"s" * 64, b"long" * 100])
def test_a_mac_is_computed_as_documented(secret: bytes) -> None:
    """Keyed BLAKE2b-128 over the key's length in 4 bytes, the key, and the body."""
    key = hashlib.blake2b(secret, digest_size=64, person=b"warmcube-mac").digest()
    expected = hashlib.blake2b(b"\3\0\0\0keybody", digest_size=16, key=key).digest()
    assert Mac(secret)(b"key", b"body") == expected
    assert (Mac(secret).size, Mac(secret).name) == (16, "mac")


@pytest.mark.parametrize("using", SEALS, ids=lambda s: s.name)
def test_a_key_doesnt_run_into_its_body(using: Seal) -> None:
    """Where the key ends and the body begins is sealed too."""
    assert using(b"ab", b"c") != using(b"a", b"bc")


@pytest.mark.parametrize("using", SEALS, ids=lambda s: s.name)
@pytest.mark.parametrize("body", [b"", b"body"])
def test_what_was_sealed_opens(using: Seal, body: bytes) -> None:
    """The seal stands before the body, which may be empty."""
    value = seal(using, b"key", body)
    assert value == using(b"key", body) + body
    assert unseal(using, b"key", value, "it") == body


@pytest.mark.parametrize("using", SEALS, ids=lambda s: s.name)
def test_what_is_damaged_is_named(using: Seal) -> None:
    """The message says what it was and how it failed, and holds no value."""
    with pytest.raises(Damage) as missing:
        unseal(using, b"key", None, "an entry")
    assert str(missing.value) == "an entry is missing"
    for value in (b"", bytes(using.size - 1), bytes(using.size), seal(using, b"key", b"b") + b"c"):
        with pytest.raises(Damage) as failed:
            unseal(using, b"key", value, "an entry")
        assert str(failed.value) == f"an entry fails its {using.name}"


@pytest.mark.parametrize("using", SEALS, ids=lambda s: s.name)
def test_many_seals_are_those_of_each(using: Seal) -> None:
    """What is prepared of keys gives the same seals, and as many of the one as of the other."""
    keys = [b"a", b"", b"a"]
    bodies: list[bytes | memoryview] = [b"x", memoryview(b"yy"), b""]
    prepared = using.prepare(keys)
    expected = b"".join(using(key, body) for key, body in zip(keys, bodies, strict=True))
    assert using.of_each(prepared, bodies) == expected
    assert using.of_each([], []) == b""
    with pytest.raises(ValueError, match="zip"):
        using.of_each(prepared, bodies[:2])
