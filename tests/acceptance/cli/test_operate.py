"""The commands of the operations page, as it has them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .conftest import Finished

PAGE = Path(__file__).parents[3] / "docs/how-to/operate.md"
ENDS = {"worker": 1}
"""With status 1, since no worker is alive."""


def test_the_commands_of_the_page_run(inside: Callable[..., Finished]) -> None:
    """One after the other, as they stand there; afterwards it is warm again."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = [line.partition("#")[0].split() for block in blocks for line in block.splitlines()]
    assert len(lines) >= 7
    assert inside("warm", "1").returncode == 0
    try:
        for program, command, *words in lines:
            assert program == "warmcube"
            done = inside(command, *words)
            assert done.returncode == ENDS.get(command, 0), (command, done.stderr)
            assert done.stdout
    finally:
        assert inside("warm", "1").returncode == 0


def test_the_statistics_have_the_last_verification(inside: Callable[..., Finished]) -> None:
    """As the page says where to look for it."""
    assert inside("verify", "1", "--sample", "2").returncode == 0
    assert b"equal, 20" in inside("stats", "1").stdout
