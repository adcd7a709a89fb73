"""A proof's report for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmcube.prove.report import Finding, Report, Tally, remarks, visible

__all__ = ["print_report"]

_MOST_USERS: Final = 30
_MOST_FINDINGS: Final = 20
_NUMBERS: Final = ("cases", "rows compared", "refused", "leaks", "losses", "differences", "seconds")


def print_report(report: Report, console: Console) -> None:
    """Everything that there is to say, the verdict last."""
    console.print(_table(report))
    for finding in report.findings[:_MOST_FINDINGS]:
        console.print(_finding(finding))
    if report.found > _MOST_FINDINGS:
        console.print(f"… and {report.found - _MOST_FINDINGS:,} more; --json and --html have them")
    for line in remarks(report):
        console.print(line, style="yellow")
    console.print(_verdict(report))


def _table(report: Report) -> Table:
    table = Table()
    for name in ("data source", "user"):
        table.add_column(name, overflow="fold")
    for name in _NUMBERS:
        table.add_column(name, justify="right")
    for each in report.datasources:
        for user, tally in _shown(each.users):
            table.add_row(f"{each.id} {visible(each.name)}", visible(user), *_numbers(tally))
        left = len(each.users) - _MOST_USERS
        if left > 0:
            table.add_row(f"{each.id} {visible(each.name)}", f"… {left:,} more", style="dim")
    table.add_row("", "false users and grants", *_numbers(report.gate))
    table.add_section()
    table.add_row("all", "", *_numbers(report.total), style="bold")
    return table


def _shown(users: dict[str, Tally]) -> list[tuple[str, Tally]]:
    """The first users, those with findings before all others."""
    ordered = sorted(users.items(), key=lambda item: item[1].is_clean)
    return ordered[:_MOST_USERS]


def _numbers(tally: Tally) -> list[Text]:
    plain = [tally.cases, tally.rows, tally.denied]
    bad = [tally.leaks, tally.losses, tally.differences]
    return [
        *(Text(f"{count:,}") for count in plain),
        *(Text(f"{count:,}", style="bold red" if count else "") for count in bad),
        Text(f"{tally.seconds:.2f}"),
    ]


def _finding(finding: Finding) -> Text:
    asked = ", ".join(f"{name} {value}" for name, value in finding.asked.items())
    where = "" if finding.datasource is None else f", data source {finding.datasource}"
    return Text.assemble(
        ("/".join(finding.kinds).upper(), "bold red"),
        f" {finding.user}{where}: {finding.case}: {finding.what}",
        (f" ({asked})" if asked else "", "dim"),
    )


def _verdict(report: Report) -> Text:
    total = report.total
    rate = total.cases / report.seconds if report.seconds else 0
    partitions = sum(each.partitions_tried for each in report.datasources)
    of_all = sum(each.partitions for each in report.datasources)
    return Text.assemble(
        (f"{report.verdict}: ", "bold green" if report.is_clean else "bold red"),
        f"{total.cases:,} cases as {report.users_tried:,} of {report.users:,} users on "
        f"{partitions:,} of {of_all:,} partitions, {total.rows:,} rows compared, in "
        f"{report.seconds:.1f} s ({rate:,.0f} cases/s), seed {report.seed}",
    )
