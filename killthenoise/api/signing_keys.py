"""The issuer's public keys: fetched when they are needed, and cached."""

import json
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from functools import lru_cache
from urllib.error import HTTPError
from urllib.request import build_opener

import jwt
from rest_framework.exceptions import APIException

from killthenoise.api.bounded_http import DeadlineHandler, NoRedirectHandler
from killthenoise.api.slots import TenantBusy, outgoing_slot

logger = logging.getLogger(__name__)

FETCH_TIMEOUT_S = 5  # seconds for a whole fetch, however slowly its bytes arrive
MAX_BYTES = 256 * 1024
FETCH_PAUSE_S = 5  # after a failure
GUESSING_PAUSE_S = 30  # between fetches, after a token with an unknown key id
FRESH_S = 300
STALE_S = 3600
"""The largest age of keys while the issuer is down. Revoked keys may work that long."""


class AuthUnavailable(APIException):
    status_code = 503
    default_detail = (
        "Your access token cannot be checked, because the sign-in service's keys "
        "cannot be fetched. Nothing was done. Try again in a moment."
    )
    default_code = "auth_unavailable"
    wait = FETCH_PAUSE_S


class UnknownKey(jwt.InvalidTokenError):
    """The issuer has no key with the id that a token names."""


@lru_cache
def signing_keys(url: str) -> "SigningKeys":
    """Return the keys of this process. They are fetched on first use."""
    return SigningKeys(url)


class SigningKeys:
    """The keys at `url`, cached for FRESH_S, or for STALE_S while a fetch fails.

    One fetch runs at a time. Requests that find their key in the cache do not wait for
    a fetch that another request started. An unknown key id causes one more fetch, since
    the issuer may have a new key.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = self._failed_at = self._missed_at = float("-inf")
        self._fetch: Future[bool] | None = None  # the running one, if there is one
        self._fetch_ends = 0.0

    def get(self, key_id: str | None) -> jwt.PyJWK:
        """Return the key with the id. Raises UnknownKey and AuthUnavailable."""
        key = self._cached(key_id)
        is_fresh = _age(self._fetched_at) < FRESH_S
        if key and (is_fresh or self._fetch):
            return key
        if is_fresh and _age(self._missed_at) < GUESSING_PAUSE_S:
            raise UnknownKey  # otherwise each guessed id would cause a fetch
        if not self._refresh():
            if key:
                return key
            raise AuthUnavailable
        key = self._cached(key_id)
        if key is None:
            self._missed_at = time.monotonic()
            raise UnknownKey
        return key

    def _cached(self, key_id: str | None) -> jwt.PyJWK | None:
        is_usable = _age(self._fetched_at) < STALE_S
        return self._keys.get(key_id or "") if is_usable else None

    def _refresh(self) -> bool:
        """Start a fetch or join the running one; return whether it succeeded.

        After a failure there is no fetch for FETCH_PAUSE_S.
        """
        with self._lock:
            if self._fetch is None:
                if _age(self._failed_at) < FETCH_PAUSE_S:
                    return False
                self._fetch = self._start_fetch()
            fetch, ends = self._fetch, self._fetch_ends
        try:
            with outgoing_slot(None):
                return fetch.result(max(ends - time.monotonic(), 0))
        except (TenantBusy, TimeoutError):
            return False

    def _start_fetch(self) -> "Future[bool]":
        """Fetch in a separate thread: a hanging resolver cannot be interrupted."""
        fetch: Future[bool] = Future()
        threading.Thread(target=self._run, args=(fetch,), daemon=True).start()
        self._fetch_ends = time.monotonic() + FETCH_TIMEOUT_S
        return fetch

    def _run(self, fetch: "Future[bool]") -> None:
        try:
            keys = _parse(_download(self._url))
        except Exception as exc:  # the issuer must not break the request
            self._log_failure(exc)
            with self._lock:
                self._fetch, self._failed_at = None, time.monotonic()
            fetch.set_result(False)
        else:
            with self._lock:
                self._fetch, self._fetched_at = None, time.monotonic()
                self._keys = keys
            fetch.set_result(True)

    def _log_failure(self, exc: Exception) -> None:
        age = _age(self._fetched_at)
        used = f"keys of {age:.0f} seconds ago are used for up to {STALE_S} seconds"
        text = used if age < STALE_S else "there are no older keys"
        logger.warning("no signing keys from %s: %s; %s", self._url, exc, text)


def _download(url: str) -> bytes:
    """Return the body at `url`. Raises OSError and ValueError."""
    handler = DeadlineHandler(time.monotonic() + FETCH_TIMEOUT_S)
    opener = build_opener(handler, NoRedirectHandler)
    try:
        with opener.open(url, timeout=FETCH_TIMEOUT_S) as response:
            body: bytes = response.read(MAX_BYTES + 1)
    except HTTPError as exc:
        exc.close()
        raise
    if len(body) > MAX_BYTES:
        raise ValueError(f"the response is larger than {MAX_BYTES} bytes")
    return body


def _parse(body: bytes) -> Mapping[str, jwt.PyJWK]:
    """Return the signing keys by their id. Raises ValueError and PyJWTError.

    https://datatracker.ietf.org/doc/html/rfc7517#section-5
    """
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("the response is not a JSON object")
    keys = {
        key.key_id: key
        for key in jwt.PyJWKSet.from_dict(found).keys
        if key.key_id and key.public_key_use in ("sig", None)
    }
    if not keys:
        raise ValueError("the response has no signing keys")
    return keys


def _age(moment: float) -> float:
    return time.monotonic() - moment
