"""Idempotency keys of requests that no client has sent."""

MARK = "§"
"""Not ASCII, so no client can send a key with it as its Idempotency-Key."""


def internal_key(kind: str, name: object) -> str:
    """Return the key for one of our own requests. The same name gives the same key."""
    return f"{MARK}{kind}:{name}"
