"""Text from outside, made fit for a line that people and programs read: bounded and visible."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ESCAPED", "LONGEST", "escape", "shorten"]

LONGEST: Final = 200
"""Characters of one text; what is longer is cut with a mark."""

# C0, DEL, C1; what turns the direction of text; line and paragraph separators; halves of surrogate
# pairs; and what shows as nothing at all, but for the joiners that some scripts are written with.
_INVISIBLE: Final = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb"
)
_TAGS: Final = "\U000e0000-\U000e007f"
# The backslash of what looks like an escape is escaped too, so that each escape means itself.
_ESCAPED: Final = re.compile(rf"[{_INVISIBLE}{_TAGS}]|\\(?=u\{{)")

ESCAPED: Final = f"[{_INVISIBLE}]"
"""A pattern of what `escape` replaces in the basic plane, as JSON Schema and Python read it."""


def shorten(text: str) -> str:
    """At most `LONGEST` characters; a longer text keeps its beginning, and says how long it was.

    What is short enough already, a shortened text included, stays as it is.
    """
    if len(text) <= LONGEST:
        return text
    mark = f"… ({len(text):,} characters)"
    return text[: LONGEST - len(mark)] + mark


def escape(text: str) -> str:
    r"""Every character that doesn't show, or makes others show elsewhere, as ``\u{202e}``.

    Different texts stay different.
    """
    if text.isprintable() and "\\u{" not in text:
        return text
    return _ESCAPED.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)
