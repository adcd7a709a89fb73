"""Finding and reading the configuration file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from warmcube.config.environment import CONFIG_VARIABLE
from warmcube.errors import ConfigError

__all__ = ["DEFAULT_FILE", "find", "read_toml"]

DEFAULT_FILE: Final = "warmcube.toml"
_DATASOURCES: Final = "WARMCUBE_DATASOURCES__"


def find(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read: the one given, ``$WARMCUBE_CONFIG``, or ``./warmcube.toml``.

    Returns:
        None where no file was named, none is there, and the environment says everything.

    Raises:
        ConfigError: if the file isn't there.
    """
    named = path
    if named is None and environment.get(CONFIG_VARIABLE):
        named = Path(environment[CONFIG_VARIABLE])
    found = named if named is not None else Path(DEFAULT_FILE)
    if found.exists():
        return found
    if named is None and any(name.startswith(_DATASOURCES) for name in environment):
        return None
    said = f" (from {CONFIG_VARIABLE})" if named is not None and path is None else ""
    raise ConfigError(
        f"there is no configuration file {found}{said}: make one for your own table with "
        "`warmcube init --source URL --table SCHEMA.TABLE`, try `warmcube demo`, or name another "
        f"with --config or {CONFIG_VARIABLE}"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: if it can't be read, or isn't TOML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: line {line} isn't UTF-8 text; save the file as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} isn't valid TOML: {error}") from None
