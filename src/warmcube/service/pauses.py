"""Settings of the interpreter that keep a process of the service from pausing while others wait.

They hold for a whole process, so they are for processes of our own: never for an application that
the engine or the routes are a part of.
"""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["avoid_pauses"]

_YOUNG: Final = 10_000
"""So many more objects than before make a look at the young ones worth it; Python's own 700 are
there after two reads."""
_OLDER: Final = 10


def avoid_pauses() -> None:
    """Call when everything is loaded and nothing is answered yet.

    What is there by then stays: modules, routes, schemas, a hundred thousand objects and more. To
    look through all of them for garbage takes 50 to 100 milliseconds, every so often, in which
    nobody is answered. What nothing refers to any more is released at once all the same; only the
    garbage in circles waits for the collector, which still looks at all that comes later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
