"""Both clients have the same calls."""

from __future__ import annotations

import inspect
from typing import Any

from warmcube.client import AsyncClient, Client


def calls(cls: type) -> dict[str, Any]:
    """The public calls of a client, with their parameters and what they document."""
    return {
        name: (inspect.signature(each), each.__doc__)
        for name, each in vars(cls).items()
        if not name.startswith("_")
    }


def test_the_clients_have_the_same_calls() -> None:
    """Parameter by parameter, word by word; one is awaited, the other isn't."""
    assert calls(AsyncClient) == calls(Client)
    for name in calls(Client):
        assert inspect.iscoroutinefunction(getattr(AsyncClient, name))
        assert not inspect.iscoroutinefunction(getattr(Client, name))
