"""Issuers of tokens: what a configuration has to say, and that nobody becomes somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.tokens import ISSUER, configured, section

from warmcube.errors import ConfigError


@pytest.mark.parametrize(
    ("prefixes", "are_apart"),
    [
        (("", ""), False),
        (("a:", "a:"), False),
        (("", "b:"), False),  # who is called "b:ana" at the first is "b:ana"
        (("b:", "b:x"), False),
        (("a:", "b:"), True),
    ],
)
def test_no_name_is_somebody_elses(
    tmp_path: Path, prefixes: tuple[str, str], are_apart: bool
) -> None:
    """Of two issuers, or of two claims of one; unless it is said that they share their users."""
    one, other = (f'prefix = "{prefix}"' for prefix in prefixes)
    first = section('["RS256"]', 'key_file = "a"', one)
    for second in (
        section('["RS256"]', 'key_file = "b"', other, issuer="https://b.example"),
        section('["RS256"]', 'key_file = "b"', f'claim = "email"\n{other}').replace(
            '"warmcube"', '"else"'
        ),
    ):
        assert configured(tmp_path, first + second, "[auth]\nshares_users = true")
        if are_apart:
            assert configured(tmp_path, first + second)
        else:
            with pytest.raises(ConfigError, match=r"shares_users.*prefixes"):
                configured(tmp_path, first + second)


def test_oidc_is_an_issuer_too(tmp_path: Path) -> None:
    """Whoever signs in there must not be somebody of the tokens' issuer."""
    keys = section('["RS256"]', 'key_file = "a"')
    more = (
        '[service]\npublic_url = "https://w.example"\n[auth.oidc]\n'
        'issuer = "https://b.example"\nclient_id = "w"\n'
    )
    with pytest.raises(ConfigError, match=r"shares_users.*prefixes"):
        configured(tmp_path, keys, more)
    assert configured(tmp_path, keys, more.replace("https://b.example", ISSUER))


def test_one_claim_of_one_issuer_names_the_same(tmp_path: Path) -> None:
    """For two audiences, with one prefix."""
    keys = section('["RS256"]', 'key_file = "a"')
    assert configured(tmp_path, keys + keys.replace('"warmcube"', '"else"'))


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ('[[auth.keys]]\nissuer = "i"\naudience = "a"\nkey_file = "k"', "algorithms: missing"),
        ('[[auth.keys]]\nissuer = "i"\nalgorithms = ["RS256"]\nkey_file = "k"', "audience"),
        ('[[auth.keys]]\naudience = "a"\nalgorithms = ["RS256"]\nkey_file = "k"', "issuer"),
        (section('["none"]', 'key_file = "k"'), 'a list of "RS256" and "ES256"'),
        (section("[]", 'key_file = "k"'), "HS256"),
        (section('["HS256", "RS256"]', 'key_file = "k"'), "HS256"),
        (section('["RS256"]', ""), "exactly one of"),
        (section('["RS256"]', 'key_file = "k"\njwks_file = "l"'), "exactly one of"),
        (section('["HS256"]', 'jwks_url = "https://x.example"'), "shared secret"),
        (section('["RS256"]', 'jwks_url = "http://x.example"'), "https"),
        (section('["RS256"]', 'key_file = "k"', "leeway = 3600"), "leeway"),
        (section('["RS256"]', 'key_file = "k"') * 2, "above already"),
    ],
)
def test_wrong_configurations(tmp_path: Path, keys: str, part: str) -> None:
    """Each is said before anything starts."""
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, keys)
    assert part in str(caught.value)
