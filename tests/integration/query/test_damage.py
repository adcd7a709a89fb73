"""Nothing that the store gives is believed: whatever is done to it, no read is wrong or partial."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from tests.support.memory import DATASOURCE, SCHEMA, MemorySource, Row, rows_of

from warmcube.entry.counts import TOTAL, bin_of, bins_of
from warmcube.entry.keys import Keys, PartitionKeys, PartitionName, member_of
from warmcube.entry.seal import Checksum, Mac, Seal
from warmcube.errors import Damage
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query import lookup
from warmcube.query.known import KnownIndex
from warmcube.query.lookup import PointerMoved
from warmcube.query.read import Reading, StoreReader
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.store.api import Store
from warmcube.warm.warmer import Warmer, WarmSettings

MakeWarmer = Callable[..., Warmer]
NAME = PartitionName("m", "f")
PROVIDERS = 30  # a practice's set isn't inlined; a provider's with 12 practices is
TABLE: list[Row] = [
    ("m", practice, provider or None, "f", practice * 1000 + provider)
    for practice in range(1, 13)
    for provider in range(PROVIDERS if practice <= 6 else 3)
]
SCOPES = {
    "everything": Scope((Box(ALL, ALL),)),
    "a practice": Scope((Box(frozenset({"1"}), ALL),)),
    "a small practice": Scope((Box(frozenset({"7"}), ALL),)),
    "practices": Scope((Box(frozenset({"1", "2", "7", "99"}), ALL),)),
    "a provider": Scope((Box(ALL, frozenset({"1"})),)),
    "one's own": Scope((Box(frozenset({"1", "2"}), frozenset({"2"})),)),
    "two boxes": Scope(
        (Box(frozenset({"1"}), ALL), Box(frozenset({"1", "2"}), frozenset({"5", "6"})))
    ),
    "most of a practice": Scope(
        (Box(frozenset({"1"}), frozenset(str(provider) for provider in range(29))),)
    ),
    "nearly everything": Scope((Box(frozenset(str(n) for n in range(1, 12)), ALL),)),
    "nobody's": Scope((Box(frozenset({"99"}), ALL),)),
}


def expected(scope: Scope) -> list[tuple[int | None, int | None, int]]:
    """The rows of a scope."""

    def text(value: int | None) -> str | None:
        return None if value is None else str(value)

    return sorted(((p, v, x) for _, p, v, _, x in TABLE if scope.allows(text(p), text(v))), key=str)


class Harness:
    """A warmed store that can be tampered with and read."""

    def __init__(self, store: Store, using: Seal, index_bytes: int = 0) -> None:
        self.store = store
        self.seal = using
        self.snapshots = Snapshots(store, "", using)
        self.known = KnownIndex(index_bytes)
        self.reader = StoreReader(store, self.snapshots, using, self.known)
        self.live: LiveSnapshot
        self.keys: PartitionKeys

    async def warm(self) -> None:
        """Warm the table and look at what is live."""
        warmer = Warmer(self.store, "", self.seal, WarmSettings())
        await warmer.warm(DATASOURCE, MemorySource(TABLE))
        live = await self.snapshots.load(DATASOURCE)
        assert live is not None
        self.live = live
        self.keys = Keys("", 1).partition(NAME, str(live.manifest.version))

    async def read(self, scope: Scope) -> Reading:
        """Read a scope."""
        return await self.reader.read(DATASOURCE, self.live, NAME, scope, SCHEMA.names)

    async def run(self, *words: bytes | int) -> object:
        """One command."""
        return (await self.store.run([words]))[0]


@pytest.fixture(params=["checksum", "mac"])
async def harness(request: pytest.FixtureRequest, store: Store) -> Harness:
    """A warmed store, with each of the seals, read by a process that keeps nothing."""
    return await warmed(store, request.param)


@pytest.fixture(params=["checksum", "mac"])
async def knowing(request: pytest.FixtureRequest, store: Store) -> Harness:
    """The same, read by a process that keeps what it has proven of the index."""
    return await warmed(store, request.param, index_bytes=64 << 20)


async def warmed(store: Store, seal: str, index_bytes: int = 0) -> Harness:
    """A warmed store that nobody has read."""
    made = Harness(store, Mac(b"s" * 32) if seal == "mac" else Checksum(), index_bytes)
    await made.warm()
    return made


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
async def test_each_scope_reads_its_rows(harness: Harness, scope: Scope) -> None:
    """Whichever family of sets is looked up, exactly the rows of the scope are fetched."""
    reading = await harness.read(scope)
    assert rows_of(reading) == expected(scope)
    assert reading.entries == len(expected(scope))
    assert reading.trips <= 2


async def test_what_is_known_needs_no_lookup(knowing: Harness) -> None:
    """The second time each scope takes one trip, and gives the same rows in the same order."""
    for scope in SCOPES.values():
        first = await knowing.read(scope)
        again = await knowing.read(scope)
        assert rows_of(again) == rows_of(first) == expected(scope)
        assert (again.trips, again.sets, again.entries) == (1, 0, first.entries)
        assert (again.rows, again.bytes, again.whole) == (first.rows, first.bytes, first.whole)
        for name in SCHEMA.names:
            columns = [each.table.columns[name].values.tolist() for each in (first, again)]
            assert columns[0] == columns[1]


async def test_sets_that_are_known_are_put_together(knowing: Harness) -> None:
    """Each set serves every scope that needs it; only what isn't known is looked up."""
    for practice in ("1", "2", "7"):
        await knowing.read(Scope((Box(frozenset({practice}), ALL),)))
    together = Scope((Box(frozenset({"1", "2", "7"}), ALL),))
    reading = await knowing.read(together)
    assert (rows_of(reading), reading.trips) == (expected(together), 1)
    more = Scope((Box(frozenset({"1", "2", "3", "7"}), ALL),))
    reading = await knowing.read(more)
    assert (rows_of(reading), reading.trips, reading.sets) == (expected(more), 2, 1)
    mixed = Scope((*more.boxes, Box(frozenset({"9"}), frozenset({"1"}))))
    reading = await knowing.read(mixed)
    assert (rows_of(reading), reading.trips, reading.sets) == (expected(mixed), 2, 1)


@pytest.mark.parametrize("budget", [0, 1, 3_000, 30_000])
async def test_little_room_changes_no_answer(store: Store, budget: int) -> None:
    """What doesn't fit is looked up again; the budget holds."""
    harness = await warmed(store, "checksum", budget)
    for _ in range(3):
        for scope in SCOPES.values():
            assert rows_of(await harness.read(scope)) == expected(scope)
            assert harness.known.size <= budget


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
async def test_long_sets_are_read_in_pieces(
    harness: Harness, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sets too long for one command give the same rows through a cursor and in small chunks."""
    monkeypatch.setattr(lookup, "LONG_SET", 5)
    monkeypatch.setattr(lookup, "CHUNK", 4)
    assert rows_of(await harness.read(scope)) == expected(scope)


async def test_an_absent_partition_is_proven_empty(harness: Harness) -> None:
    """Absence that the manifest proves is an answer, after the pointer was checked."""
    read = harness.reader.read
    name = PartitionName("nothing like it", None)
    reading = await read(DATASOURCE, harness.live, name, SCOPES["everything"], SCHEMA.names)
    assert (reading.table.rows, reading.entries, reading.trips) == (0, 0, 1)
    await harness.run(b"DEL", Keys("", 1).current)
    with pytest.raises(PointerMoved):
        await read(DATASOURCE, harness.live, name, SCOPES["everything"], SCHEMA.names)


Tamper = Callable[[Harness], Awaitable[object]]
A = member_of("1", "1")
FOREIGN = member_of("3", "1")


async def swap_in_list(h: Harness, other: bytes) -> None:
    """A member of the whole partition's list exchanged for another."""
    assert await h.run(b"LREM", h.keys.all, 1, A) == 1
    await h.run(b"RPUSH", h.keys.all, other)


async def swap_values(h: Harness) -> None:
    """Another practice's bytes under this practice's key."""
    await h.run(b"COPY", h.keys.entry(FOREIGN), h.keys.entry(A), b"REPLACE")


async def swap_member(h: Harness) -> None:
    """A member of the practice's set exchanged for another practice's."""
    await h.run(b"SREM", h.keys.set(b"p:1"), A)
    await h.run(b"SADD", h.keys.set(b"p:1"), FOREIGN)
    await swap_in_list(h, b"p:3:prov:77777")


async def swap_for_nothing(h: Harness) -> None:
    """A member exchanged for one of an entry that doesn't exist."""
    await h.run(b"SREM", h.keys.set(b"p:1"), A)
    await h.run(b"SADD", h.keys.set(b"p:1"), b"p:1:prov:424242")
    await swap_in_list(h, b"p:1:prov:424242")


async def swap_for_what_is_left_out(h: Harness) -> None:
    """A member exchanged for one that a filter on the other id leaves out, so never fetches."""
    await h.run(b"SREM", h.keys.set(b"p:1"), A)
    await h.run(b"SADD", h.keys.set(b"p:1"), b"p:1:prov:424242")
    await swap_in_list(h, b"p:424242:prov:1")


async def add_member(h: Harness) -> None:
    """One member too many."""
    await h.run(b"SADD", h.keys.set(b"p:1"), FOREIGN)
    await h.run(b"RPUSH", h.keys.all, b"p:1:prov:424242")


async def double_member(h: Harness) -> None:
    """One member twice, in place of another and beside it."""
    await h.run(b"SREM", h.keys.set(b"p:1"), A)
    await swap_in_list(h, FOREIGN)


async def add_garbage(h: Harness) -> None:
    """Something that is no member."""
    await h.run(b"SREM", h.keys.set(b"p:1"), A)
    await h.run(b"SADD", h.keys.set(b"p:1"), b"\xff\r\n*1")
    await swap_in_list(h, b"\xff\r\n*1")


async def copy_set(h: Harness) -> None:
    """Another practice's whole set under this practice's key: as many members, all foreign."""
    await h.run(b"COPY", h.keys.set(b"p:3"), h.keys.set(b"p:1"), b"REPLACE")
    await h.run(b"LREM", h.keys.all, 1, A)


async def flip_byte(h: Harness) -> None:
    """One bit of one entry."""
    raw = bytearray(await h.run(b"GET", h.keys.entry(A)))  # type: ignore[call-overload]
    raw[-1] ^= 1
    await h.run(b"SET", h.keys.entry(A), bytes(raw))


async def cut_at_record(h: Harness) -> None:
    """An entry cut at a record boundary."""
    raw = await h.run(b"GET", h.keys.entry(A))
    assert isinstance(raw, bytes)
    width = h.live.manifest.layouts[0].width
    await h.run(b"SET", h.keys.entry(A), raw[:-width])


async def drop_entry(h: Harness) -> None:
    """An entry evicted."""
    await h.run(b"DEL", h.keys.entry(A))


async def drop_set(h: Harness) -> None:
    """The practice's set and the partition's evicted."""
    await h.run(b"DEL", h.keys.set(b"p:1"), h.keys.all)


async def drop_counts(h: Harness) -> None:
    """The counts evicted."""
    await h.run(b"DEL", h.keys.counts)


async def drop_total(h: Harness) -> None:
    """A hash whose writing was interrupted."""
    await h.run(b"HDEL", h.keys.counts, TOTAL)


async def drop_field(h: Harness) -> None:
    """A practice's count lost, as if it had no rows."""
    await h.run(b"HDEL", h.keys.counts, b"p:1")


async def swap_counts(h: Harness) -> None:
    """A small practice's count under this practice's name."""
    small = await h.run(b"HGET", h.keys.counts, b"p:7")
    assert isinstance(small, bytes)
    await h.run(b"HSET", h.keys.counts, b"p:1", small)


async def wrong_type(h: Harness) -> None:
    """A key replaced by one of another type."""
    await h.run(b"SET", h.keys.set(b"p:1"), b"x")
    await h.run(b"SET", h.keys.all, b"x")


TAMPERINGS: list[Tamper] = [
    swap_values,
    swap_member,
    swap_for_nothing,
    swap_for_what_is_left_out,
    add_member,
    double_member,
    add_garbage,
    copy_set,
    flip_byte,
    cut_at_record,
    drop_entry,
    drop_set,
    drop_counts,
    drop_total,
    drop_field,
    swap_counts,
    wrong_type,
]


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda t: t.__name__)
async def test_tampering_is_never_an_answer(harness: Harness, tamper: Tamper) -> None:
    """Each read is right or damage; at least the practice that was tampered with is damage."""
    await tamper(harness)
    damaged = []
    for name, scope in SCOPES.items():
        try:
            assert rows_of(await harness.read(scope)) == expected(scope)
        except Damage:
            damaged.append(name)
    assert "a practice" in damaged
    assert "nobody's" not in damaged or tamper in (drop_counts, drop_total, drop_field)


def own_bin(h: Harness, provider: bytes) -> bytes:
    """The key of the bin that has a provider's field."""
    among = bins_of(len(TABLE))
    assert among == 2
    return h.keys.bin(bin_of(provider, among))


def other_bin(h: Harness, provider: bytes) -> bytes:
    """The key of the one that hasn't."""
    (key,) = set(h.keys.bins(2)) - {own_bin(h, provider)}
    return key


async def drop_bin(h: Harness) -> None:
    """A bin evicted."""
    await h.run(b"DEL", own_bin(h, b"1"))


async def drop_bin_total(h: Harness) -> None:
    """A bin whose writing was interrupted."""
    await h.run(b"HDEL", own_bin(h, b"1"), TOTAL)


async def drop_provider(h: Harness) -> None:
    """A provider's count lost, as if they had no rows."""
    await h.run(b"HDEL", own_bin(h, b"1"), b"prov:1")


async def swap_bins(h: Harness) -> None:
    """Each bin in the other one's place, proven by itself."""
    one, other = own_bin(h, b"1"), other_bin(h, b"1")
    await h.run(b"RENAME", one, b"{%b}aside" % one[one.index(b"{") + 1 : one.index(b"}")])
    await h.run(b"RENAME", other, one)
    await h.run(b"RENAME", b"{%b}aside" % one[one.index(b"{") + 1 : one.index(b"}")], other)


async def swap_bin_total(h: Harness) -> None:
    """The other bin's total."""
    total = await h.run(b"HGET", other_bin(h, b"1"), TOTAL)
    assert isinstance(total, bytes)
    await h.run(b"HSET", own_bin(h, b"1"), TOTAL, total)


async def total_of_counts(h: Harness) -> None:
    """The total of the practices' counts."""
    total = await h.run(b"HGET", h.keys.counts, TOTAL)
    assert isinstance(total, bytes)
    await h.run(b"HSET", own_bin(h, b"1"), TOTAL, total)


async def swap_provider(h: Harness) -> None:
    """Another provider's count under this one's name."""
    other = await h.run(b"HGET", own_bin(h, b"7"), b"prov:7")
    assert isinstance(other, bytes)
    await h.run(b"HSET", own_bin(h, b"1"), b"prov:1", other)


async def add_provider(h: Harness) -> None:
    """A count of somebody who has no rows."""
    await h.run(b"HSET", own_bin(h, b"1"), b"prov:424242", b"x")


async def bin_of_another_type(h: Harness) -> None:
    """A bin replaced by a key of another type."""
    await h.run(b"SET", own_bin(h, b"1"), b"x")


@pytest.mark.parametrize(
    "tamper",
    [
        *(drop_bin, drop_bin_total, drop_provider, swap_bins, swap_bin_total, total_of_counts),
        *(swap_provider, add_provider, bin_of_another_type),
    ],
    ids=lambda t: t.__name__,
)
async def test_a_tampered_bin_is_never_an_answer(harness: Harness, tamper: Tamper) -> None:
    """A provider's rows are as proven as a practice's: whoever reads by the bin gets no answer."""
    nobody = Scope((Box(ALL, frozenset({"424242"})),))
    scopes = {**SCOPES, "a provider who isn't there": nobody}
    assert rows_of(await harness.read(nobody)) == []
    await tamper(harness)
    damaged = []
    for name, scope in scopes.items():
        try:
            assert rows_of(await harness.read(scope)) == expected(scope)
        except Damage:
            damaged.append(name)
    assert "a provider" in damaged
    assert not {"everything", "a practice", "practices", "nobody's"} & {*damaged}


OF_ENTRIES = (swap_values, flip_byte, cut_at_record, drop_entry)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda t: t.__name__)
async def test_tampering_is_never_an_answer_where_the_index_is_known(
    knowing: Harness, tamper: Tamper
) -> None:
    """An entry that is lost, altered or exchanged is noticed as ever. What is done to a set or to
    counts isn't noticed by reads that need neither: they are right all the same.
    """
    for scope in SCOPES.values():
        await knowing.read(scope)
    await tamper(knowing)
    damaged = []
    for name, scope in SCOPES.items():
        try:
            assert rows_of(await knowing.read(scope)) == expected(scope)
        except Damage:
            damaged.append(name)
    assert ("a practice" in damaged) == (tamper in OF_ENTRIES)
    assert damaged == [] or tamper in OF_ENTRIES
    assert "nobody's" not in damaged


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda t: t.__name__)
async def test_tampering_is_never_an_answer_where_some_of_the_index_is_known(
    knowing: Harness, tamper: Tamper
) -> None:
    """Nor where what is known is put together with what was tampered with."""
    for name in ("a small practice", "a provider", "nobody's"):
        await knowing.read(SCOPES[name])
    await tamper(knowing)
    damaged = []
    for _ in range(2):  # the damage of one read isn't what the next one knows
        for name, scope in SCOPES.items():
            try:
                assert rows_of(await knowing.read(scope)) == expected(scope)
            except Damage:
                damaged.append(name)
    # A foreign member in a set is harmless in the union with the set that it belongs to.
    assert damaged.count("a practice") == (1 if tamper is add_member else 2)
    assert "nobody's" not in damaged


async def test_a_moved_pointer_is_noticed_where_the_index_is_known(knowing: Harness) -> None:
    """The trip that fetches looks at the pointer, also where nothing is to be fetched."""
    for scope in SCOPES.values():
        await knowing.read(scope)
    warmer = Warmer(knowing.store, "", knowing.seal, WarmSettings())
    await warmer.warm(DATASOURCE, MemorySource(TABLE[:150]))
    for scope in SCOPES.values():
        with pytest.raises(PointerMoved):
            await knowing.read(scope)
    live = await knowing.snapshots.load(DATASOURCE)
    assert live is not None
    knowing.live = live
    assert rows_of(await knowing.read(SCOPES["everything"])) == sorted(
        ((p, v, x) for _, p, v, _, x in TABLE[:150]), key=str
    )
    await knowing.run(b"DEL", Keys("", 1).current)
    with pytest.raises(PointerMoved):
        await knowing.read(SCOPES["everything"])


async def test_each_process_knows_for_itself(knowing: Harness) -> None:
    """What one process has proven, another one looks up."""
    other = Harness(knowing.store, knowing.seal, 64 << 20)
    other.live, other.keys = knowing.live, knowing.keys
    await knowing.read(SCOPES["a practice"])
    for reader, trips in ((knowing, 1), (other, 2), (other, 1)):
        reading = await reader.read(SCOPES["a practice"])
        assert (rows_of(reading), reading.trips) == (expected(SCOPES["a practice"]), trips)


async def test_a_missing_manifest_is_damage(harness: Harness) -> None:
    """A pointer to nothing isn't a cold data source."""
    version = str(harness.live.manifest.version)
    await harness.run(b"DEL", Keys("", 1).manifest(version))
    harness.snapshots.forget(1)
    with pytest.raises(Damage):
        await harness.snapshots.load(DATASOURCE)


async def test_a_manifest_under_another_version_is_damage(harness: Harness) -> None:
    """A manifest is sealed with its own name."""
    keys = Keys("", 1)
    old = str(harness.live.manifest.version)
    new = "9-" + "0" * 16
    await harness.run(b"COPY", keys.manifest(old), keys.manifest(new))
    await harness.run(b"SET", keys.current, new.encode(), b"PX", 100_000)
    with pytest.raises(Damage):
        await harness.snapshots.load(DATASOURCE)


async def test_a_pointer_without_expiry_is_damage(harness: Harness) -> None:
    """Nothing would bound the age of what it names."""
    await harness.run(b"PERSIST", Keys("", 1).current)
    with pytest.raises(Damage):
        await harness.snapshots.load(DATASOURCE)


async def test_a_moved_pointer_is_told_from_damage(harness: Harness) -> None:
    """After a re-warm, a read that was planned before starts anew; it isn't called damage."""
    warmer = Warmer(harness.store, "", harness.seal, WarmSettings())
    await warmer.warm(DATASOURCE, MemorySource(TABLE))
    for scope in SCOPES.values():
        with pytest.raises(PointerMoved):
            await harness.read(scope)


async def test_the_other_seal_reads_nothing(store: Store) -> None:
    """A process with another seal, or another key, finds damage and no rows."""
    harness = Harness(store, Mac(b"s" * 32))
    await harness.warm()
    for other in (Checksum(), Mac(b"t" * 32)):
        with pytest.raises(Damage):
            await Snapshots(store, "", other).load(DATASOURCE)


async def test_a_snapshot_of_another_table_is_cold(harness: Harness) -> None:
    """If the configuration names another table now, what was warmed doesn't answer for it."""
    other = dataclasses.replace(DATASOURCE, table="another")
    assert await harness.snapshots.load(other) is None


async def test_a_snapshot_past_its_life_is_not_served(store: Store) -> None:
    """Readers count down on their own clock from what the store said was left."""
    now = [0.0]
    harness = Harness(store, Checksum())
    harness.snapshots = Snapshots(store, "", Checksum(), clock=lambda: now[0])
    await harness.warm()
    live = harness.snapshots.known(DATASOURCE)
    assert live is not None
    assert not harness.snapshots.is_stale(live)
    now[0] = 14_401.0
    assert harness.snapshots.known(DATASOURCE) is live
    assert harness.snapshots.is_stale(live)
    now[0] = 18_001.0
    assert harness.snapshots.known(DATASOURCE) is None
