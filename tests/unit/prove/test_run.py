"""A proof that was cut short before somebody's turn isn't one."""

from __future__ import annotations

from warmcube.prove.report import DatasourceReport, Report, Tally
from warmcube.prove.run import name_those_unmet


def test_whoever_was_not_tried_is_told() -> None:
    """Each data source says for how many users the time was over; everybody's turn is enough."""
    report = Report(started="2026-01-01T00:00:00+00:00", seed=0)
    met = {"ana": Tally(cases=3), "bob": Tally(cases=1)}
    for number, users in enumerate((met, {**met, "bob": Tally()}, {"ana": Tally(cases=1)}, {})):
        tally = Tally(cases=sum(each.cases for each in users.values()))
        report.datasources.append(
            DatasourceReport(id=number, name="d", origin="cache", tally=tally, users=users)
        )
    report.datasources[3].problem = "it is cold"
    name_those_unmet(report, ["ana", "bob"])
    assert [each.problem for each in report.datasources] == [
        None,
        "the time was over before 1 of 2 users' turn",
        "the time was over before 1 of 2 users' turn",
        "it is cold",
    ]
    assert not report.is_clean
