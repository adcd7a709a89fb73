"""URLs and keys that never show their secrets."""

from __future__ import annotations

import re

from pydantic import Secret

__all__ = ["SecretUrl", "masked"]

_NAMED = r"(?i)([\w-]*(?:pass|pwd|secret|token|credential|key)[\w-]*\s*=\s*)"
_SECRET_PARAMETER = re.compile(_NAMED + r"('[^']*'|[^&\s]+)")
_SECRET_IN_URL = re.compile(_NAMED + "([^&]+)")


def masked(text: str) -> str:
    """A URL or connection string without its secrets, fit for messages.

    A password may hold any character, so everything between the first colon of the authority and
    the *last* ``@`` is hidden: rather too much than a part of a password. Where a secret parameter
    stands before that ``@``, what follows it may be that parameter's end, and is hidden too.
    """
    scheme, found, rest = text.partition("://")
    if not found:
        return _SECRET_PARAMETER.sub(r"\1***", text)
    before, at, after = rest.rpartition("@")
    if at:
        if _SECRET_IN_URL.search(before):
            user, _, _ = before.replace("?", ":").partition(":")
            return f"{scheme}://{user}:***"
        user, colon, _ = before.partition(":")
        rest = f"{user}{':***' if colon else ''}@{after}"
    return _SECRET_IN_URL.sub(r"\1***", f"{scheme}{found}{rest}")


class SecretUrl(Secret[str]):
    """A URL whose password shows in no ``repr``, ``str``, log or error.

    ``get_secret_value()`` is the URL itself, for the driver that connects; ``str()`` is the URL
    without its secrets, for messages.
    """

    def _display(self) -> str:
        return masked(self.get_secret_value())
