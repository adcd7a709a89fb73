"""Where commands go, and how those of several keys are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.store.api import Command
from warmcube.store.slots import SLOTS, cut, key_of, key_slot, tag_in
from warmcube.store.wire import PackedCommand, pack, pack_set_until, pack_words

words = st.binary(max_size=40)


def test_slots_are_those_of_the_specification() -> None:
    """Its test vector, and its examples of hash tags."""
    assert key_slot(b"123456789") == 0x31C3 % SLOTS
    assert key_slot(b"{user1000}.following") == key_slot(b"user1000")
    assert key_slot(b"foo{{bar}}zap") == key_slot(b"{bar")
    assert key_slot(b"foo{bar}{zap}") == key_slot(b"bar")


@given(words, words, words)
def test_the_key_of_a_packed_command_is_that_of_its_words(
    name: bytes, key: bytes, value: bytes
) -> None:
    """Whatever bytes they hold."""
    command: Command = (b"SET" + name.replace(b"\r", b""), key, value)
    assert key_of(command) == key_of(pack([command])) == key
    assert key_of(pack_set_until(key, b"seal", value, 1_700_000_000_000)) == key


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ((b"EVAL", b"return 1", 1, b"k", b"a"), b"k"),
        ((b"MEMORY", b"USAGE", b"k", b"SAMPLES", 0), b"k"),
        ((b"GET", 7), b"7"),
        ((b"TIME",), None),
        ((b"INFO", b"memory"), None),
        ((b"DISCARD",), None),
    ],
)
def test_the_key_of_a_command(command: Command, key: bytes | None) -> None:
    """It is the second word, where it isn't somewhere else, or nowhere."""
    assert key_of(command) == key


@pytest.mark.parametrize("command", [(b"TIME",), (b"INFO", b"memory"), (b"DISCARD",)])
def test_packed_commands_without_a_key(command: Command) -> None:
    """As with words."""
    assert key_of(pack([command])) is None


def test_a_tag_for_wanted_slots() -> None:
    """However few they are."""
    for wanted in (0, 5_000, SLOTS - 1):
        assert key_slot(b"ns:{%b}" % tag_in({wanted}.__contains__)) == wanted


def test_commands_of_several_keys_are_cut() -> None:
    """Their pieces together answer what the whole would."""
    keys = [b"{k}1", b"{k}2", b"{k}3"]
    cases: list[tuple[Command, bytes, list[object], object]] = [
        (PackedCommand.of(b"MGET", keys, [pack_words(keys)]), b"GET", [b"a", None, b""], None),
        ((b"UNLINK", *keys), b"UNLINK", [1, 0, 1], 2),
        ((b"EXISTS", *keys), b"EXISTS", [1, 1, 1], 3),
    ]
    for command, name, replies, joined in cases:
        found = cut(command)
        assert found is not None
        smaller, join = found
        assert smaller == [(name, key) for key in keys]
        assert join(replies) == (replies if joined is None else joined)
    found = cut((b"SUNION", *keys))
    assert found is not None
    assert sorted(found[1]([[b"a", b"b"], [], [b"b"]])) == [b"a", b"b"]
    for whole in ((b"GET", b"k"), (b"MGET", b"k"), (b"HMGET", b"k", b"a", b"b"), (b"TIME",)):
        assert cut(whole) is None
