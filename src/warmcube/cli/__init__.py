"""The command line: ``warmcube [--config FILE] COMMAND``."""

import sys

__all__ = ["main"]


def main() -> None:
    """The program ``warmcube``."""
    try:
        # Loading the libraries takes most of a second; a Ctrl-C shall not show where it hit them.
        from warmcube.cli.program import run_command  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run_command(sys.argv[1:]))
