"""What the documentation shows works: its Python runs, its TOML loads, its links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from adbc_driver_postgresql import dbapi
from tests.support.apart import served, token_of

from warmcube.access.survey import build_directory
from warmcube.config import load
from warmcube.dashboard.parse import parse
from warmcube.dashboard.text import read_text

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)#]+)(?:#([^)]+))?\)")

REST = """
[sources.rest]
url = "postgresql://me@db.example:5432/analytics"
[[datasources]]
id = 1
name = "What the page leaves out"
source = "rest"
table = "ih.agg_app_measures"
"""


def blocks(language: str) -> list[Any]:
    """The code blocks of a language, on all pages."""
    return [
        pytest.param(text, id=f"{page.relative_to(ROOT)}:{number}")
        for page in PAGES
        for number, (found, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
        if found == language
    ]


def tutorial(language: str, start: str) -> str:
    """The tutorial's block that begins with these words."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    (block,) = [
        body for found, body in BLOCK.findall(text) if found == language and body.startswith(start)
    ]
    return str(block)


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_toml_block_is_valid(text: str, tmp_path: Path) -> None:
    """A block says in its first line which file it is of, and is accepted as that."""
    name = text.partition("\n")[0].removeprefix("# ")
    if name == "access.toml":
        assert build_directory(tomllib.loads(text), version="1").users
        return
    if name.startswith("dashboards/"):
        assert parse(read_text(text.encode(), ".toml"), name).troubles == ()
        return
    assert name == "warmcube.toml"
    file = tmp_path / name
    file.write_text(text if "[[datasources]]" in text else text + REST, encoding="utf-8")
    settings = load(file, {"WARMCUBE_STORE__MAC_KEY": "k" * 32})
    assert settings.datasources


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_dashboard_in_yaml_is_valid(text: str) -> None:
    """Where the first line says that it is one."""
    name = text.partition("\n")[0].removeprefix("# ")
    if name.startswith("dashboards/"):
        assert parse(read_text(text.encode(), ".yaml"), name).troubles == ()


@pytest.fixture
def folder(tmp_path: Path, postgres_db: str) -> Path:
    """The tutorial's files, and its table in a database."""
    with dbapi.connect(postgres_db, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in tutorial("sql", "CREATE").split(";\n"):
            if statement:
                cursor.execute(statement)
    for name in ("warmcube.toml", "access.toml"):
        (tmp_path / name).write_text(tutorial("toml", f"# {name}"), encoding="utf-8")
    return tmp_path


BESIDES = ("embed-in-fastapi.md", "flask.md", "django.md", "scheduled-job.md", "tutorial.md")
"""Pages whose only program is run by a test of its own, which looks at what it prints as well."""


@pytest.mark.parametrize(
    "text", [each for each in blocks("python") if not str(each.id).split(":")[0].endswith(BESIDES)]
)
def test_every_python_block_runs(text: str, folder: Path, postgres_db: str, redis_url: str) -> None:
    """A block runs as it stands, beside the tutorial's files; the environment has the URLs."""
    if "ANALYTICS_URL" not in text:
        done = run(text, folder, postgres_db, redis_url)
    else:
        (folder / "token").write_text(token_of("ana"), encoding="ascii")
        with served(folder / "warmcube.toml", urls(postgres_db, redis_url)) as url:
            done = run(text, folder, postgres_db, redis_url, ANALYTICS_URL=url)
    assert (done.returncode, done.stderr) == (0, "")


SUMS = [sum(1000 + p * 10 + v + month for p in (1, 2) for v in range(1, 6)) for month in range(12)]
DAYS = [f"2024-{month:02}-01" for month in range(1, 13)]
PRINTED = {
    "embed-in-fastapi.md": [f"{total}.00" for total in SUMS],
    "flask.md": [{"date_index": d, "sum": total} for d, total in zip(DAYS, SUMS, strict=True)],
    "django.md": [
        {"date_index": d, "sum": f"{total}.00"} for d, total in zip(DAYS, SUMS, strict=True)
    ],
}


@pytest.mark.parametrize("name", PRINTED)
def test_web_guides_answer_ana_with_her_rows(
    name: str, folder: Path, postgres_db: str, redis_url: str
) -> None:
    """The page's browser gets the sums over her two practices."""
    ((_, text),) = BLOCK.findall((ROOT / "docs/how-to" / name).read_text(encoding="utf-8"))
    done = run(text, folder, postgres_db, redis_url)
    assert (done.returncode, done.stderr) == (0, "")
    body = done.stdout if name == "flask.md" else done.stdout.splitlines()[0].replace("'", '"')
    assert json.loads(body) == PRINTED[name]


def test_the_job_writes_its_report(folder: Path, postgres_db: str, redis_url: str) -> None:
    """Ana's sums by month, and nothing beside them."""
    ((_, text),) = BLOCK.findall(
        (ROOT / "docs/how-to/scheduled-job.md").read_text(encoding="utf-8")
    )
    done = run(text, folder, postgres_db, redis_url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (folder / "charges.csv").read_text(encoding="utf-8").splitlines()
    expected = [f"{d},{total}.00" for d, total in zip(DAYS, SUMS, strict=True)]
    assert lines == ["date_index,sum", *expected]
    assert not (folder / "charges.new").exists()


def test_the_tutorials_first_answer(folder: Path, postgres_db: str, redis_url: str) -> None:
    """Ana's sums are those of her two practices, whatever the table holds besides."""
    done = run(tutorial("python", "import asyncio"), folder, postgres_db, redis_url)
    assert (done.returncode, done.stderr) == (0, "")
    expected = [
        (month, sum(1000 + p * 10 + v + month - 1 for p in (1, 2) for v in range(1, 6)))
        for month in range(1, 7)
    ]
    assert done.stdout.splitlines() == [
        f"2024-{month:02}-01 {total}.00" for month, total in expected
    ]
    page = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    assert all(f"│ 2024-{month:02}-01 │ {total}.00 │" in page for month, total in expected)


def urls(postgres_db: str, redis_url: str) -> dict[str, str]:
    """Where the servers are, as the environment says it."""
    return {"WARMCUBE_SOURCES__MAIN__URL": postgres_db, "WARMCUBE_STORE__URL": redis_url}


def run(
    text: str, folder: Path, postgres_db: str, redis_url: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder."""
    (folder / "script.py").write_text(text, encoding="utf-8")
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=unmeasured | {"PYTHONPATH": str(ROOT / "src")} | urls(postgres_db, redis_url) | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_no_program_is_left_out() -> None:
    """Whatever isn't run with the others is the only one of its page."""
    left_out = [str(each.id).split(":")[0] for each in blocks("python")]
    left_out = [page for page in left_out if page.endswith(BESIDES)]
    assert sorted(Path(page).name for page in left_out) == sorted(BESIDES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file that is there, and a heading that it has."""
    for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        found = (page.parent / target).resolve()
        assert found.is_file(), f"{target} isn't there"
        if not heading:  # a picture, say, has none
            continue
        anchors = {
            re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in found.read_text(encoding="utf-8").splitlines()
            if line.startswith("#")
        }
        assert heading in anchors, f"{target} has no heading {heading}"
