"""`warmcube.compare.report`: what of many findings is listed, and what none is left out of."""

from __future__ import annotations

from dataclasses import replace

from warmcube.compare.report import MOST_LISTED, Finding, Findings, Table, Verdict, advice
from warmcube.entry.keys import PartitionName
from warmcube.jobs.verification import MOST_FINDINGS, bounded_report

CHANGED = Finding(kind="rows", what="the number of rows differs", table=Table.CHANGED)


def test_the_worst_findings_are_listed_however_many_came_before() -> None:
    """Of 600 changes, then something wrong and damage, both stand first, in records as well."""
    found = Findings()
    for number in range(600):
        found.add(replace(CHANGED, measure=str(number)))
    wrong = replace(CHANGED, table=Table.UNCHANGED)
    found.add(wrong)
    found.damage(PartitionName("Charges", "Monthly"), "an entry is missing")
    listed = found.listed
    assert [each.kind for each in listed[:2]] == ["damage", "rows"]
    assert (listed[0].measure, listed[0].frequency) == ("Charges", "Monthly")
    assert listed[1] == wrong
    assert [each.measure for each in listed[2:]] == [str(at) for at in range(MOST_LISTED - 2)]
    assert (found.total, found.worst) == (602, Verdict.DAMAGED)
    kept = bounded_report({"findings": listed})["findings"]
    assert kept == listed[:MOST_FINDINGS]


def test_every_damaged_partition_is_known() -> None:
    """Also those of which nothing is listed any more; each once, with what was found first."""
    found = Findings()
    names = [PartitionName(f"measure {at}", None) for at in range(MOST_LISTED + 20)]
    for what in ("an entry is missing", "a total is wrong"):
        for name in names:
            found.damage(name, what)
    assert len(found.listed) == MOST_LISTED
    assert found.total == 2 * len(names)
    assert found.damaged == dict.fromkeys(names, "an entry is missing")


def test_what_is_wrong_is_to_be_switched_off() -> None:
    """To invalidate it would have it warmed again at once, and take away what shows the defect."""
    told = advice(Verdict.WRONG, 7, "2024-01-01T00:00:00+00:00")
    assert "warmcube disable 7" in told
    assert "invalidate" not in told
