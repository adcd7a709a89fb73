"""``warmcube directory …`` and ``warmcube explain-access``, as an administrator uses them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.audit import read_lines
from tests.support.caches import ACCESS, TABLE, execute
from tests.support.directories import change

from .conftest import Finished, Run

Administer = Callable[..., Finished]


@pytest.fixture
def folder(tmp_path: Path, postgres_db: str, redis_url: str) -> Path:
    """A configuration whose directory is an empty database, and an access.toml beside it."""
    execute(postgres_db, TABLE)
    (tmp_path / "access.toml").write_text(ACCESS, encoding="utf-8")
    (tmp_path / "warmcube.toml").write_text(
        f"""
        [store]
        url = "{redis_url}"
        [sources.main]
        url = "{postgres_db}"
        [directory]
        url = "{postgres_db}"
        [[datasources]]
        id = 1
        name = "Facts"
        source = "main"
        table = "ih.facts"
        """,
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture
def warmcube(folder: Path, run_inside: Run) -> Administer:
    """Runs ``warmcube`` there."""
    return lambda *words: run_inside(*words, folder=folder)


def _ok(finished: Finished) -> str:
    assert (finished.stderr.decode(), finished.returncode) == ("", 0)
    return finished.stdout.decode()


def _sentence(finished: Finished, status: int) -> str:
    """The one sentence of an error."""
    assert finished.returncode == status
    text = finished.stderr.decode()
    assert "Traceback" not in text
    return text


def test_from_a_file_to_a_database_and_back(warmcube: Administer, folder: Path) -> None:
    """init, import, use, export; each says what it did, and init may be repeated."""
    assert "the tables are made" in _ok(warmcube("directory", "init"))
    assert "the tables are there already" in _ok(warmcube("directory", "init"))
    assert "4 organizations, 4 organization_practices, 3 roles" in _ok(
        warmcube("directory", "import", "access.toml")
    )
    (line,) = read_lines((folder / ".warmcube/audit.jsonl").read_bytes())
    assert (line["event"], line["outcome"], line["users"]) == ("directory_changed", "done", 5)
    assert line["actor"].startswith("cli:")
    asked = ("query", "1", "--as", "north", "--measure", "Charges", "--frequency", "Monthly")
    assert len(json.loads(_ok(warmcube(*asked, "--format", "json")))) == 91
    exported = tomllib.loads(_ok(warmcube("directory", "export")))
    assert exported["roles"] == tomllib.loads(ACCESS)["roles"]
    assert "out.toml is written" in _ok(warmcube("directory", "export", "out.toml"))
    assert tomllib.loads((folder / "out.toml").read_text(encoding="utf-8")) == exported
    again = _sentence(warmcube("directory", "export", "out.toml"), 2)
    assert "is there already and stays as it is" in again
    assert "announced" in _ok(warmcube("directory", "reload"))


def test_what_is_wrong_is_said(warmcube: Administer, folder: Path, postgres_db: str) -> None:
    """No tables yet, no such file, a file with defects, a directory that is in the way."""
    assert "`warmcube directory init`" in _sentence(
        warmcube("directory", "import", "access.toml"), 1
    )
    _ok(warmcube("directory", "init"))
    assert "nil.toml can't be read" in _sentence(warmcube("directory", "import", "nil.toml"), 1)
    (folder / "odd.toml").write_text(
        '[[users]]\nid = "a"\nroles = ["x"]\n[[users]]\nid = "a"\n', encoding="utf-8"
    )
    listed = _sentence(warmcube("directory", "import", "odd.toml"), 1)
    assert "odd.toml has 2 defects:" in listed
    assert "users[0].roles[0] (user 'a'): there is no role 'x'" in listed
    assert "users[1].id (user 'a'): 'a' is already the id of users[0]" in listed
    _ok(warmcube("directory", "import", "access.toml"))
    assert "--replace" in _sentence(warmcube("directory", "import", "access.toml"), 1)
    _ok(warmcube("directory", "import", "access.toml", "--replace"))
    change(postgres_db, "UPDATE users SET deleted_at = now() WHERE id = 'lost'")
    assert "user 'lost' is deleted" in _sentence(warmcube("directory", "export"), 1)
    assert "lost" not in _ok(warmcube("directory", "export", "--without-deleted"))


def test_with_a_file(warmcube: Administer, folder: Path) -> None:
    """What is for databases says so; reload says whether the file is in order."""
    text = (folder / "warmcube.toml").read_text(encoding="utf-8")
    start = text.index("[directory]")
    (folder / "warmcube.toml").write_text(
        text[:start] + text[text.index("[[datasources]]") :], encoding="utf-8"
    )
    for command in ("init", "export"):
        assert "name a database in [directory] url" in _sentence(warmcube("directory", command), 2)
    assert "is in order" in _ok(warmcube("directory", "reload"))
    (folder / "access.toml").write_text("[[users]]\nid = 5\n", encoding="utf-8")
    assert "users[0].id: 5 isn't text" in _sentence(warmcube("directory", "reload"), 1)


def test_checking(warmcube: Administer, postgres_db: str) -> None:
    """Defects make it fail; what is odd beside the data doesn't; both have their place."""
    _ok(warmcube("directory", "init"))
    _ok(warmcube("directory", "import", "access.toml"))
    odd = _ok(warmcube("directory", "check"))
    assert "odd: data source 1: has rows of practices 104, 105, " in odd
    assert "odd: users['lost']: may read only their own rows, and is no provider" in odd
    assert "odd: users['provider']: is provider '3' in whatever practice; data source 1 has" in odd
    assert odd.endswith("0 defects, 3 oddities\n")
    assert "data source" not in _ok(warmcube("directory", "check", "--without-data"))
    change(
        postgres_db,
        "UPDATE organizations SET parent_id = 'south' WHERE id = 'south'",
        "ALTER TABLE ih.facts RENAME TO gone",
    )
    checked = warmcube("directory", "check", "--json")
    assert (checked.returncode, checked.stderr) == (1, b"")
    found = json.loads(checked.stdout)
    assert found[0] == {
        "place": "organizations['south'].parent",
        "problem": "south → south is a loop; an organization lies below one other",
        "is_defect": True,
    }
    assert found[-1]["problem"].startswith("its data couldn't be looked at: ")


def test_explaining_access(warmcube: Administer) -> None:
    """A tree from roles to practices, the same as JSON, and why somebody is denied."""
    _ok(warmcube("directory", "init"))
    _ok(warmcube("directory", "import", "access.toml"))
    tree = _ok(warmcube("explain-access", "north"))
    assert [line.strip("│├└─ ") for line in tree.splitlines()[:6]] == [
        "north",
        "role org_analyst",
        "analytics:read:organization",
        "organization north: practices 101, 102",
        "organization north-east: practices 103",
        "data sources",
    ]
    lost = _ok(warmcube("explain-access", "lost"))
    assert "comes to nothing: the user is no provider" in lost
    within = json.loads(
        _ok(warmcube("explain-access", "root", "--organization", "south", "--json"))
    )
    assert within["roles"][0]["rights"][0]["organizations"] == [
        {"id": "south", "name": "south", "practices": ["110"]}
    ]
    denied = _sentence(warmcube("explain-access", "eve"), 3)
    assert denied.startswith("error: denied: unknown user\n")
    outside = _sentence(warmcube("explain-access", "north", "--organization", "south"), 3)
    assert "denied: organization outside the scope" in outside
