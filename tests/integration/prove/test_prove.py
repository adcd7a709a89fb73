"""The isolation kit on a table with something of everything."""

from __future__ import annotations

from tests.integration.prove.conftest import Prove


async def test_nothing_is_found(prove_it: Prove) -> None:
    """Ten users of every sort, three data sources, odd names and values: no finding."""
    report = await prove_it(cases=1500)
    assert [(f.user, f.datasource, f.case, f.what, f.asked) for f in report.findings] == []
    assert report.problems == []
    assert report.verdict == "nothing found"
