"""The identity provider: what it says of itself, and the keys it signs with."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from warmcube.authn.fetching import Fetcher, is_loopback, is_trustworthy
from warmcube.authn.known import Known
from warmcube.errors import IdentityUnavailable

__all__ = ["ALGORITHMS", "Endpoints", "Provider", "endpoints_of", "keys_of"]

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
"""With which an ID token may be signed. No shared secret is among them: its owner alone signs."""

_CLIENT_AUTH: Final = ("client_secret_basic", "client_secret_post")
_SMALLEST_RSA: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """What a provider says of itself, as far as it is used.

    Attributes:
        authorization: where the browser is sent.
        token: where a code is exchanged.
        jwks: where its keys are.
        client_auth: how a client with a secret proves who it is.
        names_itself: whether its redirects tell its issuer (RFC 9207).
    """

    authorization: str
    token: str
    jwks: str
    client_auth: str
    names_itself: bool


def endpoints_of(document: Mapping[str, Any], issuer: str) -> Endpoints:
    """What a discovery document says, if it is the issuer's.

    Raises:
        IdentityUnavailable: it is another's, or names what can't be trusted.
    """
    if document.get("issuer") != issuer:
        raise IdentityUnavailable(
            f"the identity provider's discovery document isn't that of {issuer}; [auth.oidc] "
            "issuer must be written exactly as the provider does"
        )
    found: dict[str, str] = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        url = document.get(name)
        if (
            not isinstance(url, str)
            or not is_trustworthy(url)
            or (is_loopback(url) and not is_loopback(issuer))
        ):
            raise IdentityUnavailable(
                f"the identity provider's discovery document has no {name} by https"
            )
        found[name] = url
    offered = document.get("token_endpoint_auth_methods_supported", list(_CLIENT_AUTH))
    methods = [method for method in _CLIENT_AUTH if method in offered]
    return Endpoints(
        authorization=found["authorization_endpoint"],
        token=found["token_endpoint"],
        jwks=found["jwks_uri"],
        client_auth=methods[0] if methods else _CLIENT_AUTH[0],
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def keys_of(document: Mapping[str, Any]) -> KeySet:
    """The keys for signatures in a key set; what isn't usable for that is left out.

    Raises:
        IdentityUnavailable: there is none.
    """
    keys: list[RSAKey | ECKey] = []
    listed = document.get("keys")
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        try:
            if each.get("kty") == "RSA":
                if _bits(each) >= _SMALLEST_RSA:
                    keys.append(RSAKey.import_key(each))
            elif each.get("kty") == "EC":
                keys.append(ECKey.import_key(each))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise IdentityUnavailable("the identity provider's key set holds no key for signatures")
    return KeySet(list(keys))


def _bits(key: Mapping[str, Any]) -> int:
    """How large an RSA key is."""
    modulus = base64.urlsafe_b64decode(f"{key['n']}==")
    return int.from_bytes(modulus).bit_length()


class Provider:
    """One identity provider, asked again when what is known of it is old.

    Args:
        issuer: as configured; what it says of itself must say the same.
        fetcher: asks it.
        monotonic: seconds that only grow.
    """

    def __init__(
        self, issuer: str, fetcher: Fetcher, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.issuer: Final = issuer
        self._fetcher = fetcher
        self._endpoints: Known[Endpoints] = Known(monotonic)
        self._keys: Known[KeySet] = Known(monotonic)

    async def endpoints(self) -> Endpoints:
        """What it says of itself.

        Raises:
            IdentityUnavailable: it can't be asked, or its answer can't be used.
        """

        async def ask() -> Endpoints:
            url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            return endpoints_of(await self._fetched(url), self.issuer)

        return await self._endpoints.get(ask, lambda _endpoints: False)

    async def keys(self, kid: str | None) -> KeySet:
        """Its keys; asked for anew, though not often, where it has changed them.

        Args:
            kid: the key that is looked for.

        Raises:
            IdentityUnavailable: it can't be asked, or its answer can't be used.
        """
        endpoints = await self.endpoints()

        async def ask() -> KeySet:
            return keys_of(await self._fetched(endpoints.jwks))

        return await self._keys.get(ask, lambda keys: kid is not None and not _has(keys, kid))

    async def _fetched(self, url: str) -> dict[str, Any]:
        status, document = await self._fetcher.json(url)
        if status != 200:
            raise IdentityUnavailable(f"the identity provider answers {url} with status {status}")
        return document


def _has(keys: KeySet, kid: str) -> bool:
    return any(key.kid == kid for key in keys)
