"""`warmcube.web.policy`: what a browser may do on our pages."""

from __future__ import annotations

from warmcube.web.policy import content_security_policy


def test_nothing_from_elsewhere_and_nothing_inline() -> None:
    """The whole policy, word by word: whoever loosens it has to change this too."""
    assert content_security_policy() == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def test_who_may_frame_a_page() -> None:
    """Only those named, and all else stays as it is."""
    ancestors = ["https://a.example", "https://b.example"]
    before = content_security_policy().removesuffix("'none'")
    assert content_security_policy(ancestors) == f"{before}https://a.example https://b.example"
