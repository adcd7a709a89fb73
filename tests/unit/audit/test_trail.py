"""`warmcube.audit.trail`: nobody waits who needn't, and nothing is lost untold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.support.audit import NOON, a_denial, a_grant, read_line, read_lines

from warmcube.audit.context import REQUEST_ID
from warmcube.audit.file_sink import FileSink
from warmcube.audit.reasons import DenialReason
from warmcube.audit.trail import Trail
from warmcube.errors import AuditError


class Box:
    """A sink in memory that fails, or holds its calls, when told to."""

    def __init__(self) -> None:
        self.writes: list[list[dict[str, Any]]] = []
        self.tries = 0
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_closed = False

    async def write(self, lines: Sequence[bytes]) -> None:
        self.tries += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.writes.append([read_line(line) for line in lines])

    async def close(self) -> None:
        self.is_closed = True

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All that was written."""
        return [line for write in self.writes for line in write]

    @property
    def subjects(self) -> list[Any]:
        """Of whom the lines are."""
        return [line.get("subject") for line in self.lines]


class PlainBox(Box):
    """One that doesn't look whether each line is what it should be, for very many of them."""

    async def write(self, lines: Sequence[bytes]) -> None:
        await self.gate.wait()
        self.writes.append([orjson.loads(line) for line in lines])


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> Any:
        return NOON + timedelta(seconds=self.seconds)


@pytest.fixture
def box() -> Box:
    """A sink."""
    return Box()


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@asynccontextmanager
async def opened(box: Box, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Trail]:
    """A trail that is closed in the end."""
    times: dict[str, Any] = (
        {} if clock is None else {"clock": clock.now, "monotonic": clock.monotonic}
    )
    trail = Trail(box, **times, **settings)
    yield trail
    await trail.close()


async def until(condition: Callable[[], object]) -> None:
    """Let others run until something is so."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.001)


async def test_what_is_noted_and_recorded_is_written_in_order(box: Box, clock: Clock) -> None:
    """With its time, the trail's id, and numbers without a gap."""
    async with opened(box, clock) as trail:
        trail.note(a_grant("a"))
        await trail.record(a_grant("b"))
        clock.seconds = 1
        trail.note(a_denial("c"))
    assert box.subjects == ["a", "b", "c"]
    assert [line["number"] for line in box.lines] == [1, 2, 3]
    assert [line["time"][11:19] for line in box.lines] == ["12:00:00", "12:00:00", "12:00:01"]
    assert len({line["trail"] for line in box.lines}) == 1
    assert {line["probe"] for line in box.lines} == {False}
    assert box.is_closed


async def test_trials_are_marked(box: Box) -> None:
    """Every line of `warmcube prove`."""
    async with opened(box, is_probe=True) as trail:
        trail.note(a_grant())
        trail.note(a_denial())
    assert [line["probe"] for line in box.lines] == [True, True]


async def test_nothing_waits_for_the_sink_unless_required(box: Box) -> None:
    """A sink that holds its calls holds nobody else."""
    box.gate.clear()
    async with opened(box) as trail:
        for number in range(200):
            await trail.record(a_grant(str(number)))
            trail.note(a_denial(str(number)))
        assert box.writes == []
        box.gate.set()
    assert box.subjects == [str(n) for number in range(200) for n in (number, number)]
    assert len(box.writes) < 10


async def test_recording_at_once(box: Box, clock: Clock) -> None:
    """What is taken without waiting stands in the order in which it was taken."""
    async with opened(box, clock) as trail:
        assert trail.record_at_once(lambda: a_grant("a"))
        await trail.record(a_grant("b"))
        assert trail.record_at_once(lambda: a_grant("c"))
    assert box.subjects == ["a", "b", "c"]


async def test_nothing_is_recorded_at_once_that_has_to_wait(box: Box) -> None:
    """Where the audit is required, and where much waits to be written."""
    async with opened(box, required=True) as trail:
        assert not trail.record_at_once(a_grant)
    box.gate.clear()
    async with opened(box, queue_size=10) as trail:
        taken = [trail.record_at_once(a_grant) for _ in range(7)]
        assert taken == [True] * 5 + [False] * 2
        box.gate.set()
    assert len(box.lines) == 5


async def test_one_event_may_be_told_many_times(box: Box, clock: Clock) -> None:
    """Each line has its own heading, and is as if it were of an event of its own."""
    async with opened(box, clock) as trail:
        again = a_grant("again")
        for number in range(60):
            clock.seconds = number
            trail.note(again if number % 2 else replace(again))
    assert [line["number"] for line in box.lines] == list(range(1, 61))
    assert len({line["time"] for line in box.lines}) == 60
    for line in box.lines:
        assert line | {"number": 0, "time": ""} == box.lines[0] | {"number": 0, "time": ""}


async def test_a_required_record_waits_for_the_sink(box: Box) -> None:
    """It goes on when its line is there, and not before."""
    box.gate.clear()
    async with opened(box, required=True) as trail:
        recording = asyncio.create_task(trail.record(a_grant()))
        await until(lambda: box.tries)
        assert not recording.done()
        box.gate.set()
        await recording
        assert box.subjects == ["ana"]


async def test_those_who_wait_share_one_write(box: Box) -> None:
    """A hundred at once are two writes: the first, and all that came meanwhile."""
    box.gate.clear()
    async with opened(box, required=True) as trail:
        first = asyncio.create_task(trail.record(a_grant("first")))
        await until(lambda: box.tries)
        others = [asyncio.create_task(trail.record(a_grant(str(n)))) for n in range(100)]
        await asyncio.sleep(0)
        box.gate.set()
        await asyncio.gather(first, *others)
    assert [len(write) for write in box.writes] == [1, 100]


async def test_no_audit_no_answer(box: Box) -> None:
    """A sink that fails is an error for all that wait; the next are tried at once, and go on."""
    reported: list[str] = []
    box.failure = AuditError("the disk is full")
    async with opened(
        box, required=True, report=lambda error: reported.append(str(error))
    ) as trail:
        tasks = [asyncio.create_task(trail.record(a_grant(str(n)))) for n in range(3)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {str(outcome) for outcome in outcomes} == {
            (
                "no answer, since it can't be audited ([audit] required = true): the disk is full; "
                "see to the audit's sink, or ask again"
            )
        }
        assert isinstance(outcomes[0], AuditError)
        assert outcomes[0].exit_status == 1
        assert str(trail.trouble) == "the disk is full"
        with pytest.raises(AuditError):
            await trail.record(a_grant("again"))
        box.failure = None
        await trail.record(a_grant("now"))
        assert trail.trouble is None
    assert box.subjects == ["now"]
    assert reported == ["the disk is full"]


async def test_a_sink_that_hangs_is_one_that_fails(box: Box) -> None:
    """Within the bound; and the trail recovers."""
    box.gate.clear()
    async with opened(box, required=True, bound=0.01) as trail:
        with pytest.raises(AuditError, match=r"didn't answer within 0\.01 s"):
            await trail.record(a_grant())
        await until(lambda: trail.trouble)
        assert "didn't answer within 0.01 s" in str(trail.trouble)
        box.gate.set()
        await trail.record(a_grant("now"))
    assert box.subjects == ["now"]


async def test_a_full_queue_is_no_answer(box: Box) -> None:
    """Where it is required; nobody waits without a bound."""
    box.gate.clear()
    async with opened(box, required=True, queue_size=3) as trail:
        for _ in range(3):
            trail.note(a_grant())
        with pytest.raises(AuditError, match="3 events wait for it"):
            await trail.record(a_grant())
        box.gate.set()


@pytest.mark.parametrize("is_begun", [False, True])
async def test_who_stops_waiting_disturbs_nobody(box: Box, is_begun: bool) -> None:
    """A recording that is cancelled, before its write or in it, leaves the others alone."""
    box.gate.clear()
    async with opened(box, required=True) as trail:
        tasks = [asyncio.create_task(trail.record(a_grant(str(n)))) for n in range(3)]
        await (until(lambda: box.tries) if is_begun else asyncio.sleep(0))
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        box.gate.set()
        await asyncio.gather(tasks[0], tasks[2])
        assert tasks[1].cancelled()
        await trail.record(a_grant("more"))
    assert box.subjects == ["0", "1", "2", "more"]


async def test_a_cancelled_recording_of_a_failing_sink(box: Box) -> None:
    """Likewise."""
    box.gate.clear()
    box.failure = AuditError("no")
    async with opened(box, required=True) as trail:
        tasks = [asyncio.create_task(trail.record(a_grant(str(n)))) for n in range(2)]
        await until(lambda: box.tries)
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        box.gate.set()
        with pytest.raises(AuditError):
            await tasks[1]


async def test_a_short_failure_loses_nothing(box: Box) -> None:
    """What isn't waited for is kept and tried again, in its order and once."""
    reported: list[str] = []
    box.failure = AuditError("no route")
    async with opened(box, report=lambda error: reported.append(str(error))) as trail:
        for number in range(5):
            await trail.record(a_grant(str(number)))
        await until(lambda: box.tries >= 2)
        trail.note(a_grant("5"))
        box.failure = None
        await until(lambda: len(box.lines) == 6)
        assert trail.trouble is None
    assert box.subjects == list("012345")
    assert [line["number"] for line in box.lines] == [1, 2, 3, 4, 5, 6]
    assert reported == ["no route"]


async def test_what_is_lost_is_counted_and_told(box: Box, clock: Clock) -> None:
    """When the sink works again, one line says how many events, and since when."""
    reported: list[str] = []
    box.gate.clear()
    async with opened(
        box, clock, queue_size=10, report=lambda error: reported.append(str(error))
    ) as trail:
        for number in range(25):
            clock.seconds = number
            trail.note(a_grant(str(number)))
        box.gate.set()
        await until(lambda: box.lines and box.lines[-1]["event"] == "dropped")
        trail.note(a_grant("later"))
    assert [line.get("subject") for line in box.lines] == [*"0123456789", None, "later"]
    assert (box.lines[10]["count"], box.lines[10]["since"]) == (15, "2026-03-01T12:00:10.000000Z")
    assert reported == ["10 audit events wait; more are lost"]


async def test_a_sink_that_works_again_is_found_out(box: Box) -> None:
    """Though nobody asks for anything, since there is no answer while it fails."""
    async with opened(box, required=True) as trail:
        await trail.retry()
        assert box.tries == 0
        box.failure = AuditError("the disk is full")
        with pytest.raises(AuditError, match="the disk is full"):
            await trail.record(a_grant())
        await trail.retry()
        assert str(trail.trouble) == "the disk is full"
        box.failure = None
        await trail.retry()
        assert trail.trouble is None
        await trail.record(a_grant("bob"))
    assert box.subjects == ["bob"]


async def test_failures_that_nobody_foresaw_are_failures(box: Box) -> None:
    """A mistake in a sink, or in who is told, stops neither the trail nor the event loop."""

    def report(_: AuditError) -> None:
        raise RuntimeError

    box.failure = ZeroDivisionError("oops")
    async with opened(box, required=True, report=report) as trail:
        with pytest.raises(AuditError, match="sink failed: ZeroDivisionError: oops"):
            await trail.record(a_grant())
        box.failure = None
        await trail.record(a_grant("now"))
    assert box.subjects == ["now"]


async def test_an_event_that_is_none_is_lost_alone(box: Box) -> None:
    """What no line can be made of is told as lost, and its recording fails."""
    reported: list[str] = []
    broken = replace(a_grant(), rows=object())  # type: ignore[arg-type]
    async with opened(
        box, required=True, report=lambda error: reported.append(str(error))
    ) as trail:
        for _ in range(30):
            trail.note(a_grant())
        trail.note(broken)
        with pytest.raises(AuditError, match="a granted event can't be written"):
            await trail.record(broken)
        await trail.record(a_grant("b"))
    events = [line["event"] for line in box.lines]
    assert events.count("granted") == 31
    assert sum(line["count"] for line in box.lines if line["event"] == "dropped") == 2
    assert reported[0].startswith("a granted event can't be written: KeyError")


async def test_denials_are_folded(box: Box, clock: Clock) -> None:
    """A flood of them fills neither the queue nor the disk; the rest comes with its minute."""
    async with opened(box, clock, queue_size=10) as trail:
        for number in range(100_000):
            trail.note(a_denial(f"nobody {number}", DenialReason.UNKNOWN_USER))
        await until(lambda: box.lines)
        clock.seconds = 60
        trail.note(a_grant())
        await until(lambda: len(box.lines) == 3)
        trail.note(a_denial())
        trail.note(a_denial())
    told = {(line["event"], line.get("repeated")) for line in box.lines}
    assert told == {("denied", 0), ("denied", 99_998), ("granted", None)}
    assert len(box.lines) == 5


async def test_lines_bear_the_request_that_they_belong_to(box: Box, clock: Clock) -> None:
    """Of the time at which something happened; what stands for several requests bears none."""
    async with opened(box, clock) as trail:
        trail.note(a_grant("nobody's"))
        for request in ("first", "second", "third"):
            token = REQUEST_ID.set(request)
            trail.note(a_denial())
            await trail.record(a_grant(request))
            REQUEST_ID.reset(token)
    assert [(line["event"], line["request"]) for line in box.lines] == [
        ("granted", None),
        ("denied", "first"),
        ("granted", "first"),
        ("granted", "second"),
        ("granted", "third"),
        ("denied", None),
    ]


async def test_a_required_line_bears_its_request(box: Box) -> None:
    """Though another task makes the line."""
    async with opened(box, required=True) as trail:
        token = REQUEST_ID.set("first")
        await trail.record(a_grant())
        REQUEST_ID.reset(token)
        await trail.record(a_grant())
    assert [line["request"] for line in box.lines] == ["first", None]


@pytest.mark.parametrize("has_sink", [True, False])
async def test_every_denial_is_told(box: Box, has_sink: bool) -> None:
    """Before they are folded, and also where nothing is audited."""
    told: list[DenialReason] = []
    trail = Trail(box if has_sink else None)
    trail.denied = told.append
    for _ in range(3):
        trail.note(a_denial())
    trail.note(a_grant())
    trail.note(a_denial(reason=DenialReason.OTHER))
    await trail.close()
    assert told == [*[DenialReason.NO_PERMISSION] * 3, DenialReason.OTHER]


async def test_the_rest_comes_without_anything_else_happening(box: Box) -> None:
    """When the minute is over, though nobody asks for anything any more."""
    seconds = [0.0]
    async with opened(box, monotonic=lambda: seconds[0]) as trail:
        trail.note(a_denial())
        trail.note(a_denial())
        seconds[0] = 59.99  # before the trail looks how long it has to wait
        await until(lambda: len(box.lines) == 1)
        seconds[0] = 60.0
        await until(lambda: len(box.lines) == 2)


async def test_a_lost_fold_counts_for_all_that_it_stands_for(box: Box, clock: Clock) -> None:
    """The number of events that were dropped is one of events, not of lines."""
    box.gate.clear()
    async with opened(box, clock, queue_size=1) as trail:
        for _ in range(10):
            trail.note(a_denial())
        clock.seconds = 60
        trail.note(a_denial())
        box.gate.set()
    assert [(line["event"], line.get("count")) for line in box.lines] == [
        ("denied", None),
        ("dropped", 10),
    ]


async def test_closing_writes_what_is_left(box: Box) -> None:
    """Folded denials included; after that nothing is taken any more."""
    box.failure = AuditError("no")
    trail = Trail(box)
    trail.note(a_grant())
    for _ in range(3):
        trail.note(a_denial())
    await until(lambda: box.tries)
    box.failure = None
    await trail.close()
    await trail.close()
    trail.note(a_grant())
    await trail.record(a_grant())
    assert [(line["event"], line.get("repeated")) for line in box.lines] == [
        ("granted", None),
        ("denied", 0),
        ("denied", 1),
    ]


async def test_what_cannot_be_written_in_the_end_is_reported(box: Box) -> None:
    """With how many events were lost; and closing comes to its end."""
    reported: list[str] = []
    box.failure = AuditError("no")
    trail = Trail(box, queue_size=2, report=lambda error: reported.append(str(error)))
    for number in range(5):
        trail.note(a_grant(str(number)))
    for _ in range(4):
        trail.note(a_denial())
    await trail.close()
    assert reported[-1] == "9 audit events are lost: no"
    assert box.is_closed


async def test_a_loss_that_cannot_be_told_is_reported() -> None:
    """A line that tells of lost events, and is lost itself, counts for all of them."""

    class Once(Box):
        async def write(self, lines: Sequence[bytes]) -> None:
            await super().write(lines)
            self.failure = AuditError("no")

    reported: list[str] = []
    trail = Trail(Once(), queue_size=2, report=lambda error: reported.append(str(error)))
    for number in range(5):
        trail.note(a_grant(str(number)))
    await trail.close()
    assert reported == ["2 audit events wait; more are lost", "no", "3 audit events are lost: no"]


async def test_nobody_waits_for_a_closed_trail(box: Box) -> None:
    """Required recordings fail at once; those that waited when it closed are refused too."""
    trail = Trail(box, required=True)
    await trail.close()
    with pytest.raises(AuditError, match="it is closed"):
        await trail.record(a_grant())
    box.failure = AuditError("no")
    other = Trail(box, required=True)
    recording = asyncio.create_task(other.record(a_grant()))
    await asyncio.sleep(0)
    await other.close()
    with pytest.raises(AuditError, match="no answer"):
        await recording


async def test_more_waiting_than_one_write_takes(box: Box) -> None:
    """When the trail closes on a failing sink, those beyond the first write are refused too."""
    box.gate.clear()
    box.failure = AuditError("no")
    trail = Trail(box, required=True)
    tasks = [asyncio.create_task(trail.record(a_grant(str(n)))) for n in range(600)]
    await until(lambda: box.tries)
    closing = asyncio.create_task(trail.close())
    await asyncio.sleep(0)
    box.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, AuditError) for outcome in outcomes)
    await closing


async def test_a_loop_that_waits_for_nothing_else_loses_nothing() -> None:
    """Recording lets the lines be written when many wait."""
    box = PlainBox()
    async with opened(box, queue_size=400) as trail:
        for number in range(2_000):
            await trail.record(a_grant(str(number)))
    assert box.subjects == [str(number) for number in range(2_000)]


async def test_many_such_loops_lose_nothing_either() -> None:
    """However many add lines at each turn of the event loop, more are written than added."""
    box = PlainBox()

    async def ask(name: int) -> None:
        for number in range(100):
            event = a_grant(f"{name} {number}")
            if not trail.record_at_once(lambda event=event: event):  # type: ignore[misc]
                await trail.record(event)

    async with opened(box) as trail:
        await asyncio.gather(*map(ask, range(200)))
    assert Counter(box.subjects) == Counter(f"{a} {b}" for a in range(200) for b in range(100))


async def test_a_failing_sink_holds_nobody_up_however_much_waits(box: Box) -> None:
    """Where no line is required, what is lost is counted instead."""
    box.failure = AuditError("no")
    async with opened(box, queue_size=100) as trail:
        await trail.record(a_grant("0"))
        await until(lambda: trail.trouble)
        for number in range(1, 3000):
            await trail.record(a_grant(str(number)))
        box.failure = None
    assert box.subjects[:100] == [str(number) for number in range(100)]
    lost = sum(line["count"] for line in box.lines if line["event"] == "dropped")
    assert lost + sum(line["event"] == "granted" for line in box.lines) == 3000


async def test_no_sink_no_audit() -> None:
    """Nothing is written, and nothing fails; but it can't be required."""
    trail = Trail(None)
    trail.note(a_grant())
    await trail.record(a_grant())
    await trail.close()
    with pytest.raises(ValueError, match="needs a sink"):
        Trail(None, required=True)


async def test_a_sink_that_hangs_doesnt_hold_up_the_end() -> None:
    """Closing goes on after the bound."""

    class Hanging(Box):
        async def close(self) -> None:
            await asyncio.Event().wait()

    trail = Trail(Hanging(), bound=0.01)
    trail.note(a_grant())
    await trail.close()


@pytest.mark.parametrize("required", [False, True])
async def test_a_whole_trail_on_a_real_file(tmp_path: Path, required: bool) -> None:
    """All lines are there, in order and whole, also when the file is rotated meanwhile."""
    path = tmp_path / "audit.jsonl"
    trail = Trail(FileSink(path, sync=required), required=required)

    async def work(worker: int) -> None:
        for number in range(40):
            await trail.record(a_grant(f"{worker}:{number}"))
            if (worker, number) == (0, 20) and required:
                path.rename(tmp_path / "audit.jsonl.1")

    await asyncio.gather(*(work(worker) for worker in range(10)))
    await trail.close()
    rotated = [tmp_path / "audit.jsonl.1"] if required else []
    lines = [line for file in (*rotated, path) for line in read_lines(file.read_bytes())]
    assert sorted(line["number"] for line in lines) == list(range(1, 401))
    for worker in range(10):
        mine = [
            line["subject"]
            for line in sorted(lines, key=lambda line: int(line["number"]))
            if line["subject"].startswith(f"{worker}:")
        ]
        assert mine == [f"{worker}:{number}" for number in range(40)]


async def test_a_full_disk_is_no_answer_where_required(tmp_path: Path) -> None:
    """On a real full device; and an answer where the audit isn't required, with a report."""
    path = tmp_path / "audit.jsonl"
    path.symlink_to("/dev/full")
    strict = Trail(FileSink(path, sync=True), required=True)
    with pytest.raises(AuditError, match="No space left on device"):
        await strict.record(a_grant())
    await strict.close()
    reported: list[AuditError] = []
    lax = Trail(FileSink(path), report=reported.append)
    await lax.record(a_grant())
    await until(lambda: reported)
    path.unlink()
    await lax.close()
    assert [line["subject"] for line in read_lines(path.read_bytes())] == ["ana"]
