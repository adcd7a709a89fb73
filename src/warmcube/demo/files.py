"""The demo's own configuration, users and dashboards, so that every command works on it."""

from __future__ import annotations

import json
import os
import secrets
from importlib import resources
from pathlib import Path
from typing import Final

from warmcube import demo
from warmcube.demo.load import TABLE
from warmcube.demo.passwords import CREDENTIALS
from warmcube.demo.practices import ORGANIZATIONS, practices_of

__all__ = ["DATASOURCE", "USERS", "write_files"]

DATASOURCE: Final = 1
"""The id of the demo's data source."""

USERS: Final = {
    "root": "super admin: everything",
    "north": "analyst of the organization north",
    "provider": "provider 10105 in north-coast: own rows",
    "nobody": "analyst of an organization without practices",
    "lost": "a provider without a provider id",
}
"""The sample users, and what they are."""

_KEY_FILE: Final = "token.key"
_EMBED_KEY_FILE: Final = "embed.key"

_CONFIGURATION: Final = f"""\
# The demo of warmcube; written anew by every `warmcube demo` in this folder.
[store]
url = "embedded"

[embedded]
folder = "."

[sources.demo]
url = "embedded"

[[datasources]]
id = {DATASOURCE}
name = "Practice analytics"
source = "demo"
table = "{TABLE}"

[dashboards]
path = "dashboards"
today = 2025-12-31  # on which the data end

[directory]
path = "access.toml"

[[auth.keys]]
issuer = "warmcube-demo"
audience = "warmcube-demo"
algorithms = ["HS256"]
key_file = "{_KEY_FILE}"

[auth.local]
path = "{CREDENTIALS}"

[auth.embed]
key_file = "{_EMBED_KEY_FILE}"
"""

_ROLES: Final = """\
# Who may see what in the demo of warmcube; written anew by every `warmcube demo` in this folder.
[roles]
super_admin = [
    "analytics:read:all", "analytics:export:all", "cache:read:all", "cache:manage:all",
    "directory:read:all"
]
org_analyst = [
    "analytics:read:organization", "analytics:export:organization", "dashboards:embed:organization"
]
provider    = ["analytics:read:own"]
"""

_SAMPLE_USERS: Final = """
[[users]]
id = "root"
name = "Rut Root"
roles = ["super_admin"]

[[users]]
id = "north"
name = "Nora North"
roles = ["org_analyst"]
organizations = ["north"]

[[users]]
id = "provider"
name = "Pavel Provider"
roles = ["provider"]
organizations = ["north-coast"]
provider = 10105

[[users]]
id = "nobody"
name = "Nikos Nobody"
roles = ["org_analyst"]
organizations = ["fresh"]

[[users]]
id = "lost"
name = "Lou Lost"
roles = ["provider"]
organizations = ["north"]
"""


def write_files(folder: Path, practices: int) -> Path:
    """Writes the files, and makes the keys of the demo's tokens where there are none yet.

    Args:
        folder: where to.
        practices: how many practices the data are about.

    Returns:
        The configuration file.
    """
    (folder / "access.toml").write_text(_access(practices), encoding="utf-8")
    _make_key(folder / _KEY_FILE)
    _make_key(folder / _EMBED_KEY_FILE)
    _write_dashboards(folder / "dashboards")
    configuration = folder / "warmcube.toml"
    configuration.write_text(_CONFIGURATION, encoding="utf-8")
    return configuration


def _write_dashboards(folder: Path) -> None:
    """The samples, as they ship; what else is in the folder stays."""
    folder.mkdir(exist_ok=True)
    for sample in (resources.files(demo) / "dashboards").iterdir():
        (folder / sample.name).write_bytes(sample.read_bytes())


def _make_key(path: Path) -> None:
    """A random key of each folder's own: a token of one demo counts in no other."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.write(descriptor, secrets.token_urlsafe(48).encode())
    os.close(descriptor)


def _access(count: int) -> str:
    practices = practices_of(count)
    text = _ROLES
    for organization in ORGANIZATIONS:
        members = [each.uid for each in practices if each.organization == organization.id]
        text += f'\n[[organizations]]\nid = "{organization.id}"\n'
        text += f"name = {json.dumps(organization.name)}\n"
        if organization.parent is not None:
            text += f'parent = "{organization.parent}"\n'
        text += f"practices = {members}\n"
        if not organization.active:
            text += "active = false\n"
    return text + _SAMPLE_USERS
