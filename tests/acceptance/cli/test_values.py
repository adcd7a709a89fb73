"""``warmcube values``, ``measures`` and exports: what a user may pick, and take away."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from adbc_driver_postgresql import dbapi

from warmcube.embedded import EmbeddedPostgres

from .conftest import Finished

Run = Callable[..., Finished]
CHARGES = ("--measure", "Charges", "--frequency", "Monthly")


def sql(demo_config: Path, query: str) -> list[object]:
    """One column of what the database says."""
    with (
        EmbeddedPostgres(demo_config.parent / "postgres") as server,
        closing(dbapi.connect(server.url)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def test_values_in_each_format(warmcube: Run, inside: Run, demo_config: Path) -> None:
    """JSON objects, CSV with a header, or a table with where they come from."""
    expected = sql(
        demo_config,
        "SELECT DISTINCT practice_uid FROM ih.agg_app_measures WHERE provider_uid = 10105 "
        "AND measure = 'Charges' AND frequency = 'Monthly' ORDER BY 1",
    )
    asked = ("values", "1", "practice_uid", "--as", "provider", *CHARGES)
    finished = warmcube(*asked, "--format", "json")
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert [row["practice_uid"] for row in json.loads(finished.stdout)] == expected
    finished = inside(*asked, "--format", "csv")
    assert finished.stdout.decode().split() == ["practice_uid", *map(str, expected)]
    finished = inside(*asked, "--explain")
    shown = finished.stdout.decode()
    assert "practice_uid" in shown
    assert "from the store in" in shown
    assert "none fetched" in shown
    assert "role provider gives" in shown


def test_values_are_narrowed_like_a_query(inside: Run, demo_config: Path) -> None:
    """By practices, dates and conditions; NULL isn't listed, and an empty list has none."""
    expected = sql(
        demo_config,
        "SELECT DISTINCT provider_uid FROM ih.agg_app_measures WHERE practice_uid IN (101, 102) "
        "AND measure = 'Charges' AND frequency = 'Monthly' AND date_index >= '2025-01-01' "
        "AND cases > 3 AND provider_uid IS NOT NULL ORDER BY 1",
    )
    asked = ("values", "1", "provider_uid", "--as", "root", *CHARGES, "--format", "json")
    finished = inside(
        *asked,
        *("--practice", "101", "--practice", "102", "--from", "2025-01-01"),
        *("--where", "cases", "gt", "3"),
    )
    assert [row["provider_uid"] for row in json.loads(finished.stdout)] == expected
    assert inside(*asked, "--no-practice").stdout == b"[]\n"


def test_measures_of_a_user(inside: Run, demo_config: Path) -> None:
    """Each measure with each frequency, of which there is a row for this user."""
    expected = sql(
        demo_config,
        "SELECT DISTINCT concat(measure, '|', frequency) FROM ih.agg_app_measures "
        "WHERE provider_uid = 10105",
    )
    finished = inside("measures", "1", "--as", "provider", "--format", "json")
    found = json.loads(finished.stdout)
    assert sorted("|".join(filter(None, row.values())) for row in found) == sorted(
        map(str, expected)
    )
    names = sorted({row["measure"] for row in found if row["measure"] is not None})
    finished = inside("values", "1", "measure", "--as", "provider", "--format", "json")
    assert sorted(filter(None, (row["measure"] for row in json.loads(finished.stdout)))) == names
    assert inside("measures", "1", "--as", "nobody", "--format", "csv").stdout.count(b"\n") == 1


def test_what_is_refused(inside: Run) -> None:
    """Usage errors exit with 2, denials with 3."""
    finished = inside("values", "1", "no_such_column", "--as", "root", *CHARGES)
    assert finished.returncode == 2
    assert b"has no column" in finished.stderr
    finished = inside("values", "1", "practice_uid", "--as", "root")
    assert (finished.returncode, b"measure is missing" in finished.stderr) == (2, True)
    finished = inside("values", "1", "measure", "--as", "stranger")
    assert finished.returncode == 3
    finished = inside("values", "1", "measure", "--as", "root", "--format", "parquet")
    assert finished.returncode == 2
    both = ("--measure", "Charges", "--null-measure")
    finished = inside("values", "1", "frequency", "--as", "root", *both)
    assert (finished.returncode, b"exclude each other" in finished.stderr) == (2, True)


def test_an_export_needs_its_permission(inside: Run) -> None:
    """The plain command trusts its operator; with --export the user's right counts."""
    asked = ("query", "1", *CHARGES, "--format", "csv")
    north = inside(*asked, "--as", "north")
    assert north.returncode == 0
    assert inside(*asked, "--as", "north", "--export").stdout == north.stdout
    finished = inside(*asked, "--as", "provider", "--export")
    assert finished.returncode == 3
    assert b"may not export" in finished.stderr
