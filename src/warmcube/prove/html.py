"""A proof's report as one page: no scripts, nothing from elsewhere, every name escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final

from warmcube.prove.report import DatasourceReport, Finding, Report, Tally, remarks, visible

__all__ = ["html_page"]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_NUMBERS: Final = ("cases", "rows compared", "refused", "leaks", "losses", "differences", "seconds")
_MEANINGS: Final = (
    ("leak", "a row, a group or a value of somebody else; or an answer where none was due"),
    ("loss", "rows that the user may see and didn't get; or a refusal where an answer was due"),
    ("difference", "another value, or another refusal, in the place of the one that was due"),
    ("refused", "cases that were denied or refused, as they had to be"),
)


def html_page(report: Report) -> str:
    """The whole page."""
    style = (files("warmcube.prove") / "page.css").read_text(encoding="utf-8")
    body = "\n".join(_body(report))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Isolation: {_text(report.verdict)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _body(report: Report) -> Iterable[str]:
    total = report.total
    yield "<h1>Does anybody see what they may not?</h1>"
    yield f'<p class="dim">warmcube prove, {_text(report.started)}</p>'
    yield (
        f'<div class="verdict {"clean" if report.is_clean else "found"}" role="status">'
        f"<strong>{_text(report.verdict.capitalize())}</strong>"
        f"<p>{total.cases:,} cases as {report.users_tried:,} of {report.users:,} users; "
        f"{total.rows:,} rows compared with SQL's.</p></div>"
    )
    yield from (f'<p class="remark">{_text(line)}</p>' for line in remarks(report))
    yield from _findings(report)
    for each in report.datasources:
        yield from _datasource(each)
    yield "<h2>Users and grants that aren't any</h2>"
    yield _table([_row("false names, false grants, and who may enter", report.gate)], "what")
    yield "<h2>What was tried</h2>"
    kinds = "".join(
        f"<li><span>{_text(kind)}</span><span>{count:,}</span></li>"
        for kind, count in sorted(report.kinds.items())
    )
    yield f'<ul class="kinds">{kinds}</ul>'
    yield "<h2>How to read this</h2>"
    yield _facts([(name, meaning) for name, meaning in _MEANINGS])
    yield _facts(
        [
            ("again", f"warmcube prove --seed {report.seed}"),
            ("took", f"{report.seconds:.1f} s"),
            ("complete", "yes" if report.stopped is None else f"no: {report.stopped}"),
        ]
    )


def _findings(report: Report) -> Iterable[str]:
    if not report.findings:
        return
    yield "<h2>What was found</h2>"
    more = (
        f" The first {len(report.findings):,} are shown."
        if report.found > len(report.findings)
        else ""
    )
    heads = "".join(
        f"<th>{name}</th>" for name in ("what", "user", "data source", "tried", "asked")
    )
    rows = "".join(map(_finding, report.findings))
    yield (
        f'<div class="wide"><table><caption>{report.found:,} cases that went wrong.{more}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _finding(finding: Finding) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in finding.asked.items())
    where = "" if finding.datasource is None else str(finding.datasource)
    what = f"{'/'.join(finding.kinds)}: {finding.what}"
    cells = (finding.user, where, finding.case)
    return (
        f'<tr><td class="bad">{_text(what)}</td>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in cells)
        + f"<td><code>{_text(asked)}</code></td></tr>"
    )


def _datasource(report: DatasourceReport) -> Iterable[str]:
    yield f"<h2>Data source {report.id}: {_text(report.name)}</h2>"
    yield _facts(
        [
            ("answered by", report.origin),
            ("snapshot", report.snapshot or "none"),
            ("table as of", report.as_of or "now"),
            ("partitions", f"{report.partitions_tried:,} of {report.partitions:,} tried"),
        ]
    )
    rows = [_row(user, tally) for user, tally in report.users.items()]
    yield _table([*rows, _row("all", report.tally, " class=all")], "user")


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{_text(n)}</dt><dd>{_text(v)}</dd>' for n, v in facts)}</dl>"


def _table(rows: Sequence[str], first: str) -> str:
    heads = "".join(f'<th class="number">{name}</th>' for name in _NUMBERS)
    return (
        f'<div class="wide"><table><thead><tr><th>{first}</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(name: str, tally: Tally, attributes: str = "") -> str:
    cells = [f'<td class="number">{n:,}</td>' for n in (tally.cases, tally.rows, tally.denied)]
    cells += [
        f'<td class="number{" bad" if count else ""}">{count:,}</td>'
        for count in (tally.leaks, tally.losses, tally.differences)
    ]
    cells.append(f'<td class="number">{tally.seconds:.2f}</td>')
    return f"<tr{attributes}><td>{_text(name)}</td>{''.join(cells)}</tr>"


def _text(text: str) -> str:
    return html.escape(visible(text))
