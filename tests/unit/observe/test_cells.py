"""`warmcube.observe.cells`: what one process counts, another reads."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.observe.cells import Cells, read_cells

KEYS = st.dictionaries(st.text(max_size=40), st.integers(1, 20), max_size=30)


@given(KEYS)
def test_what_is_put_in_is_read(keys: dict[str, int]) -> None:
    """Each key with as many cells as were asked for, whatever it is made of."""
    cells = Cells()
    wanted = {}
    for number, (key, count) in enumerate(keys.items()):
        place = cells.place(key, count)
        for at in range(count):
            cells.values[place + at] += number + at / 8
        wanted[key] = tuple(number + at / 8 for at in range(count))
    assert dict(read_cells(cells.content())) == wanted
    assert [cells.place(key, count) for key, count in keys.items()] == [
        cells.place(key, count) for key, count in keys.items()
    ]
    assert dict(read_cells(cells.content())) == wanted


@pytest.mark.parametrize("is_file", [False, True])
def test_it_grows(tmp_path: Path, is_file: bool) -> None:
    """What was counted before is kept, and counting goes on where it was."""
    path = tmp_path / "cells"
    cells = Cells(path.open("w+b") if is_file else None)
    first = cells.place("first")
    cells.values[first] += 1
    for number in range(3000):
        place = cells.place(f"a key that is about as long as most {number}")
        cells.values[place] = number
    cells.values[first] += 1
    told = dict(read_cells(path.read_bytes() if is_file else cells.content()))
    assert told["first"] == (2,)
    assert [told[f"a key that is about as long as most {n}"] for n in range(3000)] == [
        (n,) for n in range(3000)
    ]
    cells.close()


def test_others_see_it_at_once(tmp_path: Path) -> None:
    """Without a call to write anything; and what is counted after the end goes nowhere."""
    path = tmp_path / "cells"
    cells = Cells(path.open("w+b"))
    place = cells.place("key")
    cells.values[place] = 7
    assert dict(read_cells(path.read_bytes())) == {"key": (7,)}
    cells.close()
    cells.values[place] += 1
    cells.values[cells.place("another")] += 1
    cells.close()
    assert dict(read_cells(path.read_bytes())) == {"key": (7,)}


@pytest.mark.parametrize("block", [b"", b"x" * 100, b"wcfigur1", bytes(mmap.PAGESIZE)])
def test_what_is_no_block_holds_nothing(block: bytes) -> None:
    """A process that ended while its file was made has counted nothing."""
    assert list(read_cells(block)) == []
