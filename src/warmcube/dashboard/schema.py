"""The JSON schema of a file, for editors, made of the declarations that the parser reads. Pure."""

from __future__ import annotations

import json
from typing import Any

from warmcube.dashboard.fields import DASHBOARD

__all__ = ["json_schema", "schema_text"]


def json_schema() -> dict[str, Any]:
    """What a file may hold, as far as a schema can say it; TOML's and YAML's dates as text."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A dashboard of warmcube",
        **DASHBOARD.schema(),
    }


def schema_text() -> str:
    """The schema as a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
