"""Keys: no value leaves its component, and no two tuples share a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.entry.keys import (
    Keys,
    Member,
    PartitionName,
    Version,
    decode_component,
    encode_component,
    member_of,
    parse_field,
    parse_member,
    practice_field,
    provider_field,
)
from warmcube.entry.master import (
    Chunks,
    PartitionVersion,
    Snapshot,
    format_item,
    parse_item,
)
from warmcube.errors import Damage

ids = st.none() | st.text(st.characters(codec="utf-8"))
nasty = st.none() | st.sampled_from(
    [
        *("", "~", "%7E", ":", "a:b", "{x}", "}", "*", "%", "é", "\n", "😀", '"', "'", "a|b"),
        "A/R > 90 days: {net} 100%",
        "p:1:prov:2",
        ":part:1",
        "'; DROP TABLE x; --",
        "*1\r\n$8\r\nFLUSHALL\r\n",
    ]
)
values = ids | nasty


@given(values)
def test_a_component_round_trips(value: str | None) -> None:
    """What was encoded decodes to the same value, NULL included."""
    assert decode_component(encode_component(value)) == value


@given(values)
def test_a_component_stays_in_its_place(value: str | None) -> None:
    """No encoded component holds a character that means something in a key."""
    assert not set(encode_component(value)) & set(":{}*[]?|, \r\n/\"'")


@given(values, values)
def test_different_values_have_different_components(one: str | None, other: str | None) -> None:
    """The encoding is injective; NULL, "~" and the empty text are three different things."""
    assert (encode_component(one) == encode_component(other)) == (one == other)


@pytest.mark.parametrize("text", ["%7e", "%41", "é", "a:b", "%", "%G0", "%ff", "~~", "%C3", "a b"])
def test_what_the_encoder_never_writes_is_damage(text: str) -> None:
    """A component that isn't canonical isn't believed, so one value can't have two keys."""
    with pytest.raises(Damage):
        decode_component(text)


@given(values, values, st.integers(0, 999_999_999))
def test_a_member_round_trips(practice: str | None, provider: str | None, part: int) -> None:
    """Parsing a member gives what it was built from."""
    assert parse_member(member_of(practice, provider, part)) == Member(practice, provider, part)


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"p:1",
        b"p:1:prov:2:part:0",
        b"p:1:prov:2:part:01",
        b"p:1:prov:2:part:",
        b"p:1:prov:2\n",
        b"p:1:prov:2:prov:3",
        b"p:%31:prov:2",
        b"\xff",
    ],
)
def test_a_foreign_member_is_damage(member: bytes) -> None:
    """Only what `member_of` builds parses."""
    with pytest.raises(Damage):
        parse_member(member)


tuples = st.tuples(st.integers(0, 99), values, values, values, values)


@given(tuples, tuples)
def test_different_entries_have_different_keys(
    one: tuple[int, str | None, str | None, str | None, str | None],
    other: tuple[int, str | None, str | None, str | None, str | None],
) -> None:
    """Data source, measure, frequency, practice and provider all tell keys apart."""

    def key(of: tuple[int, str | None, str | None, str | None, str | None]) -> bytes:
        datasource, measure, frequency, practice, provider = of
        own = Keys("", datasource).partition(PartitionName(measure, frequency), "1-" + "0" * 16)
        return own.entry(member_of(practice, provider))

    assert (key(one) == key(other)) == (one == other)


@given(values, values)
def test_all_keys_of_a_partition_share_one_hash_tag(
    measure: str | None, frequency: str | None
) -> None:
    """The first brace pair is the partition's, whatever the names hold."""
    own = Keys("ns", 1).partition(PartitionName(measure, frequency), "1-" + "0" * 16)
    tags = {
        key[key.index(b"{") : key.index(b"}") + 1]
        for key in (own.all, own.counts, own.set(b"p:1"), own.entry(member_of("1", "{x}")))
    }
    expected = f"{{ds:1:m:{encode_component(measure)}:freq:{encode_component(frequency)}}}"
    assert tags == {expected.encode()}


def test_keys_are_spelled_as_documented() -> None:
    """The names that operators see in the store."""
    keys = Keys("app:", 7)
    own = keys.partition(PartitionName("A/R {x}", None), "3-00000000000000ff")
    assert own.entry(b"p:1:prov:~") == (
        b"app:cache:{ds:7:m:A%2FR%20%7Bx%7D:freq:~}:v3-00000000000000ff:p:1:prov:~"
    )
    assert own.all == b"app:idx:{ds:7:m:A%2FR%20%7Bx%7D:freq:~}:v3-00000000000000ff"
    assert own.set(b"prov:5") == own.all + b":prov:5"
    assert own.counts == own.all + b":counts"
    assert keys.master == b"app:idx:{ds:7}:master"
    assert keys.current == b"app:cache:meta:{ds:7}:current"
    assert keys.manifest("v") == b"app:cache:meta:{ds:7}:snapshot:v"
    assert keys.last_warm == b"app:cache:meta:{ds:7}:last_warm"
    assert keys.fence == b"app:cache:meta:{ds:7}:fence"
    assert keys.history == b"app:cache:meta:{ds:7}:history"
    assert keys.lock == b"app:lock:{ds:7}:warm"
    assert keys.dictionary("a:b", "v", 2) == b"app:cache:meta:{ds:7}:dict:a%3Ab:vv:2"


@pytest.mark.parametrize("text", ["", "1", "0-0000000000000000", "1-xyz", "1-" + "0" * 15, b"\xff"])
def test_a_version_that_was_never_handed_out_is_damage(text: str | bytes) -> None:
    """A pointer holds a version or is damaged."""
    with pytest.raises(Damage):
        Version.parse(text)


versions = st.builds(
    Version, st.integers(1, 10**17), st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
)
items = (
    st.builds(PartitionVersion, st.builds(PartitionName, values, values), versions)
    | st.builds(Chunks, values.filter(lambda v: v is not None), versions, st.integers(0, 10**6))
    | st.builds(Snapshot, versions)
)


@given(items)
def test_a_master_item_round_trips(item: PartitionVersion | Chunks | Snapshot) -> None:
    """Clean-up finds back exactly what a warm noted down."""
    assert parse_item(format_item(item)) == item


@pytest.mark.parametrize("member", [b"", b"m:a:freq:b", b"dict:~:v1-" + b"0" * 16 + b":1", b"x"])
def test_a_foreign_master_item_is_damage(member: bytes) -> None:
    """What no warm noted down isn't acted upon."""
    with pytest.raises(Damage):
        parse_item(member)


@given(values)
def test_a_field_names_its_practice_or_provider(value: str | None) -> None:
    """What is read back from the fields of counts is what was put into them."""
    assert parse_field(practice_field(value)) == ("practice", value)
    assert parse_field(provider_field(value)) == ("provider", value)


@pytest.mark.parametrize("field", [b"", b"total", b"q:1", b"p:%7e", b"p:a:b", b"prov:\xff", b"p"])
def test_what_is_no_field_is_damage(field: bytes) -> None:
    """Nothing but what was built is read; an empty id is one, a missing colon isn't."""
    with pytest.raises(Damage):
        parse_field(field)
