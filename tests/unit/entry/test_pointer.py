"""What the pointer of a data source says."""

from __future__ import annotations

import pytest

from warmcube.entry.keys import Version
from warmcube.entry.pointer import Pointer, parse_pointer
from warmcube.errors import Damage

VERSION = Version(12, "0123456789abcdef")


@pytest.mark.parametrize(
    ("current", "said"),
    [
        (None, Pointer(None)),
        (b"12-0123456789abcdef", Pointer(VERSION)),
        (b"disabled", Pointer(None, is_disabled=True)),
        (
            b"disabled:12-0123456789abcdef:1700000000000",
            Pointer(VERSION, is_disabled=True, serve_until_ms=1_700_000_000_000),
        ),
    ],
)
def test_what_scripts_write_is_read(current: bytes | None, said: Pointer) -> None:
    """Live, cold, switched off with a snapshot behind the switch, switched off without one."""
    assert parse_pointer(current) == said


@pytest.mark.parametrize(
    "current",
    [
        b"",
        b"12",
        b"disabled:",
        b"disabled:12-0123456789abcdef",
        b"disabled:12-0123456789abcdef:",
        b"disabled:12-0123456789abcdef:-5",
        b"disabled::5",
        b"disabled:12-0123456789abcdef:5:5",
        b"Disabled",
        b"disabled\n",
        b"\xff",
    ],
)
def test_anything_else_is_damage(current: bytes) -> None:
    """Nothing that is nearly right is taken for a pointer."""
    with pytest.raises(Damage):
        parse_pointer(current)
