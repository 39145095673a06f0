"""Validators for environment variables."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, MultiFernet
from marshmallow import ValidationError
from marshmallow.validate import Length, Range, Regexp

positive = Range(min=0, min_inclusive=False, error="Must be more than 0.")
not_negative = Range(min=0, error="Must be 0 or more.")
not_empty = Length(min=1, error="Must not be empty.")
# Whoever sets a variable that is ignored may believe that it protects them.
unused = Length(
    max=0,
    error="Has no effect with this TENANT_AUTH and JWT_ALGORITHM. Unset it, or change "
    "them to values that use it.",
)
is_rate = Regexp(
    "(none|[1-9][0-9]*/(s|sec|min|hour|day))?$",
    error="Must be a rate, such as 600/min (or /sec, /hour, /day), or none.",
)
is_admin_path = Regexp(
    "(?!(api|static)/)([A-Za-z0-9_-]+/)+$",
    error="Must be a path such as admin/, which ends with / and is not under api/ or "
    "static/.",
)
is_redis_url = Regexp(
    "((rediss?|unix)://.+)?$", error="Must begin with redis://, rediss:// or unix://."
)

is_broker_url = Regexp(
    "((rediss?|amqps?)://.+)?$",
    error="Must begin with redis://, rediss://, amqp:// or amqps://.",
)
is_bind = Regexp(
    r"(([\w.-]+|\[[0-9a-fA-F:]+\]):[0-9]+)?\Z",
    error="Must be an address and a port, such as 0.0.0.0:9100.",
)
is_host_pattern = Regexp(
    r"(\*\.)?([a-z0-9-]+\.)+[a-z][a-z0-9-]+\Z",
    error="Must be lower-case host names, such as jira.example.com or "
    "*.atlassian.net, separated by commas without spaces.",
)
is_printable = Regexp(
    r"[!-~]*\Z", error="Must contain only printable ASCII characters, without spaces."
)


def used_if(used: bool, *rules: Callable[[str], Any]) -> dict[str, Any]:
    """Return the options of a variable that is required if `used`, else forbidden."""
    if used:
        return {"default": ..., "validate": [not_empty, *rules]}
    return {"default": "", "validate": unused}


def is_long_secret(text: str) -> None:
    if text and len(text.encode()) < 32:
        raise ValidationError("Must have at least 32 bytes.")


def is_https(text: str) -> None:
    if not text.startswith("https://"):
        raise ValidationError("Must begin with https://.")


def are_host_patterns(patterns: list[str]) -> None:
    """Reject patterns that match too much, such as `*` and `*.net`."""
    for pattern in patterns:
        is_host_pattern(pattern)


def make_key() -> str:
    return Fernet.generate_key().decode()


def are_keys(keys: list[str]) -> None:
    try:
        MultiFernet([Fernet(key) for key in keys])
    except ValueError as exc:
        raise ValidationError(
            f"Must be Fernet keys, separated by commas: {exc}"
        ) from exc


def are_origins(origins: list[str]) -> None:
    for origin in origins:
        is_web_address(origin)
        if urlsplit(origin).path or not urlsplit(origin).netloc:
            raise ValidationError(
                "Must be origins such as https://app.example.com, separated by commas; "
                f"{origin} is not one."
            )


def is_web_address(text: str) -> None:
    if text and not text.startswith(("https://", "http://")):
        raise ValidationError("Must begin with https:// (or http://).")


def broken_timing_rules(
    *,
    budget: float,
    lease: float,
    horizon: float,
    duplicate_wait: float,
    connect_timeout: float,
    read_timeout: float,
) -> list[str]:
    """Return a sentence for each pair of times (seconds) that cannot work together."""
    rules = {
        "LEASE_S must be at least REQUEST_BUDGET_S: a worker past its lease sends "
        "nothing.": lease >= budget,
        "RECONCILE_HORIZON_S must be at least JIRA_READ_TIMEOUT_S: a ticket may exist "
        "as long as Jira may still respond.": horizon >= read_timeout,
        "TWIN_WAIT_S must not exceed REQUEST_BUDGET_S: a duplicate request cannot wait "
        "longer than it may take.": duplicate_wait <= budget,
        "JIRA_CONNECT_TIMEOUT_S must be less than REQUEST_BUDGET_S: no time would be "
        "left to send.": connect_timeout < budget,
    }
    return [sentence for sentence, holds in rules.items() if not holds]


def broken_thread_rules(*, web: int, jira: int, per_tenant: int) -> list[str]:
    """Return a sentence for each pair of numbers that cannot work together."""
    rules = {
        "JIRA_THREADS must be less than WEB_THREADS: lists and health checks need "
        "threads that never wait for Jira.": jira < web,
        "JIRA_THREADS_PER_TENANT must not exceed JIRA_THREADS: one tenant cannot use "
        "more threads than all tenants together.": per_tenant <= jira,
    }
    return [sentence for sentence, holds in rules.items() if not holds]
