"""Whether a user that is named on the command line is one: a typing mistake shows up late."""

from __future__ import annotations

from warmcube.config import Settings
from warmcube.errors import DirectoryError
from warmcube.opening import open_directory

__all__ = ["unknown_note"]


async def unknown_note(settings: Settings, user: str) -> str | None:
    """What to say of a user that the directory doesn't have; None where it does, or can't tell."""
    source = open_directory(settings)
    try:
        found = await source.read(None)
    except DirectoryError:
        return None  # whoever runs the service will be told
    finally:
        await source.close()
    if found is None or found.directory is None or user in found.directory.users:
        return None
    return f"note: the directory has no user {user}, who may see nothing until it has"
