"""``warmcube token``: a token that counts, and nothing else on the output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import jwt
import pytest
from tests.support.tokens import ISSUER, PEM, SECRET, configured, pem_file, secret_file, section

from .conftest import Finished, Run, run

Token: TypeAlias = Callable[..., Finished]


@pytest.fixture
def token(tmp_path: Path, run_inside: Run) -> Token:
    """Runs the command on the configuration of a folder."""
    return lambda *words: run_inside("token", *words, folder=tmp_path)


def test_it_prints_a_token(tmp_path: Path) -> None:
    """For the user, until then, readable by a library that isn't ours."""
    configured(
        tmp_path,
        section('["RS256"]', pem_file(tmp_path), 'prefix = "a:"', "https://a.example")
        + section('["HS256"]', secret_file(tmp_path), 'claim = "email"\nprefix = "b:"'),
    )
    made = run("token", "b:ana@example.com", "--minutes", "5", folder=tmp_path)
    assert (made.returncode, made.stderr) == (0, b"")
    assert made.stdout.count(b"\n") == 1
    text = made.stdout.decode().strip()
    assert jwt.get_unverified_header(text) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(text, SECRET, ["HS256"], audience="warmcube", issuer=ISSUER)
    assert claims.pop("exp") - claims.pop("iat") == 300
    assert claims.pop("jti")
    assert claims == {
        "iss": ISSUER,
        "aud": "warmcube",
        "email": "ana@example.com",
        "email_verified": True,
    }


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("ana",), 2, "begin with 'b:'"),
        (("b:",), 2, "after 'b:'"),
        (("b: ana",), 2, "names nobody"),
        (("",), 2, "USER"),
        (("b:ana", "--minutes", "0"), 2, "expected 1 to"),
        (("b:ana", "--minutes", "1e3"), 2, "--minutes"),
        (("b:ana", "--minutes", "999999999"), 2, "expected 1 to"),
        ((), 2, "USER"),
    ],
)
def test_what_cant_be(
    tmp_path: Path, token: Token, words: tuple[str, ...], status: int, said: str
) -> None:
    """One sentence, no token and no secret."""
    configured(tmp_path, section('["HS256"]', secret_file(tmp_path), 'prefix = "b:"'))
    finished = token(*words)
    assert (finished.returncode, finished.stdout) == (status, b"")
    assert said in finished.stderr.decode()
    assert SECRET not in finished.stderr


@pytest.mark.parametrize("mode", [0o600, 0o644, None])
def test_without_a_secret(tmp_path: Path, token: Token, mode: int | None) -> None:
    """No issuer has one, others can read it, or its file isn't there."""
    if mode == 0o600:
        configured(tmp_path, section('["RS256"]', pem_file(tmp_path, PEM)))
        said = "no issuer with a shared secret"
    else:
        configured(tmp_path, section('["HS256"]', secret_file(tmp_path)))
        said = "chmod 600" if mode else "isn't there"
        if mode:
            (tmp_path / "secret").chmod(mode)
        else:
            (tmp_path / "secret").unlink()
    finished = token("ana")
    assert (finished.returncode, finished.stdout) == (2, b"")
    assert said in finished.stderr.decode()


def test_a_user_that_the_directory_lacks_is_noted(tmp_path: Path, token: Token) -> None:
    """On the side, so that the token can still be taken; nothing is said of one that it has."""
    configured(tmp_path, section('["HS256"]', secret_file(tmp_path)))
    (tmp_path / "access.toml").write_text('[[users]]\nid = "ana"\nroles = []\n')
    known, unknown = token("ana"), token("anna")
    note = b"note: the directory has no user anna, who may see nothing until it has\n"
    assert (known.returncode, known.stderr) == (0, b"")
    assert (unknown.returncode, unknown.stderr) == (0, note)
    for user, made in (("ana", known), ("anna", unknown)):
        text = made.stdout.decode().strip()
        assert jwt.decode(text, SECRET, ["HS256"], audience="warmcube")["sub"] == user
