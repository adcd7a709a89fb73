"""A folder of dashboards follows its files, and keeps the last good of each."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from warmcube.dashboard.files import Library
from warmcube.dashboard.text import MOST_BYTES

GOOD = """\
id = "{id}"
title = "{title}"
datasource = 1
[[charts]]
id = "charges"
title = "Charges"
type = "number"
measure = "Charges"
"""


class Shelf:
    """A folder, a library of it, and the clock by which it looks."""

    def __init__(self, folder: Path, *, is_needed: bool = False) -> None:
        self.folder = folder
        self.seconds = 0.0
        self.told: list[str] = []
        self.library = Library(
            folder,
            datasources=[1],
            tell=self.told.append,
            monotonic=lambda: self.seconds,
            is_needed=is_needed,
        )

    def write(self, name: str, text: str | None = None, *, title: str = "T") -> None:
        """A file, good unless its text is given, its id its name."""
        good = GOOD.format(id=Path(name).stem, title=title)
        (self.folder / name).write_text(good if text is None else text, encoding="utf-8")

    async def titles(self) -> dict[str, str]:
        """Each dashboard's title a second later."""
        self.seconds += 1
        return {key: each.title for key, each in (await self.library.current()).items()}

    @property
    def troubles(self) -> list[str]:
        return [str(trouble) for trouble in self.library.troubles]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A library of an empty folder."""
    return Shelf(tmp_path)


async def test_dashboards_come_change_and_go_with_their_files(shelf: Shelf) -> None:
    """TOML and YAML files are read in the order of their names; others are left alone."""
    assert await shelf.titles() == {}
    shelf.write("b.toml", title="B")
    shelf.write(
        "a.yaml",
        "{id: a, title: A, datasource: 1, "
        "charts: [{id: c, title: C, type: number, measure: Charges}]}",
    )
    shelf.write("c.txt", title="no dashboard")
    shelf.write(".d.toml", title="an editor's own")
    assert list((await shelf.titles()).items()) == [("a", "A"), ("b", "B")]
    shelf.write("b.toml", title="B2")
    assert await shelf.titles() == {"a": "A", "b": "B2"}
    (shelf.folder / "a.yaml").unlink()
    assert await shelf.titles() == {"b": "B2"}
    assert shelf.troubles == []


async def test_it_looks_at_most_once_a_second(shelf: Shelf) -> None:
    """Between two looks it says what it knows."""
    shelf.write("a.toml", title="1")
    assert await shelf.titles() == {"a": "1"}
    shelf.write("a.toml", title="2")
    shelf.seconds += 0.99
    assert (await shelf.library.current())["a"].title == "1"
    shelf.seconds += 0.02
    assert (await shelf.library.current())["a"].title == "2"


async def test_whoever_asks_while_somebody_looks_gets_what_is_found(shelf: Shelf) -> None:
    """Also at the very first look, however many ask at once."""
    shelf.write("a.toml", title="A")
    found = await asyncio.gather(*(shelf.library.current() for _ in range(50)))
    assert [list(each) for each in found] == [["a"]] * 50
    assert len({id(each["a"]) for each in found}) == 1


async def test_every_half_of_a_file_leaves_the_last_good_one(shelf: Shelf) -> None:
    """Wherever the writing of a file stops, the dashboard stays, until it is whole again."""
    shelf.write("a.toml", title="before")
    assert await shelf.titles() == {"a": "before"}
    after = GOOD.format(id="a", title="after")
    for length in range(len(after.rstrip())):
        shelf.write("a.toml", after[:length])
        assert await shelf.titles() == {"a": "before"}, after[:length]
        assert len(shelf.troubles) > 0, after[:length]
    shelf.write("a.toml", after)
    assert await shelf.titles() == {"a": "after"}
    assert shelf.troubles == []


async def test_a_trouble_is_told_once_as_long_as_it_lasts(shelf: Shelf) -> None:
    """And again when it comes back; it can be read as long as it is there."""
    shelf.write("a.toml", "id = ")
    said = "a.toml: isn't valid TOML: Invalid value (at end of document)"
    for _ in range(3):
        assert await shelf.titles() == {}
        assert shelf.troubles == [said]
    assert shelf.told == [said]
    shelf.write("a.toml")
    await shelf.titles()
    shelf.write("a.toml", "id = ")
    assert await shelf.titles() == {"a": "T"}
    assert shelf.told == [said, said]


async def test_a_file_full_of_troubles_does_not_fill_the_log(shelf: Shelf) -> None:
    """Twenty are told, and how many more there are; all can be read."""
    fields = "".join(f"field{number} = 1\n" for number in range(30))
    shelf.write("a.toml", fields + GOOD.format(id="a", title="A"))
    await shelf.titles()
    assert len(shelf.troubles) == 30
    assert shelf.told == [
        *shelf.troubles[:20],
        (f"{shelf.folder}: 10 more troubles with dashboards; see `warmcube dashboard check`"),
    ]


async def test_a_change_that_keeps_size_and_time_is_seen_while_it_is_new(shelf: Shelf) -> None:
    """A file that was just written is read again, whatever its time says."""
    shelf.write("a.toml", title="one")
    assert await shelf.titles() == {"a": "one"}
    status = (shelf.folder / "a.toml").stat()
    shelf.write("a.toml", title="two")
    os.utime(shelf.folder / "a.toml", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert await shelf.titles() == {"a": "two"}


async def test_a_settled_file_is_not_read_again(shelf: Shelf) -> None:
    """A file of last year whose status is as it was isn't opened: it isn't even readable."""
    shelf.write("a.toml", title="old")
    os.utime(shelf.folder / "a.toml", (0, 0))
    assert await shelf.titles() == {"a": "old"}
    kept = (await shelf.library.current())["a"]
    await shelf.titles()
    assert (await shelf.library.current())["a"] is kept


async def test_what_holds_between_files(shelf: Shelf) -> None:
    """Of two with one id the first counts; an unknown data source makes one unusable; a drill
    that leads nowhere is said, and the dashboard stays.
    """
    shelf.write("a.toml", GOOD.format(id="one", title="A") + 'drill = "two"\n')
    shelf.write("b.toml", GOOD.format(id="one", title="B") + 'drill = "on"\n')
    shelf.write("c.toml", GOOD.format(id="c", title="C").replace("= 1", "= 2"))
    assert await shelf.titles() == {"one": "A"}
    assert shelf.troubles == [
        "b.toml: id = 'one': a.toml has this id already; give another",
        "c.toml: datasource = 2: there is no such data source; expected one of 1",
        (
            "a.toml: charts[0].drill (chart 'charges') = 'two': there is no such dashboard; "
            "expected one of c, one"
        ),
        (
            "b.toml: charts[0].drill (chart 'charges') = 'on': there is no such dashboard; did you "
            "mean 'one'?"
        ),
    ]


async def test_files_that_are_none(shelf: Shelf) -> None:
    """A pipe, a folder, a dangling link, a file too large: each a trouble, none waited for."""
    os.mkfifo(shelf.folder / "a.toml")
    (shelf.folder / "b.toml").mkdir()
    (shelf.folder / "c.toml").symlink_to(shelf.folder / "nowhere")
    shelf.write("d.toml", "#" * (MOST_BYTES + 1))
    shelf.write("e.toml")
    assert await shelf.titles() == {"e": "T"}
    assert shelf.troubles == [
        "a.toml: isn't a regular file; name one that is",
        "b.toml: isn't a regular file; name one that is",
        "c.toml: can't be read: No such file or directory",
        "d.toml: is larger than 1,048,576 bytes; split the dashboard",
    ]


async def test_a_missing_folder_is_a_trouble_only_if_it_was_named(tmp_path: Path) -> None:
    """The default folder may be missing; one that is named is missed."""
    for is_needed, expected in (
        (False, []),
        (
            True,
            [
                (
                    f"{tmp_path / 'none'}: the folder of dashboards isn't there; make it, or set "
                    "[dashboards] path"
                )
            ],
        ),
    ):
        shelf = Shelf(tmp_path / "none", is_needed=is_needed)
        assert await shelf.titles() == {}
        assert shelf.troubles == expected


async def test_a_folder_that_cannot_be_read_keeps_what_was_known(shelf: Shelf) -> None:
    """Here a file stands where the folder was."""
    shelf.write("a.toml")
    assert await shelf.titles() == {"a": "T"}
    (shelf.folder / "a.toml").unlink()
    shelf.folder.rmdir()
    shelf.folder.write_text("")
    assert await shelf.titles() == {"a": "T"}
    assert shelf.troubles == [
        (
            f"{shelf.folder}: the folder of dashboards can't be read: Not a directory; make it, or "
            "set [dashboards] path"
        )
    ]
    shelf.folder.unlink()
    assert await shelf.titles() == {}
