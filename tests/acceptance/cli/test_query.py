"""``warmcube query``: the right rows for each user, in every format, or one clear sentence."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi

from warmcube.embedded import EmbeddedPostgres

from .conftest import PROGRAM, Finished, environment

Run = Callable[..., Finished]

CHARGES = ["1", "--measure", "Charges", "--frequency", "Monthly"]
"""The partition that most tests ask for."""

KEY = ("practice_uid", "provider_uid", "date_index", "measure_value")


def sql(demo_config: Path, condition: str) -> list[tuple[Any, ...]]:
    """What the database says of the partition, as text."""
    with (
        EmbeddedPostgres(demo_config.parent / "postgres") as server,
        closing(dbapi.connect(server.url)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute(
            "SELECT practice_uid, provider_uid, date_index::text, measure_value::text "
            "FROM ih.agg_app_measures WHERE measure = 'Charges' AND frequency = 'Monthly' "
            f"AND {condition}"
        )
        return sorted(cursor.fetchall(), key=repr)


def rows_of(output: bytes) -> list[tuple[Any, ...]]:
    """The rows of a JSON answer, with numbers as the digits that were written."""
    rows = json.loads(output, parse_float=str)
    return sorted((tuple(row[name] for name in KEY) for row in rows), key=repr)


@pytest.mark.parametrize(
    ("user", "condition"),
    [
        ("root", "TRUE"),
        ("provider", "provider_uid = 10105"),
        ("nobody", "FALSE"),
        ("lost", "FALSE"),
    ],
)
def test_each_user_sees_their_own_rows(
    inside: Run, demo_config: Path, user: str, condition: str
) -> None:
    """The rows of an answer are those of the database under the user's rights."""
    finished = inside("query", *CHARGES, "--as", user, "--format", "json")
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert rows_of(finished.stdout) == sql(demo_config, condition)


def test_conditions_narrow(inside: Run, demo_config: Path) -> None:
    """Conditions of two and three words, lists and filters all hold together."""
    finished = inside(
        "query",
        *CHARGES,
        *("--as", "root", "--format", "json", "--practice", "101", "--practice", "102"),
        *("--where", "provider_uid", "is_null"),
        *("--where", "cases", "between", "3,40", "--where", "measure_value", "gt", "-5"),
        *("--from", "2025-01-01", "--to", "2025-12-31"),
    )
    assert finished.returncode == 0
    expected = sql(
        demo_config,
        "practice_uid IN (101, 102) AND provider_uid IS NULL AND cases BETWEEN 3 AND 40 "
        "AND measure_value > -5 AND date_index BETWEEN '2025-01-01' AND '2025-12-31'",
    )
    assert expected
    assert rows_of(finished.stdout) == expected


def test_no_practice_is_no_row(inside: Run) -> None:
    """An empty list of practices is not "no filter"."""
    finished = inside("query", *CHARGES, "--as", "root", "--no-practice", "--format", "json")
    assert (finished.returncode, finished.stdout) == (0, b"[]\n")


def test_formats_agree(inside: Run) -> None:
    """Every format holds the same figures."""
    words = [*CHARGES, "--as", "root", "--group-by", "practice_uid", "--aggregate", "sum"]
    words += ["--order-by", "practice_uid"]
    out = {
        name: inside("query", *words, "--format", name).stdout
        for name in ("json", "csv", "parquet", "arrow", "table")
    }
    expected = [
        (row["practice_uid"], Decimal(row["sum"]))
        for row in json.loads(out["json"], parse_float=str)
    ]
    assert len(expected) == 24
    lines = list(csv.reader(io.StringIO(out["csv"].decode(), newline="")))
    assert lines[0] == ["practice_uid", "sum"]
    assert [(int(practice), Decimal(total)) for practice, total in lines[1:]] == expected
    assert pl.read_parquet(io.BytesIO(out["parquet"])).rows() == expected
    with pa.ipc.open_stream(out["arrow"]) as stream:
        assert [tuple(row.values()) for row in stream.read_all().to_pylist()] == expected
    table = out["table"].decode()
    assert all(f" {total} " in table for _, total in expected)
    assert "24 rows from the store in" in table


def test_a_pipe_gets_every_row_whole(inside: Run, demo_config: Path) -> None:
    """Without a terminal nothing is cut or folded, however wide and long."""
    finished = inside("query", *CHARGES, "--as", "root")
    lines = [line for line in finished.stdout.decode().splitlines() if line.startswith("│")]
    assert len(lines) == len(sql(demo_config, "TRUE"))
    assert all(line.count("│") == 14 for line in lines)
    assert "…" not in finished.stdout.decode()


def test_explain(warmcube: Run) -> None:
    """Explain says what was looked up and why it was allowed; data stay alone on stdout."""
    words = ["query", *CHARGES, "--as", "north", "--explain"]
    shown = warmcube(*words, "--aggregate", "count").stdout.decode()
    for part in ("lookup", "entries in scope: ", "role org_analyst gives", " ms"):
        assert part in shown
    apart = warmcube(*words, "--format", "csv")
    assert apart.stdout.startswith(b"measure,measure_type,")
    assert b"role org_analyst gives" not in apart.stdout
    assert b"role org_analyst gives" in apart.stderr


def test_a_disabled_cache_answers_from_the_database(inside: Run, demo_config: Path) -> None:
    """The environment reaches the cache, and the fallback gives the same rows."""
    words = ("query", *CHARGES, "--as", "provider", "--format", "json", "--explain")
    finished = inside(*words, CACHE_ENABLED="false")
    assert rows_of(finished.stdout) == sql(demo_config, "provider_uid = 10105")
    assert b"answered from the database" in finished.stderr


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        ("1 --as zed --measure Charges --frequency Monthly", 3, "'zed'"),
        ("1 --as north --measure Charges --frequency Monthly --practice 103", 3, "'103'"),
        ("1 --as north --measure Charges --frequency Monthly --practice 99999", 3, "'99999'"),
        ("1 --as north --measure Charges --frequency Monthly --organization south", 3, "'south'"),
        ("7 --as root --measure Charges --frequency Monthly", 2, "data source 7"),
        ("1 --as root --frequency Monthly", 2, "measure"),
        ("1 --as root --measure Charges --frequency Monthly --practice 0101", 2, "'0101'"),
        ("1 --as root --measure Charges --frequency Monthly --where amount gt 1", 2, "'amount'"),
        ("1 --as root --measure Charges --frequency Monthly --where cases gt x", 2, "'x'"),
        ("1 --as root --measure Charges --frequency Monthly --where cases ge 1", 2, "operator"),
        ("1 --as root --measure Charges --frequency Monthly --where cases gt", 2, "COL OP VALUE"),
        ("1 --as root --measure Charges --frequency Monthly --from 2024-13-01", 2, "2024-13-01"),
        (
            "1 --as root --measure Charges --frequency Monthly --from 2024-02-01 --to 2024-01-01",
            2,
            "2024-02-01",
        ),
        ("1 --as root --measure Charges --frequency Monthly --aggregate median", 2, "'median'"),
        (
            "1 --as root --measure Charges --frequency Monthly --group-by nope --aggregate sum",
            2,
            "'nope'",
        ),
        ("1 --as root --as north", 2, "--as is given twice"),
        ("1 --measure Charges", 2, "--as"),
        ("one --as root", 2, "'one'"),
    ],
)
def test_errors(inside: Run, words: str, status: int, part: str) -> None:
    """Each is one sentence on stderr, nothing on stdout, its status, and no traceback."""
    finished = inside("query", *words.split())
    assert finished.returncode == status
    assert finished.stdout == b""
    sentence = finished.stderr.decode()
    assert sentence.startswith("error: ")
    assert sentence.count("\n") == 1
    assert part in sentence


def test_foreign_and_missing_practices_cannot_be_told_apart(inside: Run) -> None:
    """A practice of somebody else and one that doesn't exist are denied in the same words."""
    words = ("query", *CHARGES, "--as", "north", "--practice")
    foreign, missing = (inside(*words, practice).stderr for practice in ("103", "999"))
    assert foreign.replace(b"103", b"999") == missing


def test_a_reader_that_has_enough(demo_config: Path, tmp_path: Path) -> None:
    """A closed pipe ends the command quietly."""
    words = ["--config", str(demo_config), "query", *CHARGES, "--as", "root", "--format", "csv"]
    with subprocess.Popen(
        [*PROGRAM, *words],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_an_audit_on_standard_output_spares_the_answer(warmcube: Run) -> None:
    """What answers go through stays an answer; the lines go to standard error."""
    asked = ("query", "1", "--as", "north", "--measure", "Charges", "--frequency", "Monthly")
    finished = warmcube(*asked, "--format", "json", WARMCUBE_AUDIT__SINK="stdout")
    assert finished.returncode == 0
    assert json.loads(finished.stdout)
    events = [json.loads(line)["event"] for line in finished.stderr.splitlines()]
    assert events == ["directory_changed", "granted"]
