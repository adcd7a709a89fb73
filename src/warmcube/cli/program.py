"""Running a command: every error is one clear sentence on stderr and an exit status."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from warmcube.cli.app import root_command
from warmcube.cli.console import say_error
from warmcube.cli.usage import ClickException, message_of
from warmcube.config import masked
from warmcube.config.environment import DEBUG_VARIABLE
from warmcube.errors import WarmcubeError

__all__ = ["run_command"]

_USAGE = 2
_INTERRUPTED = 130


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: without the program's name.

    Returns:
        The exit status: 0 done, 1 failed, 2 usage, 3 access denied, 130 interrupted.
    """
    try:
        with _told_once():
            status = root_command().main(
                list(arguments), prog_name="warmcube", standalone_mode=False
            )
        sys.stdout.flush()
    except ClickException as error:
        say_error(message_of(error))
        return _USAGE
    except WarmcubeError as error:
        _show_traceback(error)
        say_error(str(error))
        return error.exit_status
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough; and Python shall not complain of it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort, so that nobody sees a traceback
        if not _show_traceback(error):
            # Not the error's own text: that of a driver may hold a credential.
            say_error(
                f"warmcube failed unexpectedly ({type(error).__name__}); this is a defect of "
                f"warmcube: run the command again with {DEBUG_VARIABLE}=1 and report what it shows"
            )
        return 1
    return status if isinstance(status, int) else 0


@contextmanager
def _told_once() -> Iterator[None]:
    """Have stores that can't be reached told by the command's own words alone.

    A service goes on without them, so it logs them all the same: `service.server.logs`.
    """
    log = logging.getLogger("warmcube.store")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _show_traceback(error: Exception) -> bool:
    """The traceback on stderr, if it was asked for; whether it was."""
    if os.environ.get(DEBUG_VARIABLE, "") in ("", "0"):
        return False
    lines = "".join(traceback.format_exception(error)).splitlines()
    sys.stderr.write("".join(f"{masked(line)}\n" for line in lines))
    return True
