"""The command line: ``warmcube [--config FILE] COMMAND``."""

from warmcube.cli.main import main

__all__ = ["main"]
