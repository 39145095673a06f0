"""Forged tokens: every known way to forge one is rejected."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from killthenoise.tests.api import Api
from killthenoise.tests.issuer import (
    Issuer,
    claims_of,
    jwks_of,
    private_key,
    public_jwk,
)
from killthenoise.tests.whoami import ask, assert_token_rejected

pytestmark = pytest.mark.urls("killthenoise.tests.urls")

TENANT = UUID("550e8400-e29b-41d4-a716-446655440000")


def by_hand(header: dict[str, Any], secret: bytes | None = None) -> str:
    """Build a token that PyJWT would refuse to sign."""
    parts = [json.dumps(part).encode() for part in (header, claims_of(TENANT))]
    signed = b".".join(map(segment, parts))
    signature = hmac.digest(secret, signed, "sha256") if secret else b""
    return b".".join([signed, segment(signature)]).decode()


def segment(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def signed_with_the_public_key(encoding: Encoding, shape: PublicFormat) -> str:
    public = private_key("rsa-1").public_key().public_bytes(encoding, shape)
    return by_hand({"alg": "HS256", "kid": "rsa-1"}, public)


def with_the_signature_of_another(issuer: Issuer) -> str:
    content = issuer.token(TENANT).rpartition(".")[0]
    return content + "." + issuer.token(uuid4()).rpartition(".")[2]


FORGERIES: dict[str, Callable[[Issuer], str]] = {
    "algorithm none": lambda issuer: by_hand({"alg": "none", "kid": "rsa-1"}),
    "algorithm NONE": lambda issuer: by_hand({"alg": "NONE", "kid": "rsa-1"}),
    "no algorithm": lambda issuer: by_hand({"kid": "rsa-1"}),
    "no signature": lambda issuer: issuer.token(TENANT).rpartition(".")[0] + ".",
    "signature of another token": with_the_signature_of_another,
    "public key as secret": lambda issuer: signed_with_the_public_key(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ),
    "public key as secret, in DER": lambda issuer: signed_with_the_public_key(
        Encoding.DER, PublicFormat.PKCS1
    ),
    "another key": lambda issuer: issuer.token(
        TENANT, key="rsa-evil", header={"kid": "rsa-1"}
    ),
    "another key, and expired": lambda issuer: issuer.token(
        TENANT, key="rsa-evil", header={"kid": "rsa-1"}, exp=-300
    ),
    "unknown key id": lambda issuer: issuer.token(TENANT, key="rsa-evil"),
    "no key id": lambda issuer: jwt.encode(
        claims_of(TENANT), private_key("rsa-1"), "RS256"
    ),
    "key id that is no text": lambda issuer: by_hand({"alg": "RS256", "kid": {}}),
    "key id of another kind": lambda issuer: issuer.token(
        TENANT, header={"kid": "ec-1"}
    ),
    "good key of another algorithm": lambda issuer: issuer.token(TENANT, key="ec-1"),
    "path as key id": lambda issuer: issuer.token(
        TENANT, key="rsa-evil", header={"kid": "../../../dev/null"}
    ),
    "key that it brings along": lambda issuer: issuer.token(
        TENANT,
        key="rsa-evil",
        header={"kid": "rsa-1", "jwk": public_jwk("rsa-evil") | {"kid": "rsa-1"}},
    ),
    "unknown extension": lambda issuer: issuer.token(
        TENANT, header={"crit": ["policy"], "policy": 1}
    ),
    "claims in a list": lambda issuer: jwt.api_jws.encode(
        b"[]", private_key("rsa-1"), "RS256", {"kid": "rsa-1"}
    ),
    "garbage": lambda issuer: "garbage",
    "dots": lambda issuer: "..",
    "not ASCII": lambda issuer: "käse.käse.käse",
    "deep": lambda issuer: segment(b"[" * 30_000).decode() + ".e30.e30",
    "two tokens": lambda issuer: f"{issuer.token(TENANT)} {issuer.token(TENANT)}",
    "two headers": lambda issuer: (
        f"{issuer.token(TENANT)}, Bearer {issuer.token(TENANT)}"
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_token_is_rejected(
    api: Api, issuer: Issuer, forge: Callable[[Issuer], str]
) -> None:
    issuer.jwks = jwks_of("rsa-1", "ec-1")

    assert_token_rejected(ask(api, forge(issuer)))


@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_keys_are_never_fetched_from_an_address_in_a_token(
    api: Api, issuer: Issuer, name: str
) -> None:
    with Issuer() as evil:
        evil.jwks = jwks_of("rsa-evil")
        header = {name: evil.url}

        assert_token_rejected(
            ask(api, evil.token(TENANT, key="rsa-evil", header=header))
        )
        assert evil.fetches == 0
