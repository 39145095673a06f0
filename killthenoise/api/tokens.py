"""Verifies bearer tokens: JWTs that the configured issuer signed for this API.

A token is a secret: no part of it is ever logged or returned.
"""

import logging
import time
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
)
from rest_framework.request import Request

logger = logging.getLogger(__name__)

FETCH_TIMEOUT_S = 5
FETCH_PAUSE_S = 5  # after a failure
GUESSING_PAUSE_S = 30  # between fetches, after a token with an unknown key id


class TokenMissing(NotAuthenticated):
    default_detail = (
        "The request carries no access token. Sign in, and send the header "
        "Authorization: Bearer with your token."
    )


class TokenExpired(AuthenticationFailed):
    default_detail = "Your access token has expired. Sign in again, then try again."
    default_code = "token_expired"


class TokenInvalid(AuthenticationFailed):
    default_detail = (
        "Your access token was refused. Sign in again; if a fresh token is refused "
        "too, it is not one for this API: quote the request id to its administrator."
    )
    default_code = "token_invalid"


class AuthUnavailable(APIException):
    status_code = 503
    default_detail = (
        "Your access token cannot be checked, because the sign-in service's keys "
        "cannot be fetched. Nothing was done. Try again in a moment."
    )
    default_code = "auth_unavailable"
    wait = FETCH_PAUSE_S


def bearer_token(request: Request) -> str:
    """Return the token of `Authorization: Bearer`. Raises TokenMissing (401)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenMissing
    return token.strip()


def verified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a valid token from the issuer for this API.

    Raises TokenExpired and TokenInvalid (401), and AuthUnavailable (503).
    """
    try:
        return jwt.decode(
            token,
            _key(token),
            algorithms=[settings.JWT_ALGORITHM],  # whatever the token says
            issuer=settings.JWT_ISSUER,
            audience=settings.JWT_AUDIENCE,
            leeway=settings.JWT_LEEWAY_S,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.ExpiredSignatureError as exc:
        raise TokenExpired from exc
    except jwt.PyJWTError as exc:
        logger.info("a token was refused: %s", type(exc).__name__)
        raise TokenInvalid from exc


def _key(token: str) -> jwt.PyJWK | str:
    if settings.JWT_ALGORITHM == "HS256":
        return str(settings.JWT_SECRET)
    return signing_keys(settings.JWT_JWKS_URL).get_signing_key_from_jwt(token)


@lru_cache
def signing_keys(url: str) -> "SigningKeys":
    """Return the process's keys, which are fetched at their first use."""
    return SigningKeys(url, timeout=FETCH_TIMEOUT_S, cooldown_duration=0)


class SigningKeys(jwt.PyJWKClient):
    """The issuer's public keys, cached for five minutes.

    An unknown key id causes one more fetch, since the issuer may have a new key.
    https://pyjwt.readthedocs.io/en/stable/api.html#jwt.PyJWKClient
    """

    _failed_at = float("-inf")

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        """Return the key with the id. Raises PyJWKClientError if there is none."""
        try:
            return super().get_signing_key(kid)
        except jwt.PyJWKClientError:
            self.cooldown_duration = (
                GUESSING_PAUSE_S  # or each guessed id would cause a fetch
            )
            raise

    def fetch_data(self) -> Any:
        """Fetch the keys. Raises AuthUnavailable.

        Requests wait for each other here. After a failure they fail at once for
        FETCH_PAUSE_S; otherwise each in turn would wait for a timeout.
        """
        if time.monotonic() - self._failed_at < FETCH_PAUSE_S:
            raise AuthUnavailable
        try:
            return super().fetch_data()
        except (jwt.PyJWTError, OSError, ValueError) as exc:
            self._failed_at = time.monotonic()
            logger.warning("no signing keys from %s: %s", self.uri, exc)
            raise AuthUnavailable from exc
