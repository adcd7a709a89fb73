"""The command line: ``warmcube [--config FILE] COMMAND``."""

from warmcube.cli.program import main

__all__ = ["main"]
