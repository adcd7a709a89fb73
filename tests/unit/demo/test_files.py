"""`warmcube.demo.files`: a configuration and a directory that warmcube itself accepts."""

from __future__ import annotations

import tomllib
from pathlib import Path

from warmcube.config import load
from warmcube.demo.expected import CASES, expected_sql
from warmcube.demo.files import USERS, write_files
from warmcube.demo.generate import MINIMUM_ROWS, practice_count
from warmcube.demo.practices import ORGANIZATIONS, practices_of


def depth(id: str | None) -> int:
    """How many levels an organization lies below nothing."""
    parents = {organization.id: organization.parent for organization in ORGANIZATIONS}
    return 0 if id is None else 1 + depth(parents[id])


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    """The written file loads, uses embedded servers in its own folder, and one data source."""
    settings = load(write_files(tmp_path, 24), {})
    assert settings.store.is_embedded
    assert settings.sources["demo"].is_embedded
    assert settings.embedded_folder == tmp_path
    assert [source.table for source in settings.datasources] == ["ih.agg_app_measures"]
    assert settings.directory_path == tmp_path / "access.toml"


def test_every_practice_is_where_it_belongs(tmp_path: Path) -> None:
    """Organizations list exactly their practices; some practices belong to none."""
    write_files(tmp_path, 40)
    access = tomllib.loads((tmp_path / "access.toml").read_text(encoding="utf-8"))
    listed = {
        practice: organization["id"]
        for organization in access["organizations"]
        for practice in organization["practices"]
    }
    belonging = {practice.uid: practice.organization for practice in practices_of(40)}
    assert listed == {uid: owner for uid, owner in belonging.items() if owner is not None}
    assert None in belonging.values()
    assert max(depth(organization.id) for organization in ORGANIZATIONS) == 3
    assert [o["id"] for o in access["organizations"] if not o["practices"]] == ["meridian", "fresh"]
    assert [o["id"] for o in access["organizations"] if not o.get("active", True)] == [
        "north-closed"
    ]


def test_every_sample_user_is_there(tmp_path: Path) -> None:
    """The users of the demo's table are those of the directory; provider 10105 exists."""
    write_files(tmp_path, practice_count(MINIMUM_ROWS))
    access = tomllib.loads((tmp_path / "access.toml").read_text(encoding="utf-8"))
    assert [user["id"] for user in access["users"]] == list(USERS)
    assert 10105 in practices_of(1)[0].provider_uids
    assert practices_of(1)[0].organization == "north-coast"


def test_every_case_has_its_sql() -> None:
    """For each user a whole statement: nothing left to fill in."""
    for case in CASES:
        for user in USERS:
            statement = expected_sql(case, user, 24)
            assert "visible" not in statement
            assert "{organizations}" not in statement
