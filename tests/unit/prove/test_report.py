"""The report: what counts as proven, and that no name can do anything in it."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

from warmcube.prove.html import html_page
from warmcube.prove.report import (
    MOST_FINDINGS,
    DatasourceReport,
    Finding,
    Report,
    Tally,
    remarks,
    visible,
)

HOSTILE = "<script>alert(1)</script>\"'&\u202e\x1b[31m\0\ud800"


class Elements(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def a_report(**tally: int) -> Report:
    """One data source, asked as one user."""
    report = Report(started="2026-01-01T00:00:00+00:00", seed=3, users=1, users_tried=1)
    counts = Tally(**({"cases": 10} | tally))
    report.datasources.append(
        DatasourceReport(id=1, name=HOSTILE, origin="cache", tally=counts, users={HOSTILE: counts})
    )
    return report


def a_finding() -> Finding:
    """A leak."""
    return Finding(
        kinds=("leak",),
        user=HOSTILE,
        datasource=1,
        case=HOSTILE,
        asked={"measure": HOSTILE},
        what=HOSTILE,
    )


def test_verdicts() -> None:
    """Nothing found is clean only if something was judged in full, and nothing kept from it."""
    assert (a_report().verdict, a_report().is_clean) == ("nothing found", True)
    for name in ("leaks", "losses", "differences"):
        report = a_report(**{name: 2})
        assert (report.verdict, report.is_clean) == (f"2 {name}", False)
    for tally in ({"cases": 0}, {"leaks_only": 10}):
        assert (a_report(**tally).verdict, a_report(**tally).is_clean) == ("not proven", False)
    report = a_report()
    report.datasources[0].problem = "it is cold"
    assert (report.verdict, report.is_clean) == ("not proven", False)
    report = a_report()
    report.datasources += a_report(leaks_only=10).datasources
    assert (report.verdict, report.is_clean) == ("not proven", False)
    report = a_report()
    report.void = "the directory changed"
    assert (report.verdict, report.is_clean) == ("not proven", False)


def test_remarks() -> None:
    """Whatever makes less of the proof is told."""
    report = a_report(from_database=1, unjudged=2, differences=1)
    report.datasources[0].partitions_changed = 1
    report.stopped = "interrupted"
    report.notes.append("a note")
    text = "\n".join(remarks(report))
    for part in (
        "a note",
        "judged for leaks only",
        "warm again",
        "answered by the database",
        "weren't judged",
        "incomplete: interrupted",
    ):
        assert part in text


def test_hostile_names_in_the_page() -> None:
    """Names are text in the page, and nothing of it comes from elsewhere."""
    report = a_report(leaks=1)
    report.kinds = Counter({HOSTILE: 1})
    report.notes.append(HOSTILE)
    for _ in range(MOST_FINDINGS + 5):
        report.find(a_finding())
    page = html_page(report)
    elements = Elements()
    elements.feed(page)
    assert not elements.names & {"script", "img", "link", "iframe", "a", "object", "svg"}
    assert elements.attributes <= {
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "role",
    }
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "url(" not in page
    assert f"{MOST_FINDINGS + 5} cases that went wrong" in page
    page.encode()


def test_findings_are_bounded() -> None:
    """All are counted, the first are kept."""
    report = a_report()
    for _ in range(MOST_FINDINGS + 1):
        report.find(a_finding())
    assert (len(report.findings), report.found) == (MOST_FINDINGS, MOST_FINDINGS + 1)
    assert report.as_json()["findings_in_all"] == MOST_FINDINGS + 1


def test_visible() -> None:
    """Letters of any script stay; what isn't printable is written out."""
    assert visible("Ünïcode 診療所 'x'") == "Ünïcode 診療所 'x'"
    assert visible("a\u202eb\x1b\0\ud800\n") == "a\\u202eb\\x1b\\x00\\ud800\\n"
