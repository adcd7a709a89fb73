"""The token of an embedded dashboard: what it says, made and read. Pure.

It is a JWT in its compact form (RFC 7519) of a type of its own (RFC 8725 § 3.11), signed with a key
that signs nothing else. Its header is the same in every token, so it isn't understood but compared.
What the token stands for is kept in the store; the token holds the digest of that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from warmcube.errors import Unauthenticated

__all__ = [
    "LONGEST_LIFE",
    "EmbedClaims",
    "check_times",
    "derive_key",
    "embed_refusal",
    "is_embed_id",
    "read_embed_token",
    "sign_embed_token",
]

LONGEST_LIFE: Final = 3600
"""Seconds that a token counts at most."""
_MOST: Final = 2_048
"""Characters of a token."""
_HEAD: Final = {"alg": "HS256", "typ": "warmcube-embed+jwt"}
_HEADER: Final = "eyJhbGciOiJIUzI1NiIsInR5cCI6Indhcm1jdWJlLWVtYmVkK2p3dCJ9"
"""The same, encoded: how every token begins."""
_COMPACT: Final = re.compile(_HEADER + r"\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]{43})", re.ASCII)
_REGISTRY: Final = jws.JWSRegistry(algorithms=["HS256"])
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEMBERS: Final = frozenset({"jti", "dashboard", "record", "iat", "nbf", "exp"})
_LATEST: Final = 1 << 53
_LEEWAY: Final = 60
"""Seconds that the clock of this process may be behind the store's, which tokens begin by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedClaims:
    """What a token says.

    Attributes:
        id: of the embed, by which it is found and revoked.
        dashboard: the one that is shown.
        record: the SHA-256 of what the store holds of the embed, in hexadecimal.
        issued: Unix seconds.
        expires: likewise; from then on it is worth nothing.
    """

    id: str
    dashboard: str
    record: str
    issued: int
    expires: int


def embed_refusal(code: str) -> Unauthenticated:
    """The error for a token that doesn't count: the same words, whatever is wrong with it.

    Args:
        code: what is wrong, in one word, for logs and the audit.
    """
    return Unauthenticated(
        "this embedded dashboard is over, or its token isn't one for it; open the page that it is "
        "embedded in again",
        code=f"embed-{code}",
    )


def is_embed_id(text: str) -> bool:
    """Whether an embed may have this id."""
    return _ID.fullmatch(text) is not None


def derive_key(secret: bytes, namespace: str) -> OctKey:
    """The key that the tokens of one deployment are signed with.

    Args:
        secret: of the configured file.
        namespace: of the store; deployments that share a secret don't take each other's tokens.
    """
    purpose = f"warmcube embed 1\0{namespace}".encode()
    return OctKey.import_key(hmac.digest(secret, purpose, hashlib.sha256))


def sign_embed_token(claims: EmbedClaims, key: OctKey) -> str:
    """The token that says this.

    It is made as a JWS, since the library's own way to a JWT has a header of other order.
    """
    said = {
        "jti": claims.id,
        "dashboard": claims.dashboard,
        "record": claims.record,
        "iat": claims.issued,
        "nbf": claims.issued,
        "exp": claims.expires,
    }
    payload = json.dumps(said, separators=(",", ":")).encode()
    return jws.serialize_compact(_HEAD, payload, key, registry=_REGISTRY)


def read_embed_token(text: str, key: OctKey) -> EmbedClaims:
    """What a token says that was signed with this key.

    Whether it is over isn't looked at: see `check_times`.

    Raises:
        Unauthenticated: it is no such token.
    """
    if len(text) > _MOST:
        raise embed_refusal("length")
    parts = _COMPACT.fullmatch(text)
    if parts is None or not _is_canonical(parts[1]):
        raise embed_refusal("form")
    try:
        signed = jws.deserialize_compact(text.encode(), key, registry=_REGISTRY)
        said = json.loads(signed.payload)
    except (JoseError, ValueError, TypeError):
        raise embed_refusal("signature") from None
    return _claims(said)


def check_times(claims: EmbedClaims, now: float) -> None:
    """That a token counts now, by the clock of this process.

    Args:
        claims: what it says.
        now: Unix seconds.

    Raises:
        Unauthenticated: it is over, or begins later.
    """
    if now >= claims.expires:
        raise embed_refusal("expired")
    if now < claims.issued - _LEEWAY:
        raise embed_refusal("early")


def _is_canonical(part: str) -> bool:
    """Whether a signature is written in the one way that it is encoded in."""
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode() == part


def _claims(said: Any) -> EmbedClaims:
    """What signed claims say; another version's may be others."""
    if not isinstance(said, dict) or said.keys() != _MEMBERS:
        raise embed_refusal("claims")
    texts = (said["jti"], said["dashboard"], said["record"])
    times = (said["iat"], said["nbf"], said["exp"])
    if not all(isinstance(each, str) for each in texts) or not all(
        type(each) is int and 0 <= each < _LATEST for each in times
    ):
        raise embed_refusal("claims")
    claims = EmbedClaims(
        id=said["jti"],
        dashboard=said["dashboard"],
        record=said["record"],
        issued=said["iat"],
        expires=said["exp"],
    )
    if (
        not is_embed_id(claims.id)
        or not _DIGEST.fullmatch(claims.record)
        or said["nbf"] != claims.issued
        or not 0 < claims.expires - claims.issued <= LONGEST_LIFE
    ):
        raise embed_refusal("claims")
    return claims
