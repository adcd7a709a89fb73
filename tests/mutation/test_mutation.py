"""The tools of `script/mutation`, and that what they keep in writing still fits the code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutation.leftovers import leftovers
from tests.mutation.mutant import Fate, Mutant, change_between, judge, read_equivalents
from tests.mutation.neuter import NEUTERINGS

SOURCE = '''"""A module."""

LIMIT = 5


class Box:
    """A class."""

    @property
    def is_empty(self) -> bool:
        """Says nothing."""
        return self.size == 0


def check(box: object, names: list[str]) -> list[str]:
    if isinstance(box, Box) and box.is_empty:
        raise ValueError("é")
    box.sort()
    return [name for name in names if name]
'''


def test_leftovers_are_what_mutmut_leaves_out() -> None:
    """Properties and constants whole; in functions what mutmut has no operator for."""
    found = {(each.mutant.function, each.mutant.change) for each in leftovers("m.py", SOURCE)}
    condition = "-if isinstance(box, Box) and box.is_empty:\n+if "
    comprehension = "-return [name for name in names if name]\n+return "
    assert found == {
        ("<module>", "-LIMIT = 5\n+LIMIT = 6"),
        ("Box.is_empty", "-return self.size == 0\n+return None"),
        ("Box.is_empty", "-return self.size == 0\n+return self.size != 0"),
        ("Box.is_empty", "-return self.size == 0\n+return self.size == 1"),
        ("check", f"{condition}(not (isinstance(box, Box) and box.is_empty)):"),
        ("check", f"{condition}(not isinstance(box, Box)) and box.is_empty:"),
        ("check", f"{condition}((isinstance(box, Box))):"),
        ("check", f"{condition}((box.is_empty)):"),
        ("check", '-raise ValueError("é")\n+pass'),
        ("check", "-box.sort()\n+pass"),
        ("check", f"{comprehension}None"),
        ("check", f"{comprehension}[name for name in names if True]"),
    }


def test_every_leftover_is_another_module() -> None:
    """No change is made twice, and none leaves the module as it was."""
    texts = [each.text for each in leftovers("m.py", SOURCE)]
    assert len(set(texts)) == len(texts)
    assert SOURCE not in texts


def test_a_change_outlives_its_surroundings() -> None:
    """Indentation and line numbers aren't in a mutant's name."""
    before = "def f():\n    if a < b:\n        return 1\n"
    after = before.replace("<", "<=")
    inner = "\n\nclass C:\n" + before.replace("\n", "\n    ")
    assert change_between(before, after) == "-if a < b:\n+if a <= b:"
    assert change_between(inner, inner.replace("<", "<=")) == "-if a < b:\n+if a <= b:"


def test_what_survives_must_be_listed_and_what_is_listed_must_survive() -> None:
    """A list that has grown stale is as much an error as a survivor; other files aren't judged."""
    killed, listed, new, stale, gone = (Mutant("a.py", "f", name) for name in "klnsg")
    elsewhere = Mutant("b.py", "f", "e")
    trials = [
        (killed, Fate.KILLED),
        (listed, Fate.SURVIVED),
        (new, Fate.UNTESTED),
        (stale, Fate.TIMEOUT),
    ]
    verdict = judge(trials, [listed, stale, gone, elsewhere], ["a.py"])
    assert verdict.survivors == ((new, Fate.UNTESTED),)
    assert verdict.listed == (listed,)
    assert verdict.stale == (gone, stale)
    assert not verdict.is_clean
    assert judge(trials[:2], [listed, elsewhere], ["a.py"]).is_clean


def test_the_list_of_equivalents_fits_the_code() -> None:
    """Each entry has a reason, and the lines that it speaks of are still there."""
    for mutant, reason in read_equivalents().items():
        lines = [
            line.strip() for line in Path(mutant.file).read_text(encoding="utf-8").splitlines()
        ]
        changed = [line[1:] for line in mutant.change.splitlines() if line.startswith("-")]
        assert len(reason) > 20, mutant
        assert changed, mutant
        assert set(changed) <= set(lines), mutant


@pytest.mark.parametrize("neutering", NEUTERINGS, ids=lambda each: each.name)
def test_every_rule_can_be_taken_away(neutering: object) -> None:
    """The rules stand in the code as the tool expects them, each once."""
    texts = [each.text() for each in NEUTERINGS if each is neutering]
    assert len(texts) == 1
    compile(texts[0], "neutered", "exec")
