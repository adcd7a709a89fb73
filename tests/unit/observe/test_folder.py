"""`warmcube.observe.folder`: several processes are one, whichever of them ends when."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmcube.errors import ConfigError
from warmcube.observe.cells import Cells
from warmcube.observe.folder import open_cells, sum_folder


def counting(folder: Path, **figures: float) -> Cells:
    """A process that counted something."""
    cells = open_cells(folder)
    for key, value in figures.items():
        cells.values[cells.place(key)] += value
    return cells


def test_the_living_and_the_ended_are_summed(tmp_path: Path) -> None:
    """Apart, since gauges of those that ended don't count."""
    folder = tmp_path / "figures"
    one, two = counting(folder, a=1, b=2), counting(folder, b=3, c=4)
    assert sum_folder(folder) == ({"a": (1,), "b": (5,), "c": (4,)}, {})
    one.close()
    for _ in range(3):
        assert sum_folder(folder) == ({"b": (3,), "c": (4,)}, {"a": (1,), "b": (2,)})
    two.close()
    three = counting(folder, a=10)
    for _ in range(2):
        assert sum_folder(folder) == ({"a": (10,)}, {"a": (1,), "b": (5,), "c": (4,)})
    three.close()


def test_files_of_the_ended_go(tmp_path: Path) -> None:
    """However often processes are replaced, the folder holds but few files."""
    for number in range(20):
        counting(tmp_path, a=number).close()
        sum_folder(tmp_path)
    assert sum_folder(tmp_path) == ({}, {"a": (sum(range(20)),)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ended", "lock"]


def test_nothing_counts_twice(tmp_path: Path) -> None:
    """Who is interrupted after the sums were written leaves files that are in them already."""
    counting(tmp_path, a=1).close()
    (path,) = tmp_path.glob("*.figures")
    content = path.read_bytes()
    assert sum_folder(tmp_path) == ({}, {"a": (1,)})
    path.write_bytes(content)  # as if it had not been removed
    other = counting(tmp_path, a=5)
    other.close()
    for _ in range(2):
        assert sum_folder(tmp_path) == ({}, {"a": (6,)})
    assert not path.exists()


def test_a_file_that_is_being_made_is_nobodys(tmp_path: Path) -> None:
    """It counts from the moment on that its process holds it."""
    (tmp_path / "0123.new").write_bytes(b"")
    assert sum_folder(tmp_path) == ({}, {})
    assert (tmp_path / "0123.new").exists()


def test_a_series_that_has_other_buckets_now(tmp_path: Path) -> None:
    """What was counted in others can't be added, so it starts anew."""
    old = open_cells(tmp_path)
    old.values[old.place("h", 3)] = 1
    old.close()
    assert sum_folder(tmp_path) == ({}, {"h": (1, 0, 0)})
    new = open_cells(tmp_path)
    new.values[new.place("h", 4)] = 2
    new.close()
    assert sum_folder(tmp_path) == ({}, {"h": (2, 0, 0, 0)})


@pytest.mark.parametrize("mode", [0o710, 0o702, 0o755])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    """They could read figures, or add their own."""
    tmp_path.chmod(mode)
    with pytest.raises(ConfigError, match="isn't private"):
        open_cells(tmp_path)
