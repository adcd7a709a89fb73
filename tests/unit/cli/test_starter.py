"""The files that ``warmcube init`` writes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.cli.starter import ACCESS, configuration, write_new
from warmcube.config import load
from warmcube.errors import ConfigError
from warmcube.model.schema import Roles

ROLES = ("measure", "practice", "provider", "frequency", "date", "value")
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(st.data())
def test_what_is_written_loads(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever the names of table and columns, the written file means exactly them."""
    table = data.draw(NAMES)
    names = data.draw(st.lists(NAMES, min_size=6, max_size=6, unique=True))
    columns = {
        role: data.draw(st.sampled_from([name, None]))
        for role, name in zip(ROLES, names, strict=True)
    }
    text = configuration(
        store="embedded",
        source="postgresql://user:p%40ss@host/db",
        table=table,
        columns=columns,
        remarks={"measure": data.draw(NAMES)},
    )
    file = tmp_path_factory.getbasetemp() / "starter.toml"
    file.write_bytes(text.encode())
    settings = load(file, {})
    assert settings.datasource(1).table == table
    assert settings.datasource(1).roles == Roles(**columns)
    assert settings.sources["main"].url.get_secret_value() == "postgresql://user:p%40ss@host/db"
    assert settings.has_sign_in


def test_files_are_private_and_whole(tmp_path: Path) -> None:
    """Only the owner can read what was written, and no draft stays behind."""
    file = tmp_path / "access.toml"
    write_new(file, ACCESS, force=False)
    assert file.read_text(encoding="utf-8") == ACCESS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    """A file that is there stays as it is; with force it is replaced, and private again."""
    file = tmp_path / "file"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="is there already and stays as it is"):
        write_new(file, "new", force=False)
    assert file.read_text(encoding="utf-8") == "old"
    write_new(file, "new", force=True)
    assert file.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """What can't be written is one sentence."""
    with pytest.raises(ConfigError, match="can't be written: No such file or directory"):
        write_new(tmp_path / "missing" / "file", "text", force=False)
