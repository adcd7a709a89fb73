"""A verification as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from warmcube.compare.report import Finding, Verdict, VerifyReport

__all__ = ["verify_lines"]

MOST_LINES = 30

_VERDICTS = {
    Verdict.EQUAL: "equal",
    Verdict.CHANGED: "differs, since the table has changed",
    Verdict.DIFFERS: "differs; the table may have changed",
    Verdict.WRONG: "WRONG: differs although the table has not changed",
    Verdict.DAMAGED: "DAMAGED",
}


def verify_lines(report: VerifyReport, name: str) -> Iterator[str]:
    """What to print of a report.

    Args:
        report: of the verification.
        name: of the data source.
    """
    yield (
        f"data source {report.datasource} ({name}): {_VERDICTS[report.verdict]}; "
        f"{report.rows:,} rows in the cache as of {report.as_of}, "
        + (
            "the database could not be compared"
            if report.compared_at is None
            else f"{report.database_rows:,} in the database as of {report.compared_at}"
        )
        + f"; {report.partitions:,} partitions, {report.entries:,} entries, {report.slices:,} "
        f"slices of {report.slice_rows:,} rows row by row (seed {report.seed}), in "
        f"{report.seconds:.1f} s"
    )
    for finding in report.findings[:MOST_LINES]:
        yield f"  {_line(finding)}"
    more = report.findings_total - min(len(report.findings), MOST_LINES)
    if more:
        yield f"  and {more:,} more; --json lists up to {len(report.findings):,}"
    if report.slices_left_out:
        yield f"  {report.slices_left_out:,} slices were too large to be compared row by row"
    if report.database_error is not None:
        yield f"  the database: {report.database_error}"
    if report.verdict is not Verdict.EQUAL and report.change_column is not None:
        yield f"  changes of the table are told by its column {report.change_column!r} alone"
    if report.advice:
        yield f"  {report.advice}"


def _line(finding: Finding) -> str:
    place = ""
    if finding.is_of_partition:
        place = f"measure {finding.measure!r}, frequency {finding.frequency!r}"
        if finding.practice is not None:
            place += f", practice {finding.practice!r}"
        if finding.provider is not None:
            place += f", provider {finding.provider!r}"
        if finding.kind != "damage":
            place += f" ({finding.table})"
        place += ": "
    column = "" if finding.column is None else f" of column {finding.column!r}"
    figures = ""
    if finding.cache is not None or finding.database is not None:
        figures = f" (cache {finding.cache or 0:,}, database {finding.database or 0:,})"
    return f"{finding.kind}: {place}{finding.what}{column}{figures}"
