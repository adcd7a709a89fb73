"""For each sample user a token, and a call of the API that can be pasted."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from warmcube.authn.issue import issue_token
from warmcube.config import Settings
from warmcube.demo.files import DATASOURCE, USERS

__all__ = ["CALL", "sample_calls"]

_SECONDS: Final = 24 * 60 * 60

CALL: Final[Mapping[str, Any]] = {
    "datasource": DATASOURCE,
    "measure": "Charges",
    "frequency": "Monthly",
    "group_by": ["practice_uid"],
    "aggregate": "sum",
    "order_by": ["practice_uid"],
}
"""The query of the calls: the same for everybody, and different for each in its answer."""


def sample_calls(settings: Settings, url: str) -> Iterator[tuple[str, str]]:
    """The sample users, each with a line for a shell.

    Args:
        settings: of the demo.
        url: where its service answers.
    """
    now = int(time.time())
    for user in USERS:
        token = issue_token(settings, user, now, _SECONDS)
        words = (
            "curl",
            "-s",
            f"{url}/api/query",
            "-H",
            f"Authorization: Bearer {token}",
            "-H",
            "Content-Type: application/json",
            "-d",
            json.dumps(CALL, separators=(",", ":")),
        )
        yield user, shlex.join(words)
