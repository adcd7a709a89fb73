"""The files that ``warmcube init`` writes: a configuration that works, and a first user."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from warmcube.errors import ConfigError

__all__ = ["ACCESS", "configuration", "write_new"]

ACCESS: Final = """\
# Who may see what. Users of this file: warmcube query … --as USER
[roles]
super_admin = [
    "analytics:read:all", "analytics:export:all", "cache:read:all", "cache:manage:all",
    "directory:read:all"
]
org_analyst = ["analytics:read:organization", "analytics:export:organization"]
provider    = ["analytics:read:own"]

[[users]]
id = "admin"
name = "Admin"
roles = ["super_admin"]

# An organization, an analyst who sees its practices, and somebody who sees only their own rows:
#
# [[organizations]]
# id = "north"
# name = "North Group"
# practices = [101, 102]
#
# [[users]]
# id = "ana"
# roles = ["org_analyst"]
# organizations = ["north"]
#
# [[users]]
# id = "paul"
# roles = ["provider"]
# organizations = ["north"]
# provider = 10105
"""


def configuration(
    *,
    store: str,
    source: str,
    table: str,
    columns: Mapping[str, str | None],
    remarks: Mapping[str, str],
) -> str:
    """The text of a ``warmcube.toml`` for one table.

    Args:
        store: the URL of the Redis or Valkey, or "embedded".
        source: the URL of the database.
        table: as in ``schema.table``.
        columns: the column of each role; None where the table has none.
        remarks: on roles, for whoever reads the file.
    """
    lines = [
        "# The configuration of warmcube, proposed by `warmcube init`.",
        "# Every value can also come from the environment: WARMCUBE_SOURCES__MAIN__URL=…",
        "[store]",
        f'url = {_text(store)}  # redis://, rediss:// or unix:// of your server; or "embedded"',
        "",
        "[sources.main]",
        f"url = {_text(source)}",
        "",
        "[[datasources]]",
        "id = 1",
        f"name = {_text(table)}",
        'source = "main"',
        f"table = {_text(table)}",
        'time_zone = "UTC"  # in whose days dates given for a timestamp column are meant',
        "",
        "[datasources.columns]",
    ]
    for role, column in columns.items():
        remark = f"  # {_comment(remarks[role])}" if role in remarks else ""
        lines.append(f"{role} = {'false' if column is None else _text(column)}{remark}")
    lines += ["", "[directory]", 'path = "access.toml"']
    lines += ["", "[auth.local]  # for `warmcube serve`: who may sign in, as `warmcube password` says"]
    lines += ['path = "credentials.toml"', ""]
    return "\n".join(lines)


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Writes a file that only its owner can read, whole or not at all.

    Args:
        path: where to.
        text: what.
        force: replace a file that is there.

    Raises:
        ConfigError: the file is there already, or can't be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            if force:
                draft.replace(path)
            else:
                path.hardlink_to(draft)  # unlike a rename, it never replaces what is there
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise ConfigError(
            f"{path} is there already and stays as it is; replace it with --force, or name another "
            "with --config"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from None


def _text(value: str) -> str:
    """A TOML string; JSON's escapes are TOML's, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
