"""An identity provider over real HTTP: it signs tokens and serves its public keys."""

import json
import threading
import time
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

NAME = "https://login.example.com/"
AUDIENCE = "killthenoise"


@cache
def private_key(name: str) -> PrivateKey:
    """Return the private key with the name. Making one is slow, so they are cached."""
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims_of(tenant: UUID | str | list[str], **changed: Any) -> dict[str, Any]:
    """Return the claims of a valid token; a claim of None is left out.

    The numbers of exp, nbf and iat are seconds from now.
    """
    named = str(tenant) if isinstance(tenant, UUID) else tenant
    claims: dict[str, Any] = {"iss": NAME, "aud": AUDIENCE, "sub": "user-7"}
    claims |= {"tenant_id": named, "exp": 300} | changed
    for name in ("exp", "nbf", "iat"):
        if isinstance(claims.get(name), int | float):
            claims[name] += time.time()
    return {name: value for name, value in claims.items() if value is not None}


def jwks_of(*names: str) -> dict[str, Any]:
    """Return public keys as a JSON Web Key Set."""
    return {"keys": [public_jwk(name) for name in names]}


def public_jwk(name: str) -> dict[str, Any]:
    public = private_key(name).public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        return ECAlgorithm.to_jwk(public, as_dict=True) | {"kid": name}
    return RSAAlgorithm.to_jwk(public, as_dict=True) | {"kid": name, "use": "sig"}


class Issuer:
    """Serves `body`, or else `jwks`, at `url` and counts the requests.

    A response waits while `open` is not set.
    """

    def __init__(self) -> None:
        self.status = 200
        self.jwks: Any = jwks_of("rsa-1")
        self.body: bytes | None = None
        self.fetches = 0
        self.open = threading.Event()
        self.open.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                issuer.open.wait(30)
                body = issuer.body or json.dumps(issuer.jwks).encode()
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):  # the client gave up
                    self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Issuer":
        from killthenoise.api.signing_keys import signing_keys

        signing_keys.cache_clear()  # an earlier issuer may have used this port
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.open.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def token(
        self,
        tenant: UUID | str | list[str],
        *,
        key: str = "rsa-1",
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Sign a token that is valid except for the given changes."""
        payload = json.dumps(claims_of(tenant, **claims)).encode()
        algorithm = "ES256" if key.startswith("ec") else "RS256"
        return jwt.api_jws.encode(
            payload, private_key(key), algorithm, {"kid": key} | (header or {})
        )
