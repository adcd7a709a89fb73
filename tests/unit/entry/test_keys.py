"""Keys: no value leaves its component, and no two tuples share a key."""

import contextlib
import itertools
import string
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot
from tests.support.keys import ParsedKey, parse_key
from tests.support.keys import parse_field as read_field

from warmcube.entry.keys import (
    Keys,
    Member,
    PartitionName,
    Version,
    decode_component,
    encode_component,
    is_of_partition,
    member_of,
    parse_field,
    parse_member,
    practice_field,
    provider_field,
)
from warmcube.entry.master import (
    Chunks,
    MasterItem,
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
        b"p:1:prov:2:part:1234567890",
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


def test_members_are_spelled_as_documented() -> None:
    """The first part of an entry bears no number."""
    assert member_of("114", "5") == b"p:114:prov:5"
    assert member_of(None, "a b", 2) == b"p:~:prov:a%20b:part:2"
    assert Member("1", "2") == parse_member(b"p:1:prov:2")
    assert practice_field("a:b") == b"p:a%3Ab"
    assert provider_field(None) == b"prov:~"


def test_what_is_long_is_not_kept() -> None:
    """Whoever asks can make up names as long as a request may be."""
    long = "x" * 1000
    for field_of in (practice_field, provider_field):
        assert field_of("y") is field_of("y")
        assert field_of(long) == field_of(long)
        assert field_of(long) is not field_of(long)
    keys, name = Keys("", 1), PartitionName("m", "f")
    assert keys.partition(name, "1-0") is keys.partition(name, "1-0")
    name = PartitionName("m", long)
    assert keys.partition(name, "1-0") is not keys.partition(name, "1-0")


def test_what_is_kept_is_bounded() -> None:
    """A process that meets ever new practices forgets the old ones, and spells them the same."""
    first = practice_field("first")
    for number in range(1 << 16):
        practice_field(str(number))
    assert practice_field("first") == first
    assert practice_field("first") is not first


def test_every_byte_has_its_escape() -> None:
    """RFC 3986's unreserved characters stay, but for the tilde; all else is escaped by byte."""
    plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
    for code in range(128):
        expected = chr(code) if chr(code) in plain else f"%{code:02X}"
        assert encode_component(chr(code)) == expected
    assert encode_component(plain + "é") == plain + "%C3%A9"
    assert encode_component("") == ""


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
        for key in (
            *(own.all, own.counts, own.bin(3), own.set(b"p:1")),
            own.entry(member_of("1", "{x}")),
        )
    }
    expected = f"{{ds:1:m:{encode_component(measure)}:freq:{encode_component(frequency)}}}"
    assert tags == {expected.encode()}


@given(values, values, values)
def test_keys_of_a_partition_are_told_from_others(
    measure: str | None, frequency: str | None, column: str | None
) -> None:
    """What never changes once written, from what does, whatever the names hold."""
    keys, version = Keys("ns:", 1), "1-" + "0" * 16
    own = keys.partition(PartitionName(measure, frequency), version)
    names = (own.all, own.counts, own.bin(0), own.set(b"p:1"), own.whole_sums)
    for key in (*names, own.entry(b"p:1:prov:1")):
        assert is_of_partition(key)
    others = [keys.manifest(version), keys.retired(version), keys.uses(version)]
    others += [keys.dictionary(column or "", version, 0), keys.current, keys.master, keys.lock]
    assert not any(is_of_partition(key) for key in others)


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
    assert own.bins(2) == [own.bin(0), own.bin(1)] == [own.counts + b":0", own.counts + b":1"]
    assert (keys.namespace, keys.datasource) == ("app:", 7)
    assert keys.master == b"app:idx:{ds:7}:master"
    assert keys.current == b"app:cache:meta:{ds:7}:current"
    assert keys.manifest("v") == b"app:cache:meta:{ds:7}:snapshot:v"
    assert keys.last_warm == b"app:cache:meta:{ds:7}:last_warm"
    assert keys.fence == b"app:cache:meta:{ds:7}:fence"
    assert keys.history == b"app:cache:meta:{ds:7}:history"
    assert keys.lock == b"app:lock:{ds:7}:warm"
    assert keys.channel == b"app:cache:meta:{ds:7}:published"
    assert keys.reservations == b"app:cache:meta:{reservations}"
    assert keys.retired("v") == b"app:cache:meta:{ds:7}:retired:v"
    assert keys.uses("v") == b"app:cache:meta:{ds:7}:uses:v"
    assert keys.dictionary("a:b", "v", 2) == b"app:cache:meta:{ds:7}:dict:a%3Ab:vv:2"


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "0-0000000000000000", "01-0000000000000000", "1-xyz"),
        *("1-" + "0" * 15, "1-" + "0" * 17, "1-" + "F" * 16, "1-" + "0" * 16 + "\n"),
        *("1" * 19 + "-" + "0" * 16, "-" + "0" * 16, "1" + "0" * 16),
        *(b"\xff", b"1-\xff" + b"0" * 16),
    ],
)
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


@pytest.mark.parametrize("fence", [1, 10**17, 10**18 - 1])
def test_a_version_is_read_as_it_is_printed(fence: int) -> None:
    """As text and as bytes; versions are ordered by their fence."""
    version = Version(fence, "00000000000000ff")
    assert str(version) == f"{fence}-00000000000000ff"
    assert Version.parse(str(version)) == Version.parse(str(version).encode()) == version
    assert Version(9, "f" * 16) < Version(10, "0" * 16)


@given(items)
def test_a_master_item_round_trips(item: PartitionVersion | Chunks | Snapshot) -> None:
    """Clean-up finds back exactly what a warm noted down."""
    assert parse_item(format_item(item)) == item


VERSION = b":v1-" + b"0" * 16


@pytest.mark.parametrize(
    "member",
    [
        *(b"", b"x", b"m:a:freq:b", b"dict:~" + VERSION + b":1", b"dict:a" + VERSION),
        *(
            b"dict:a" + VERSION + chunks
            for chunks in (b":", b":x", b":01", b":1\n", b":1234567890")
        ),
        *(b"dict:a" + VERSION + ":٣".encode(), b"dict:a:b" + VERSION + b":1"),
        *(b"m:a:freq:b" + VERSION + end for end in (b"0", b":", b"\n", b":1")),
        *(b"m:a:freq:b:c" + VERSION, b"m:a:b:freq:c" + VERSION, b"m:%e9:freq:b" + VERSION),
        *(
            b"m:a:freq:" + "é".encode() + VERSION,
            b"m:a:freq:\xff" + VERSION,
            b"xm:a:freq:b" + VERSION,
        ),
        *(b"snapshot" + VERSION, b"snapshot:1", b"snapshot:1-" + b"0" * 16 + b"\n"),
        b"snapshot:01-" + b"0" * 16,
    ],
)
def test_a_foreign_master_item_is_damage(member: bytes) -> None:
    """What no warm noted down isn't acted upon."""
    with pytest.raises(Damage):
        parse_item(member)


def test_master_items_are_spelled_as_documented() -> None:
    """What lies in the store; empty names and NULL are told apart."""
    version = Version(1, "0" * 16)
    items: dict[bytes, MasterItem] = {
        b"m:a%20b:freq:~" + VERSION: PartitionVersion(PartitionName("a b", None), version),
        b"m:~:freq:" + VERSION: PartitionVersion(PartitionName(None, ""), version),
        b"dict:x%3Ay" + VERSION + b":0": Chunks("x:y", version, 0),
        b"dict:" + VERSION + b":999999999": Chunks("", version, 999_999_999),
        b"snapshot:" + VERSION[2:]: Snapshot(version),
    }
    assert {format_item(item): item for item in items.values()} == items
    assert {member: parse_item(member) for member in items} == items


@given(values)
def test_a_field_names_its_practice_or_provider(value: str | None) -> None:
    """What is read back from the fields of counts is what was put into them."""
    assert parse_field(practice_field(value)) == ("practice", value)
    assert parse_field(provider_field(value)) == ("provider", value)


@pytest.mark.parametrize(
    "field", [b"", b"total", b"q:1", b"p:%7e", b"p:a:b", b"prov:\xff", b"p", b"prov"]
)
def test_what_is_no_field_is_damage(field: bytes) -> None:
    """Nothing but what was built is read; an empty id is one, a missing colon isn't."""
    with pytest.raises(Damage):
        parse_field(field)


numbers = st.integers(0, 10**6)
partitions = st.tuples(numbers, values, values, versions.map(str))
meta = st.tuples(numbers, versions.map(str))
names = values.filter(lambda value: value is not None)
parsed_keys = st.one_of(
    st.builds(
        lambda of, practice, provider, part: ParsedKey("entry", (*of, practice, provider, part)),
        *(partitions, values, values, st.integers(0, 10**6)),
    ),
    st.builds(ParsedKey, st.sampled_from(["all", "counts"]), partitions),
    st.builds(lambda of, number: ParsedKey("bin", (*of, number)), partitions, numbers),
    st.builds(
        lambda kind, of, value: ParsedKey(kind, (*of, value)),
        *(st.sampled_from(["practice", "provider"]), partitions, values),
    ),
    st.builds(
        lambda kind, number: ParsedKey(kind, (number,)),
        *(
            st.sampled_from(
                [
                    *("master", "current", "fence", "history", "last_warm", "published", "lock"),
                    *("damage", "outlook"),
                ]
            ),
            numbers,
        ),
    ),
    st.builds(ParsedKey, st.sampled_from(["snapshot", "retired", "uses"]), meta),
    st.builds(
        lambda number, column, version, chunk: ParsedKey("dict", (number, column, version, chunk)),
        *(numbers, names, versions.map(str), numbers),
    ),
    st.just(ParsedKey("reservations")),
)
"""Everything that a key can say."""

namespaces = st.sampled_from(
    ["", "app:", "cache:", "cache:meta:", "idx:", "lock:", "~", "%7B", ":"]
) | st.text("".join(set(string.printable[:94]) - set("{}*?[]\\")), max_size=12)
"""What the configuration allows; its own tests say so."""


def build(of: ParsedKey, namespace: str = "") -> bytes:
    """The key that says this."""
    kind, components = of
    number: Any = components[0] if components else 0
    keys = Keys(namespace, number)
    if kind in ("entry", "all", "counts", "bin", "practice", "provider"):
        _, measure, frequency, version, *more = components
        rest: Any = more
        name: Any = (measure, frequency)
        own = keys.partition(PartitionName(*name), str(version))
        if kind == "entry":
            return own.entry(member_of(*rest))
        if kind in ("practice", "provider"):
            return own.set({"practice": practice_field, "provider": provider_field}[kind](*rest))
        return {"all": own.all, "counts": own.counts, "bin": own.bin(*rest or [0])}[kind]
    if kind == "dict":
        rest = components[1:]
        return keys.dictionary(*rest)
    if kind in ("snapshot", "retired", "uses"):
        of_version = {"snapshot": keys.manifest, "retired": keys.retired, "uses": keys.uses}
        return of_version[kind](str(components[1]))
    key: bytes = getattr(keys, {"published": "channel"}.get(kind, kind))
    return key


@given(parsed_keys, namespaces)
def test_every_key_says_one_thing(of: ParsedKey, namespace: str) -> None:
    """Read by a grammar of the test's own, a key of any kind gives what it was built from."""
    assert parse_key(build(of, namespace), namespace) == of


@given(parsed_keys, parsed_keys, namespaces, namespaces)
def test_no_two_keys_are_the_same(one: ParsedKey, other: ParsedKey, here: str, there: str) -> None:
    """Not even keys of different kinds, nor those of two deployments on one server."""
    is_same = (one, here) == (other, there)
    assert (build(one, here) == build(other, there)) == is_same
    assert here == there or build(one, here) != build(one, there)


@given(parsed_keys, parsed_keys, namespaces)
def test_no_key_grows_into_another(one: ParsedKey, other: ParsedKey, namespace: str) -> None:
    """Only a partition's sets and counts, and an entry's further parts, lie below another key."""
    if build(other, namespace).startswith(build(one, namespace) + b":"):
        below = {
            "all": ("counts", "bin", "practice", "provider"),
            "counts": ("bin",),
            "entry": ("entry",),
        }
        assert other.kind in below[one.kind]
        assert other.components[: len(one.components) - (one.kind == "entry")] == (
            one.components[:-1] if one.kind == "entry" else one.components
        )


@given(partitions, values, values, values, values)
def test_what_lies_below_another_key(
    of: tuple[Any, ...], one: str | None, other: str | None, third: str | None, fourth: str | None
) -> None:
    """Whatever practices and providers are called, no entry or set of one is below another's."""
    keys = [
        *(ParsedKey("entry", (*of, a, b, 0)) for a, b in ((one, other), (third, fourth))),
        *(ParsedKey(kind, (*of, a)) for kind in ("practice", "provider") for a in (one, third)),
        ParsedKey("counts", of),
    ]
    for left, right in itertools.permutations(map(build, keys), 2):
        assert not right.startswith(left + b":")


@given(parsed_keys)
def test_keys_are_plain(of: ParsedKey) -> None:
    """No blank, quote, glob or control character, and one pair of braces: the hash tag."""
    key = build(of)
    assert set(key) <= set(b"%~{}:._-" + string.ascii_letters.encode() + string.digits.encode())
    assert (key.count(b"{"), key.count(b"}")) == (1, 1)


def _text_or_none(component: str | int | None) -> str | None:
    return None if component is None else str(component)


@given(parsed_keys, namespaces)
def test_a_key_lies_in_the_slot_of_its_partition(of: ParsedKey, namespace: str) -> None:
    """As the cluster's own function hashes it; no name and no namespace can move it."""
    number, *more = of.components or (None,)
    if of.kind in ("entry", "all", "counts", "bin", "practice", "provider"):
        measure, frequency = (encode_component(each) for each in map(_text_or_none, more[:2]))
        tag = f"ds:{number}:m:{measure}:freq:{frequency}"
    else:
        tag = "reservations" if number is None else f"ds:{number}"
    assert key_slot(build(of, namespace)) == key_slot(tag.encode())


@given(values)
def test_a_field_of_counts_says_one_thing(value: str | None) -> None:
    """A practice, a provider and the total never share a field, whatever they are called."""
    assert read_field(practice_field(value)) == ParsedKey("practice", (value,))
    assert read_field(provider_field(value)) == ParsedKey("provider", (value,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, "~"),
        (None, ""),
        ("~", "%7E"),
        ("a", "A"),
        ("ß", "ss"),
        ("\u0130", "i"),
        ("é", unicodedata.normalize("NFD", "é")),
        ("\u212b", "\u00c5"),
        ("ﬁ", "fi"),
        ("\u200b", ""),
        ("1", "\uff11"),
        ("a", "a "),
        ("a", "a\0"),
        ("a:b", "a%3Ab"),
        ("+", " "),
    ],
)
def test_what_looks_alike_stays_apart(one: str | None, other: str | None) -> None:
    """Neither case nor normalization form, no width and no blank make two names one."""
    assert encode_component(one) != encode_component(other)
    assert decode_component(encode_component(one)) == one
    assert decode_component(encode_component(other)) == other


def test_what_is_no_text_has_no_key() -> None:
    """Half of a surrogate pair can't be in a key, instead of being replaced by something else."""
    with pytest.raises(UnicodeEncodeError):
        encode_component("a\ud800")


alterations = st.tuples(
    st.integers(0, 60),
    st.integers(0, 2),
    st.binary(max_size=2) | st.sampled_from([b"0", b"00", b"%", b"%41", b"%7e", b":", b"~"]),
)


def _alter(text: bytes, alteration: tuple[int, int, bytes]) -> bytes:
    at, cut, put = alteration
    return text[:at] + put + text[at + cut :]


@given(values, values, st.integers(0, 99), alterations)
def test_a_member_has_one_spelling(
    practice: str | None, provider: str | None, part: int, alteration: tuple[int, int, bytes]
) -> None:
    """An altered member is damage or names something else; never the same by another spelling."""
    altered = _alter(member_of(practice, provider, part), alteration)
    with contextlib.suppress(Damage):
        assert member_of(*parse_member(altered)) == altered


@given(items, alterations)
def test_a_master_item_has_one_spelling(
    item: PartitionVersion | Chunks | Snapshot, alteration: tuple[int, int, bytes]
) -> None:
    """What clean-up crosses off is what it read."""
    altered = _alter(format_item(item), alteration)
    with contextlib.suppress(Damage):
        assert format_item(parse_item(altered)) == altered
