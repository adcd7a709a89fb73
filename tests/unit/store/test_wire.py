"""`warmcube.store.wire`: commands as bytes, packed now or before."""

from __future__ import annotations

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from warmcube.store.wire import (
    PackedCommand,
    pack,
    pack_command,
    pack_expiries,
    pack_set_until,
    pack_words,
)

words = st.lists(st.binary(max_size=20), min_size=1, max_size=5)


def read(wire: bytes) -> list[object]:
    """What a parser of the protocol makes of it."""
    reader = hiredis.Reader()
    reader.feed(wire)
    found = []
    while (each := reader.gets()) is not False:
        found.append(each)
    return found


@given(st.lists(words, max_size=4))
def test_commands_are_read_as_they_were_packed(commands: list[list[bytes]]) -> None:
    """Each word whatever its bytes, each command by itself."""
    assert read(pack([tuple(each) for each in commands])) == commands


def test_numbers_are_words() -> None:
    """In decimal digits."""
    assert read(pack([(b"EXPIRE", b"k", 10), (b"X", -1)])) == [
        [b"EXPIRE", b"k", b"10"],
        [b"X", b"-1"],
    ]


@given(words, words)
def test_what_is_packed_before_is_the_same_command(some: list[bytes], more: list[bytes]) -> None:
    """The tuple of its words, and the same bytes, in whatever pieces these were packed."""
    command = PackedCommand.of(b"MGET", [*some, *more], [pack_words(some), pack_words(more)])
    assert command == (b"MGET", *some, *more)
    assert command.wire == pack([(b"MGET", *some, *more)])
    assert pack([(b"GET", b"k"), command]) == pack([(b"GET", b"k"), (b"MGET", *some, *more)])


def test_bytes_are_sent_as_they_are() -> None:
    """Whoever has packed a whole command gives its bytes."""
    assert pack([pack([(b"GET", b"k")]), (b"GET", b"l")]) == pack([(b"GET", b"k"), (b"GET", b"l")])


@given(words)
def test_one_command_is_packed_as_many_are(some: list[bytes]) -> None:
    """Whether by itself or among others, its bytes are the same."""
    assert pack_command(some) == pack([tuple(some)])


@given(st.binary(), st.binary(), st.binary(), st.integers(0, 2**53))
def test_a_value_is_its_seal_and_its_body(key: bytes, seal: bytes, body: bytes, at: int) -> None:
    """One word of SET, with the moment in digits."""
    assert read(pack_set_until(key, seal, body, at)) == [
        [b"SET", key, seal + body, b"PXAT", str(at).encode()]
    ]


@given(st.lists(st.binary()), st.integers(0, 2**53))
def test_every_key_expires_at_the_same_moment(keys: list[bytes], at: int) -> None:
    """One command for each key, whatever its bytes; a percent sign is nothing special."""
    commands = [each for one in pack_expiries([*keys, b"%d%b"], at) for each in read(one)]
    moment = str(at).encode()
    assert commands == [[b"PEXPIREAT", key, moment] for key in [*keys, b"%d%b"]]
