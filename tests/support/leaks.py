"""Looks through every response of a service for what its asker may not see.

Each row of `tests.support.caches.TABLE` bears its practice in a text of its own, ``note of
practice 110``, so that rows of others are found in whatever form they come.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from typing import Final

import httpx
import pyarrow.parquet as pq

__all__ = ["LeakScan"]

_NOTE: Final = re.compile(rb"note of practice (\d+)")
_INSIDE: Final = re.compile(
    rb"Traceback \(most recent|File \\?\"/|\.py\\?\", line |postgresql://|redis://|unix://|"
    rb"BEGIN [A-Z ]*PRIVATE KEY|argon2id\$"
)


class LeakScan:
    """A response hook for httpx.

    Args:
        practices: what each user may see; None for everything. Whoever isn't named may see nothing.
        secrets: texts that no response may hold.
    """

    def __init__(
        self,
        practices: Mapping[str, Collection[int] | None],
        secrets: Collection[str] = (),
    ) -> None:
        self._practices = practices
        self._secrets = [secret.encode() for secret in secrets]
        self.scanned = 0

    async def __call__(self, response: httpx.Response) -> None:
        await response.aread()
        user = response.request.headers.get("authorization", "").removeprefix("Test ")
        self.check(user, response)

    def check(self, user: str, response: httpx.Response) -> None:
        """Fail if a response holds what it may not.

        Raises:
            AssertionError: it does.
        """
        self.scanned += 1
        heads = b"\n".join(name + b": " + value for name, value in response.headers.raw)
        text = heads + b"\n" + _plain(response)
        where = (response.request.method, str(response.request.url), user)
        assert not _INSIDE.search(text), (where, _INSIDE.search(text))
        for secret in self._secrets:
            assert secret not in text, where
        allowed = self._practices.get(user, ())
        found = {int(practice) for practice in _NOTE.findall(text)}
        assert allowed is None or found <= set(allowed), (where, found)


def _plain(response: httpx.Response) -> bytes:
    """The body with its texts readable."""
    data = response.content
    if "parquet" not in response.headers.get("content-type", ""):
        return data
    return repr(pq.read_table(io.BytesIO(data)).to_pylist()).encode()
