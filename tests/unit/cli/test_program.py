"""`warmcube.cli.program`: errors, exit statuses, and what is never shown."""

from __future__ import annotations

import pytest
import typer

from warmcube.cli import app as app_module
from warmcube.cli.program import run_command
from warmcube.errors import AccessDenied, ConfigError, LimitExceeded, StoreUnavailable


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command ``fail`` that raises whatever is put into this list."""
    errors: list[BaseException] = []
    application = typer.Typer()

    @application.command()
    def fail() -> None:
        raise errors[0]

    @application.callback()
    def root() -> None:
        pass

    monkeypatch.setattr(
        "warmcube.cli.program.root_command", lambda: typer.main.get_command(application)
    )
    monkeypatch.delenv("WARMCUBE_DEBUG", raising=False)
    return errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreUnavailable("the store is away"), 1),
        (ConfigError("the file is wrong"), 2),
        (LimitExceeded("too many rows"), 2),
        (AccessDenied("not you"), 3),
    ],
)
def test_errors_are_a_sentence_and_a_status(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
) -> None:
    """What warmcube raises on purpose is its message on stderr, and its exit status."""
    failing.append(error)
    assert run_command(["fail"]) == status
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", f"error: {error}\n")


def test_unexpected_errors_show_no_traceback(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """A defect is one sentence that names the way to the details, and not the error's own text."""
    failing.append(ValueError("postgresql://user:hunter2@host/db"))
    assert run_command(["fail"]) == 1
    written = capsys.readouterr()
    assert written.err == (
        "error: warmcube failed unexpectedly (ValueError); this is a defect of warmcube: run the "
        "command again with WARMCUBE_DEBUG=1 and report what it shows\n"
    )


def test_debug_shows_the_traceback_without_secrets(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With WARMCUBE_DEBUG=1 there is a traceback, and still no password."""
    monkeypatch.setenv("WARMCUBE_DEBUG", "1")
    failing.append(ValueError("postgresql://user:hunter2@host/db"))
    assert run_command(["fail"]) == 1
    written = capsys.readouterr()
    assert "Traceback (most recent call last)" in written.err
    assert "postgresql://user:***@host/db" in written.err
    assert "hunter2" not in written.err


def test_interruption(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is exit status 130, without a traceback."""
    failing.append(KeyboardInterrupt())
    assert run_command(["fail"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_control_characters_do_not_reach_the_terminal(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """What a message quotes can't move the cursor or colour the screen."""
    failing.append(ConfigError("bad \x1b[31mname\x07"))
    assert run_command(["fail"]) == 2
    assert capsys.readouterr().err == "error: bad \\x1b[31mname\\x07\n"


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to do is a usage error that names the commands."""
    assert run_command([]) == 2
    names = ", ".join(app_module.commands())
    assert capsys.readouterr().err == (
        f"error: a command is missing; expected one of {names} (see warmcube --help)\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["query", "--help"]])
def test_help_and_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Both are answers on stdout with status 0."""
    assert run_command(words) == 0
    written = capsys.readouterr()
    assert written.out
    assert not written.err


def test_every_command_and_option_has_a_help_text() -> None:
    """Nothing on the command line is left without a word."""
    for name, command in app_module.commands().items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), (name, parameter.name)
