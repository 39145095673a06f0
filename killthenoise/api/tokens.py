"""Verifies bearer tokens: JWTs that the configured issuer signed for this API.

A token is a secret: no part of it is ever logged or returned.
"""

import logging
from typing import Any

import jwt
from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from killthenoise.api.signing_keys import signing_keys

logger = logging.getLogger(__name__)


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
        "Your access token was refused. Sign in again. If a new token is refused "
        "too, it is not for this API: give the request id to its administrator."
    )
    default_code = "token_invalid"


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
            algorithms=[settings.JWT_ALGORITHM],  # whatever algorithm the token names
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
    key_id = jwt.get_unverified_header(token).get("kid")
    return signing_keys(settings.JWT_JWKS_URL).get(key_id)
