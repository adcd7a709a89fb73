"""Small disks for the servers' data, which can be filled to the last byte.

They are file systems in memory, mounted where only this process and what it starts can see them, so
that they are gone when it is. Only root may do that; without it there are none.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["Disks"]

_CLONE_NEWNS: Final = 0x0002_0000
_FILLER: Final = "filler"
_CHUNK: Final = 1 << 20


class Disks:
    """Disks of some size, at some folders.

    Args:
        sizes: of each folder's, in MiB.
    """

    def __init__(self, sizes: Mapping[Path, int]) -> None:
        self._sizes = sizes
        self._mounted: list[Path] = []

    def mount(self) -> None:
        """Mount them, if that may be done; servers have to be started by this thread then."""
        if os.geteuid() != 0 or not _is_apart():
            return
        for folder, size in self._sizes.items():
            folder.mkdir(exist_ok=True)
            options = f"size={size}m,mode=0755"
            words = ["mount", "-t", "tmpfs", "-o", options, "warmcube-faults", str(folder)]
            if subprocess.run(words, check=False, capture_output=True).returncode:
                return
            self._mounted.append(folder)

    def fill(self) -> bool:
        """Leave not a byte; False where there are no disks."""
        for folder in self._mounted:
            with (folder / _FILLER).open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(_CHUNK))
                    file.flush()
        return len(self._mounted) == len(self._sizes)

    def empty(self) -> None:
        """Give back what `fill` took."""
        for folder in self._mounted:
            (folder / _FILLER).unlink(missing_ok=True)

    def unmount(self) -> None:
        """Let them go."""
        for folder in self._mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
        self._mounted = []


def _is_apart() -> bool:
    """Whether mounts of this thread, and of what it starts, are nobody else's from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return False
    words = ["mount", "--make-rprivate", "/"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0
