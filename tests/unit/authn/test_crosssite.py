"""`warmcube.authn.crosssite`, and the headers and cookies that it is told of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.authn.attempts import network_of
from warmcube.authn.cookies import login_cookie, session_cookie
from warmcube.authn.crosssite import CrossSiteGuard, csrf_token
from warmcube.authn.headers import cookies_named
from warmcube.errors import AccessDenied, Unauthenticated

SESSION = "whose.secret"
OWN = "https://analytics.example.com"


@given(st.text(), st.text())
def test_a_token_belongs_to_one_session(one: str, other: str) -> None:
    """Two sessions have two tokens, and none gives its session away."""
    try:
        tokens = csrf_token(one), csrf_token(other)
    except UnicodeEncodeError:
        return
    assert (tokens[0] == tokens[1]) == (one == other)
    assert len(tokens[0]) == 43


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_nothing(method: str) -> None:
    """Another site can have it sent, and can't see the answer."""
    CrossSiteGuard(OWN).check(method, [], SESSION)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_anything_else_needs_origin_and_token(method: str) -> None:
    """Both, since either may be had by mistake."""
    guard = CrossSiteGuard(OWN)
    origin, token = (b"origin", OWN.encode()), (b"x-csrf-token", csrf_token(SESSION).encode())
    guard.check(method, [origin, token], SESSION)
    for headers in ([], [origin], [token], [origin, (b"x-csrf-token", b"x")]):
        with pytest.raises(AccessDenied) as refused:
            guard.check(method, headers, SESSION)
        assert refused.value.reason == "cross-site request"


def test_reading_is_spelt_in_capitals() -> None:
    """Methods are case-sensitive: another spelling is another method."""
    with pytest.raises(AccessDenied):
        CrossSiteGuard(OWN).check("get", [], SESSION)


HEADERS: list[tuple[str | None, list[tuple[bytes, bytes]], bool]] = [
    (OWN, [(b"origin", OWN.encode())], True),
    (OWN, [(b"sec-fetch-site", b"same-origin")], True),
    (OWN, [(b"origin", OWN.encode()), (b"sec-fetch-site", b"same-origin")], True),
    (OWN, [], False),
    (OWN, [(b"origin", b"null")], False),
    (OWN, [(b"origin", b"")], False),
    (OWN, [(b"origin", OWN.encode() + b".evil.example")], False),
    (OWN, [(b"origin", b"http://analytics.example.com")], False),
    (OWN, [(b"origin", OWN.encode()), (b"origin", OWN.encode())], False),
    (OWN, [(b"origin", OWN.encode()), (b"sec-fetch-site", b"cross-site")], False),
    (OWN, [(b"sec-fetch-site", b"same-site")], False),
    (OWN, [(b"sec-fetch-site", b"none")], False),
    (OWN, [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"same-origin")], False),
    (OWN, [(b"origin", b"http://127.0.0.1"), (b"host", b"127.0.0.1")], False),
    (None, [(b"origin", b"http://127.0.0.1:80"), (b"host", b"127.0.0.1:80")], True),
    (None, [(b"origin", b"http://localhost"), (b"host", b"localhost")], True),
    (None, [(b"origin", b"http://[::1]:8"), (b"host", b"[::1]:8")], True),
    (None, [(b"origin", b"http://localhost"), (b"host", b"127.0.0.1")], False),
    (None, [(b"origin", b"http://127.0.0.1")], False),
    (None, [(b"origin", b"http://evil.example"), (b"host", b"evil.example")], False),
    (None, [(b"origin", b"http://127.0.0.1.evil.ex"), (b"host", b"127.0.0.1.evil.ex")], False),
    (None, [(b"origin", b"https://127.0.0.1"), (b"host", b"127.0.0.1")], False),
]  # fmt: skip


@pytest.mark.parametrize(("public_url", "headers", "is_own"), HEADERS)
def test_whose_page(
    public_url: str | None, headers: list[tuple[bytes, bytes]], is_own: bool
) -> None:
    """Only the service's own origin counts, and without a public URL only one on loopback."""
    guard = CrossSiteGuard(public_url)
    if is_own:
        guard.check_origin(headers)
    else:
        with pytest.raises(AccessDenied):
            guard.check_origin(headers)


def test_cookies_are_found_by_their_whole_name() -> None:
    """In one header or several, beside others; a name is never a part of another."""
    headers = [
        (b"cookie", b"a=1; warmcube=x=y;warmcube2=no; WARMCUBE=no"),
        (b"other", b"warmcube=no"),
        (b"cookie", b"warmcube=z; warmcube; b"),
    ]
    assert cookies_named(headers, "warmcube") == ["x=y", "z", ""]


@pytest.mark.parametrize("is_secure", [True, False])
def test_a_cookie_is_read_as_it_was_put(is_secure: bool) -> None:
    """Its name and attributes keep scripts, other hosts and the open network away."""
    cookie = session_cookie(is_secure=is_secure)
    name = "__Host-warmcube" if is_secure else "warmcube"
    rest = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")
    assert cookie.put("token", 60) == f"{name}=token; Max-Age=60{rest}"
    assert cookie.clear() == f"{name}=; Max-Age=0{rest}"
    assert cookie.read([(b"cookie", f"{name}=token".encode())]) == "token"
    assert cookie.read([]) is None
    with pytest.raises(Unauthenticated) as refused:
        cookie.read([(b"cookie", f"{name}=token; {name}=token".encode())])
    assert refused.value.code == "several_cookies"
    assert login_cookie(is_secure=is_secure).name == f"{name}-login"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_what_counts_as_one_client(address: str, network: str) -> None:
    """An IPv6 client has a whole /64 to itself, and so counts with all of it."""
    assert network_of(address) == network


def test_a_navigation_is_refused_where_the_browser_names_another_site() -> None:
    """An address that was typed is the user's doing; and who says nothing can't be judged."""
    guard = CrossSiteGuard(None)
    for good in ([], [b"none"], [b"same-origin"]):
        guard.check_navigation([(b"sec-fetch-site", site) for site in good])
    for bad in ([b"cross-site"], [b"same-site"], [b""], [b"none", b"cross-site"]):
        with pytest.raises(AccessDenied, match="another site"):
            guard.check_navigation([(b"sec-fetch-site", site) for site in bad])
