"""The authoriser keeps a directory, makes grants of it, and trusts only its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.access import Request, ask

from warmcube.access.directory import Directory
from warmcube.access.survey import Survey, survey
from warmcube.directory import authoriser as module
from warmcube.directory.authoriser import Authoriser
from warmcube.errors import AccessDenied, DirectoryError

GOOD: dict[str, Any] = {
    "roles": {"reader": ["analytics:read:all"]},
    "users": [{"id": "ana", "roles": ["reader"]}, {"id": "bob", "roles": ["reader"]}],
}
WITHOUT_ANA = {**GOOD, "users": GOOD["users"][1:]}
BOB_DEFECTIVE = {**GOOD, "users": [GOOD["users"][0], {"id": "bob", "roles": ["raeder"]}]}
BROKEN_TREE = {**GOOD, "organizations": [{"id": "x", "parent": "x"}]}


class _Time:
    """One clock for all, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


class _Source:
    """A directory kept in memory, that can be changed and broken."""

    name = "the test's directory"

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self.takes_defects = False
        self.news = asyncio.Event()
        self.again = asyncio.Event()  # set when it has been read twice
        self.is_closed = False
        self.records: Mapping[str, Any] = GOOD
        self.broken: str | None = None
        self.mistake: Exception | None = None
        self.reads = 0
        self.asked: list[str | None] = []
        self.gate: asyncio.Event | None = None  # holds reads back
        self.waiting = asyncio.Event()
        self.is_mute = False

    async def read(self, version: str | None) -> Survey | None:
        self.reads += 1
        if self.reads > 1:
            self.again.set()
        self.asked.append(version)
        records, broken = self.records, self.broken
        if self.mistake is not None:
            raise self.mistake
        if self.gate is not None:
            self.waiting.set()
            await self.gate.wait()
        if broken is not None:
            raise DirectoryError(broken)
        found = str(id(records))
        return None if self.is_mute or found == version else survey(records, version=found)

    def is_due(self, looked: float, within: float) -> bool:
        return self.monotonic() - looked >= within

    def counts_until(self, confirmed: float) -> float:
        return confirmed + 60

    async def wait_for_news(self) -> None:
        await self.news.wait()
        self.news.clear()

    async def close(self) -> None:
        self.is_closed = True


class _World:
    """An authoriser with its time, its source, and what it reported."""

    def __init__(self) -> None:
        self.time = _Time()
        self.source = _Source(self.time.monotonic)
        self.reported: list[str] = []
        self.changes: list[tuple[str | None, str]] = []
        self.authoriser = self.another()

    def another(self, *, is_watching: bool = False) -> Authoriser:
        return Authoriser(
            self.source,
            clock=self.time.now,
            monotonic=self.time.monotonic,
            report=lambda error: self.reported.append(str(error)),
            changed=self._changed,
            is_watching=is_watching,
        )

    def _changed(self, before: Directory | None, after: Survey) -> None:
        assert after.directory is not None
        self.changes.append((None if before is None else before.version, after.directory.version))


@pytest.fixture
def world() -> _World:
    """A fresh one."""
    return _World()


def _reason(error: pytest.ExceptionInfo[AccessDenied]) -> str:
    return error.value.reason


async def test_a_grant_of_now(world: _World) -> None:
    """It is decided from the present directory, for a minute from the last look at it."""
    grant = await world.authoriser.authorize("ana")
    assert grant.decided_at == world.time.now() == world.authoriser.now()
    assert grant.valid_until == world.time.now() + timedelta(seconds=60)
    assert world.authoriser.check(grant) is grant
    assert ask(grant, Request(), now=world.authoriser.now()).scope.is_everything
    with pytest.raises(AccessDenied) as error:
        await world.authoriser.authorize("eve")
    assert _reason(error) == "unknown user"


async def test_a_change_holds_at_the_next_decision(world: _World) -> None:
    """Whoever was taken out is denied, whoever was put in is let in, and old grants are over."""
    old = await world.authoriser.authorize("ana")
    world.source.records = WITHOUT_ANA
    with pytest.raises(AccessDenied):
        await world.authoriser.authorize("ana")
    with pytest.raises(AccessDenied, match=r"directory has changed .* authorise anew") as error:
        world.authoriser.check(old)
    assert _reason(error) == "grant outdated"
    world.source.records = GOOD
    assert (await world.authoriser.authorize("ana")).user.id == "ana"


async def test_a_source_is_asked_for_news_only(world: _World) -> None:
    """It is told the version in force, so that it needn't give again what is known."""
    for _ in range(2):
        await world.authoriser.authorize("ana")
    assert world.source.asked == [None, str(id(GOOD))]


async def test_only_its_own_grants(world: _World) -> None:
    """A grant of another authoriser, even over the same directory, is denied."""
    foreign = await world.another().authorize("ana")
    await world.authoriser.authorize("ana")
    for grant in (foreign, None, "ana", object()):
        with pytest.raises(AccessDenied, match="a grant is needed") as error:
            world.authoriser.check(grant)
        assert _reason(error) == "foreign grant"
        with pytest.raises(AccessDenied, match="a grant is needed"):
            await world.authoriser.renew(grant)


async def test_a_grant_ends(world: _World) -> None:
    """After its time it is denied, however often the directory was confirmed since."""
    grant = await world.authoriser.authorize("ana")
    world.time.seconds = 59
    await world.authoriser.authorize("bob")
    assert world.authoriser.check(grant) is grant
    world.time.seconds = 60
    await world.authoriser.authorize("bob")
    with pytest.raises(AccessDenied, match="authorise anew"):
        world.authoriser.check(grant)


async def test_a_clock_set_back_doesnt_prolong(world: _World) -> None:
    """What the wall clock says, a directory not looked at for its bound grants nothing."""
    clock = world.time.now()
    authoriser = Authoriser(world.source, clock=lambda: clock, monotonic=world.time.monotonic)
    grant = await authoriser.authorize("ana")
    world.time.seconds = 59.9
    assert authoriser.check(grant) is grant
    world.time.seconds = 60
    with pytest.raises(AccessDenied, match="couldn't be read for too long"):
        authoriser.check(grant)


async def test_renewing(world: _World) -> None:
    """A grant that counts stays; an outdated one is decided anew, or denied."""
    grant = await world.authoriser.authorize("ana")
    assert await world.authoriser.renew(grant) is grant
    world.time.seconds = 70
    second = await world.authoriser.renew(grant)
    assert second is not grant
    assert second.decided_at == world.time.now()
    world.source.records = {**GOOD, "organizations": []}
    world.time.seconds = 72
    third = await world.authoriser.renew(second)
    assert third.version != second.version
    world.source.records = WITHOUT_ANA
    world.time.seconds = 74
    with pytest.raises(AccessDenied) as error:
        await world.authoriser.renew(third)
    assert _reason(error) == "unknown user"


async def test_whether_a_grant_counts_is_known_without_a_look(world: _World) -> None:
    """Only where renewing gives it back, and would read nothing to find out."""
    authoriser = world.authoriser
    assert not authoriser.counts(None)
    world.time.seconds = 1000
    foreign = await world.another().authorize("ana")
    assert not authoriser.counts(foreign)  # before the first look, too
    grant = await authoriser.authorize("ana")
    for other in (foreign, None, "ana", object()):
        assert not authoriser.counts(other)
    for world.time.seconds in (1000, 1000.5, 1000.99):
        reads = world.source.reads
        assert authoriser.counts(grant)
        assert (await authoriser.renew(grant), world.source.reads) == (grant, reads)
    world.time.seconds = 1001
    assert not authoriser.counts(grant)  # it is time to look for news
    assert await authoriser.renew(grant) is grant
    assert authoriser.counts(grant)
    world.source.records = {**GOOD, "organizations": []}
    await authoriser.authorize("bob")
    assert not authoriser.counts(grant)  # it was decided from another directory
    grant = await authoriser.renew(grant)
    world.time.seconds = 1061
    await authoriser.authorize("bob")
    assert not authoriser.counts(grant)  # its time is over
    world.time.seconds = 1060.9
    assert authoriser.counts(grant)
    world.time.seconds = 900
    assert not authoriser.counts(grant)  # it hasn't been decided yet


async def test_no_grant_counts_without_a_directory(
    world: _World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that couldn't be read for too long, although nobody is to look for news right now."""
    clock = world.time.now()
    authoriser = Authoriser(world.source, clock=lambda: clock, monotonic=world.time.monotonic)
    grant = await authoriser.authorize("ana")
    monkeypatch.setattr(world.source, "is_due", lambda *_: False)
    world.time.seconds = 59.9
    assert authoriser.counts(grant)
    world.time.seconds = 60
    assert not authoriser.counts(grant)
    with pytest.raises(AccessDenied, match="couldn't be read for too long"):
        await authoriser.renew(grant)


async def test_recalling(world: _World) -> None:
    """One who comes again is decided on again before the minute is over that a grant holds.

    So what begins with a recalled grant doesn't end with it. Another actor's grant is its own.
    """
    world.time.seconds = 1000
    grant = await world.authoriser.recall("ana", actor="a")
    for world.time.seconds in (1000.5, 1030, 1045):
        assert await world.authoriser.recall("ana", actor="a") is grant
    assert world.source.reads == 3
    other = await world.authoriser.recall("ana", actor="b")
    assert (other.actor, other.user.id) == ("b", "ana")
    assert (await world.authoriser.recall("bob", actor="a")).user.id == "bob"
    world.time.seconds = 1045.1
    later = await world.authoriser.recall("ana", actor="a")
    assert (later.decided_at, later.actor) == (world.time.now(), "a")
    assert await world.authoriser.recall("ana", actor="a") is later


async def test_recalling_ends_with_the_right(world: _World) -> None:
    """Within a second of the directory's change; and whoever is let in again comes in."""
    world.time.seconds = 1000
    await world.authoriser.recall("ana")
    world.source.records = WITHOUT_ANA
    world.time.seconds = 1001
    for _ in range(2):
        with pytest.raises(AccessDenied) as error:
            await world.authoriser.recall("ana")
        assert _reason(error) == "unknown user"
    world.source.records = GOOD
    assert (await world.authoriser.recall("ana")).user.id == "ana"


async def test_recalling_is_bounded(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has been there longest is decided on anew."""
    monkeypatch.setattr(module, "MOST_RECALLED", 2)
    first = await world.authoriser.recall("ana", actor="1")
    second = await world.authoriser.recall("ana", actor="2")
    await world.authoriser.recall("ana", actor="3")
    assert await world.authoriser.recall("ana", actor="2") is second
    assert await world.authoriser.recall("ana", actor="1") is not first


async def test_renewing_looks_once_a_second(world: _World) -> None:
    """A grant used again and again costs one look for news in a second, and misses none longer."""
    world.time.seconds = 1000
    grant = await world.authoriser.authorize("ana")
    world.source.records = WITHOUT_ANA
    for world.time.seconds in (1000, 1000.5, 1000.99):
        assert await world.authoriser.renew(grant) is grant
    assert world.source.reads == 1
    world.time.seconds = 1001
    with pytest.raises(AccessDenied):
        await world.authoriser.renew(grant)


@pytest.mark.parametrize(
    ("records", "broken", "words"),
    [
        (GOOD, "it can't be reached", "it can't be reached"),
        (BROKEN_TREE, None, "the test's directory: organizations[0].parent: x → x is a loop"),
        (BOB_DEFECTIVE, None, "the test's directory: users[1].roles[0] (user 'bob'): there is no"),
    ],
)
async def test_a_broken_directory_counts_for_its_bound(
    world: _World, records: Mapping[str, Any], broken: str | None, words: str
) -> None:
    """What was in force stays for a minute since it was last confirmed; then all are denied."""
    await world.authoriser.authorize("ana")
    world.time.seconds = 10
    await world.authoriser.authorize("ana")
    world.source.records, world.source.broken = records, broken
    world.time.seconds = 50
    grant = await world.authoriser.authorize("ana")
    assert grant.valid_until == world.time.now() + timedelta(seconds=20)
    assert str(world.authoriser.trouble).startswith(words)
    world.time.seconds = 69.9
    await world.authoriser.authorize("ana")
    world.time.seconds = 70
    for use in (
        world.authoriser.authorize("ana"),
        world.authoriser.authorize("eve"),
        world.authoriser.renew(grant),
        world.authoriser.directory(),
    ):
        with pytest.raises(AccessDenied, match="couldn't be read for too long") as error:
            await use
        assert _reason(error).startswith(f"directory unreadable: {words}")
    assert len(world.reported) == 1
    world.source.records, world.source.broken = GOOD, None
    assert (await world.authoriser.authorize("ana")).user.id == "ana"
    assert world.authoriser.trouble is None
    world.source.broken = "it can't be reached"
    await world.authoriser.authorize("ana")
    assert len(world.reported) == 2


async def test_a_defect_denies_whom_it_touches(world: _World) -> None:
    """Where the source takes defects, others go on; the defect stays known until it is mended."""
    world.source.takes_defects = True
    grant = await world.authoriser.authorize("bob")
    world.source.records = BOB_DEFECTIVE
    for world.time.seconds in (1, 2, 3):
        with pytest.raises(AccessDenied) as error:
            await world.authoriser.authorize("bob")
        assert _reason(error) == "defect in the directory"
        with pytest.raises(AccessDenied):
            await world.authoriser.renew(grant)
        await world.authoriser.authorize("ana")
        assert "there is no role 'raeder'" in str(world.authoriser.trouble)
    assert len(world.changes) == 2
    world.source.records = GOOD
    await world.authoriser.authorize("bob")
    assert world.authoriser.trouble is None


@pytest.mark.parametrize("records", [BROKEN_TREE, BOB_DEFECTIVE])
async def test_it_doesnt_begin_with_defects(world: _World, records: Mapping[str, Any]) -> None:
    """A first directory that is refused is no directory; it is tried again when asked again."""
    world.source.records = records
    for _ in range(2):
        with pytest.raises(DirectoryError, match="the test's directory: "):
            await world.authoriser.authorize("ana")
    world.source.broken = "it can't be reached"
    with pytest.raises(DirectoryError, match="it can't be reached"):
        await world.authoriser.authorize("ana")
    world.source.records, world.source.broken = GOOD, None
    await world.authoriser.authorize("ana")


async def test_it_may_begin_with_defects(world: _World) -> None:
    """One bad row doesn't lock out everybody where the source takes defects."""
    world.source.takes_defects = True
    world.source.records = BOB_DEFECTIVE
    await world.authoriser.authorize("ana")
    with pytest.raises(AccessDenied):
        await world.authoriser.authorize("bob")
    assert "raeder" in str(world.authoriser.trouble)
    assert world.reported == []


async def test_changes_are_told(world: _World) -> None:
    """Each directory that comes into force is told once, with the one before."""
    for world.source.records in (GOOD, GOOD, WITHOUT_ANA, BROKEN_TREE, GOOD):
        with contextlib.suppress(AccessDenied):
            await world.authoriser.authorize("ana")
    good, without = str(id(GOOD)), str(id(WITHOUT_ANA))
    assert world.changes == [(None, good), (good, without), (without, good)]


async def test_watching(world: _World) -> None:
    """Where it watches, a grant in hand is over as soon as there is news, though nobody asks."""
    authoriser = world.another(is_watching=True)
    grant = await authoriser.authorize("ana")
    world.source.records = WITHOUT_ANA
    authoriser.check(grant)
    world.source.news.set()
    await world.source.again.wait()
    await asyncio.sleep(0)
    with pytest.raises(AccessDenied) as error:
        authoriser.check(grant)
    assert _reason(error) == "grant outdated"
    await authoriser.aclose()
    assert world.source.is_closed
    world.source.news.set()
    await asyncio.sleep(0)
    assert world.source.reads == 2


async def test_watching_outlives_a_mistake(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong is told, and somebody goes on watching."""
    monkeypatch.setattr("warmcube.directory.authoriser.WATCH_AGAIN_SECONDS", 0)
    authoriser = world.another(is_watching=True)
    grant = await authoriser.authorize("ana")
    world.source.mistake = ZeroDivisionError()
    world.source.news.set()
    while not world.reported:  # noqa: ASYNC110 - told from another task
        await asyncio.sleep(0)
    assert world.reported == [
        "the test's directory couldn't be watched (ZeroDivisionError); it is tried again"
    ]
    world.source.mistake, world.source.records = None, WITHOUT_ANA
    world.source.news.set()
    while world.source.reads < 3:  # noqa: ASYNC110 - likewise
        await asyncio.sleep(0)
    with pytest.raises(AccessDenied):
        await authoriser.renew(grant)
    await authoriser.aclose()


async def test_many_share_a_first_look_that_fails(world: _World) -> None:
    """They don't try one after the other; who asks later tries anew."""
    world.source.broken = "it can't be reached"
    world.source.gate = asyncio.Event()
    first = asyncio.create_task(world.authoriser.authorize("ana"))
    await world.source.waiting.wait()
    later = [asyncio.create_task(world.authoriser.authorize("ana")) for _ in range(50)]
    await asyncio.sleep(0)
    world.source.gate.set()
    failed = await asyncio.gather(first, *later, return_exceptions=True)
    assert {str(each) for each in failed} == {"it can't be reached"}
    assert {type(each) for each in failed} == {DirectoryError}
    assert world.source.reads == 2
    world.source.broken = None
    assert await world.authoriser.authorize("ana")


async def test_closing_what_never_watched(world: _World) -> None:
    """The source is closed all the same."""
    await world.authoriser.aclose()
    assert world.source.is_closed


async def test_a_source_that_gives_nothing(world: _World) -> None:
    """Nothing isn't taken for an unchanged directory where there was none."""
    world.source.is_mute = True
    with pytest.raises(DirectoryError, match="the test's directory holds no directory"):
        await world.authoriser.authorize("ana")


async def test_a_grant_from_before_the_first_look(world: _World) -> None:
    """Without a directory in force no grant counts."""
    grant = await world.authoriser.authorize("ana")
    world.authoriser._in_force = None
    with pytest.raises(AccessDenied, match="directory has changed"):
        world.authoriser.check(grant)


async def test_many_at_once_share_a_look(world: _World) -> None:
    """Those who ask while a look is under way share the one after it, which sees all changes."""
    await world.authoriser.authorize("ana")
    world.source.gate = asyncio.Event()
    first = asyncio.create_task(world.authoriser.authorize("ana"))
    await world.source.waiting.wait()
    world.source.records = WITHOUT_ANA
    later = [asyncio.create_task(world.authoriser.authorize("ana")) for _ in range(50)]
    await asyncio.sleep(0)
    world.source.gate.set()
    assert (await first).user.id == "ana"
    denied = await asyncio.gather(*later, return_exceptions=True)
    assert {type(outcome) for outcome in denied} == {AccessDenied}
    assert world.source.reads == 3


async def test_a_cancelled_look_isnt_one(world: _World) -> None:
    """Whoever waited for a look that was cancelled looks for themselves."""
    await world.authoriser.authorize("ana")
    world.source.gate = asyncio.Event()
    first = asyncio.create_task(world.authoriser.authorize("ana"))
    await world.source.waiting.wait()
    second = asyncio.create_task(world.authoriser.authorize("ana"))
    await asyncio.sleep(0)
    world.source.records = WITHOUT_ANA
    first.cancel()
    world.source.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(AccessDenied):
        await second


async def test_the_directory_in_force(world: _World) -> None:
    """Whoever checks the directory gets the one that decisions are made from."""
    directory = await world.authoriser.directory()
    assert set(directory.users) == {"ana", "bob"}


async def test_without_being_given_clocks() -> None:
    """By default it goes by the machine's clocks, and reports to nobody."""
    source = _Source()
    authoriser = Authoriser(source)
    grant = await authoriser.authorize("ana")
    assert abs(grant.decided_at - datetime.now(UTC)) < timedelta(seconds=60)
    source.broken = "it can't be reached"
    assert await authoriser.renew(grant) is grant
    await authoriser.authorize("ana")
    assert str(authoriser.trouble) == "it can't be reached"
