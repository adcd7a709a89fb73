"""`warmcube.audit.line` and `schema`: every line is as the documented schema says."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.support.audit import EVENTS, NOON, SCHEMA_FILE, a_denial, a_grant, read_line

from warmcube import AccessDenied
from warmcube.audit import line as line_module
from warmcube.audit.events import EVENTS as KINDS
from warmcube.audit.events import AuditEvent, BlockedFilter, DirectoryChanged, Granted, denial
from warmcube.audit.line import Heading, Lines, line_of
from warmcube.audit.listed import Listed, id_of, listed_ids, listed_texts
from warmcube.audit.reasons import DenialReason
from warmcube.audit.request import Because, Request
from warmcube.audit.schema import schema, schema_text
from warmcube.errors import UnknownDatasource


def heading(event: AuditEvent, time: datetime = NOON) -> Heading:
    """A heading for an event."""
    return Heading(time=time, event=event.name, trail="0123456789abcdef", number=1, request="r-1")


def told(event: AuditEvent) -> dict[str, Any]:
    """What the line of an event holds."""
    return read_line(line_of(event, heading(event)))


def test_the_documented_schema_is_the_codes() -> None:
    """docs/reference/audit.schema.json is what the declarations make."""
    Draft202012Validator.check_schema(schema())
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "write it anew: python -c 'from warmcube.audit.schema import schema_text; "
        'print(schema_text(), end="")\' > docs/reference/audit.schema.json'
    )


def test_there_is_a_sample_of_every_kind() -> None:
    """So that what follows leaves none out."""
    assert {type(event) for event in EVENTS.values()} == set(KINDS)


@pytest.mark.parametrize("sample", EVENTS)
def test_every_event_is_a_line_of_the_schema(sample: str) -> None:
    """And of its own kind."""
    assert told(EVENTS[sample])["event"] == EVENTS[sample].name


def test_no_field_of_an_event_is_one_of_the_heading() -> None:
    """So that the two stand one after the other, and none of them twice."""
    headings = {field.name for field in fields(Heading)}
    of_requests = {field.name for field in fields(Request)}
    for kind in KINDS:
        names = [field.name for field in fields(kind) if field.name != "request"]
        if "request" in {field.name for field in fields(kind)}:
            names += of_requests
        assert len(set(names)) == len(names)
        assert not headings & set(names)


def test_what_is_remembered_makes_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, whatever came before, and however little is remembered."""
    monkeypatch.setattr(line_module, "_REMEMBERED", 3)
    lines = Lines()
    for event in [*EVENTS.values(), *EVENTS.values(), *[a_grant("ana")] * 3, a_grant("bob")]:
        for time in (NOON, NOON + timedelta(seconds=1)):
            head = heading(event, time)
            assert lines.line_of(event, head) == line_of(event, head)


def test_a_line_in_full() -> None:
    """All that is known of a grant, whatever isn't as null, and cut lists with their count."""
    assert told(EVENTS["granted"]) == {
        "time": "2026-03-01T12:00:00.000000Z",
        "event": "granted",
        "schema": 1,
        "probe": False,
        "trail": "0123456789abcdef",
        "number": 1,
        "request": "r-1",
        "outcome": "allowed",
        "actor": "cli:op",
        "subject": "ana",
        "action": "query",
        "datasource": 1,
        "measure": "Charges",
        "frequency": "Monthly",
        "organization": "north",
        "practices": [101, "102"],
        "providers": {"first": list(range(20)), "count": 5000},
        "column": None,
        "conditions": [{"column": "note", "operator": "like"}],
        "because": [{"role": "analyst", "permission": "analytics:read:all", "organization": None}],
        "directory": "v1",
        "origin": "store",
        "snapshot": "7-abc",
        "rows": 240,
    }


def test_the_schema_refuses_what_isnt_a_line() -> None:
    """A field more or less, another type, an unknown reason, a text with a control character."""
    validator = Draft202012Validator(schema())
    right = told(a_denial())
    assert validator.is_valid(right)
    for field, value in [
        ("outcome", "allowed"),
        ("reason", "because I say so"),
        ("subject", "a\nb"),
        ("subject", "\u202e"),
        ("practices", {"first": [1], "count": 1}),
        ("time", "yesterday"),
        ("schema", 2),
        ("more", 1),
        ("event", "granted"),
    ]:
        wrong = copy.deepcopy(right) | {field: value}
        assert not validator.is_valid(wrong), field
    assert not validator.is_valid({k: v for k, v in right.items() if k != "actor"})


def test_times_are_utc() -> None:
    """Whatever zone they were given in."""
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    event = a_grant()
    assert read_line(line_of(event, heading(event, east)))["time"] == "2026-03-01T12:00:00.000000Z"


@given(st.text(st.characters(), max_size=600))
def test_no_text_breaks_or_grows_a_line(text: str) -> None:
    """Whatever stands in a name, in whichever field, the line stays one, whole and bounded."""
    request = Request(
        action="query",
        measure=id_of(text),
        organization=text,
        column=text,
        practices=listed_ids([text] * 100),
    )
    because = Listed((Because(role=text, permission=text, organization=text),), 1)
    denied = denial(AccessDenied("", reason=text), actor=text, subject=text, request=request)
    changed = DirectoryChanged(
        actor=text,
        outcome="done",
        source=text,
        defects=listed_texts([text] * 100),
    )
    granted = Granted(actor=text, subject=text, request=request, because=because)
    for event in (denied, changed, granted):
        assert len(line_of(event, heading(event))) < 100_000
        told(event)


def test_denials_are_of_two_kinds() -> None:
    """Naming what isn't one's own is a blocked filter; everything else is a denial."""
    request = Request(action="query", datasource=1)
    who: dict[str, Any] = {"actor": "web", "subject": "ana", "request": request}
    blocked = AccessDenied("", reason="practice outside the scope")
    assert denial(blocked, **who) == BlockedFilter(reason=DenialReason.PRACTICE_OUTSIDE, **who)
    assert denial(UnknownDatasource(""), **who).name == "denied"
    who["subject"] = None
    assert denial(UnknownDatasource(""), **who).subject is None


def test_an_event_cannot_be_changed() -> None:
    """What was audited stays as it was."""
    with pytest.raises(AttributeError):
        a_grant().subject = "bob"  # type: ignore[misc]


def test_lines_are_utf8_that_people_can_read() -> None:
    """Letters stay letters."""
    event = a_grant("Žofie Müller")
    assert "Žofie Müller".encode() in line_of(event, heading(event))
    assert json.loads(line_of(event, heading(event)))["subject"] == "Žofie Müller"
