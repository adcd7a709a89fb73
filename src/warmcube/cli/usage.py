"""Usage errors of the command line, as one sentence.

Typer carries its own copy of click since 0.2x; taking the exception from typer's own tree finds
whichever it uses.
"""

from __future__ import annotations

from typing import Any, Final

import typer

__all__ = ["ClickException", "message_of"]

ClickException: Final[Any] = next(
    type_ for type_ in typer.BadParameter.__mro__ if type_.__name__ == "ClickException"
)
"""What click raises for everything that a user typed wrongly."""


def message_of(error: Any) -> str:
    """What was wrong, and where the help is."""
    context = getattr(error, "ctx", None)
    where = f" (see {context.command_path} --help)" if context is not None else ""
    text = " ".join(str(error.format_message()).split())
    text = text.removeprefix("Invalid value: ").replace(": Value error, ", ": ").rstrip(".")
    is_sentence = text[1:2].islower()  # and not the name of an option, or JSON
    return f"{text[:1].lower() if is_sentence else text[:1]}{text[1:]}{where}"
