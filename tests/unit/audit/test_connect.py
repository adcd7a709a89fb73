"""`warmcube.audit.connect`: from plain values to a sink, or to what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from warmcube.audit.connect import open_sink
from warmcube.audit.file_sink import FileSink
from warmcube.audit.postgres_sink import PostgresSink
from warmcube.audit.stream_sink import StreamSink
from warmcube.errors import ConfigError

URL = "postgresql://u:hunter2@127.0.0.1:1/db"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"kind": "file"}, FileSink),
        ({"kind": "file", "required": True}, FileSink),
        ({"kind": "stdout"}, StreamSink),
        ({"kind": "postgres", "url": URL}, PostgresSink),
        ({"kind": "none"}, type(None)),
    ],
)
async def test_each_kind(tmp_path: Path, values: dict[str, Any], kind: type) -> None:
    """Nothing is made or opened before the first line."""
    sink = open_sink(**values, path=tmp_path / "x" / "audit.jsonl")
    assert type(sink) is kind
    if sink is not None:
        await sink.close()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kind": "file"}, "needs a path"),
        ({"kind": "postgres"}, "needs a url"),
        ({"kind": "postgres", "url": URL, "table": "a.b.c"}, r"\[audit\] table: the table name"),
        ({"kind": "postgres", "url": "postgresql://u:hun/ter2@h/db"}, r"\[audit\] url can't be"),
    ],
)
def test_what_is_wrong_is_said(values: dict[str, Any], expected: str) -> None:
    """As an error of the configuration that names the setting, and no password."""
    with pytest.raises(ConfigError, match=expected) as caught:
        open_sink(**values)
    assert "ter2" not in str(caught.value)
