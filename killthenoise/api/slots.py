"""Limits how many threads of this process wait for other systems or compute for long.

A request that calls Jira, a language model or the issuer of tokens may keep its thread
for many seconds. It takes a slot first. Some threads are never given to such requests,
so that lists and health checks stay fast. The last few slots are reserved for tenants
that have none, so that no slow Jira delays other tenants. A request that gets no slot
is refused at once.

A large import computes for half a second. Threads share one processor core, so a few
at the same time would delay every other request by seconds.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings

from killthenoise.api import metrics
from killthenoise.errors import ServiceError

RETRY_AFTER_S = 5
MAX_IMPORTS = 2
"""The most large imports at the same time in this process. A tenant may have one."""

_lock = threading.Lock()
_held: list[tuple[UUID | None, UUID | None]] = []
"""The tenant and the group of each request that has a slot."""
_importing: set[UUID] = set()
"""The tenant of each large import."""


class TenantBusy(ServiceError):
    """The tenant's slots, or all slots of this process, are taken."""

    code = "tenant_busy"
    title = "Too many requests at the same time"
    http_status = 429
    retryable = True
    retry_after = RETRY_AFTER_S
    default_message = (
        "Too many requests are running at the same time. This one was not "
        f"processed. Try again in {RETRY_AFTER_S} seconds."
    )


@contextmanager
def outgoing_slot(
    tenant_id: UUID | None, group_id: UUID | None = None
) -> Iterator[None]:
    """Hold a slot inside the block.

    Raises TenantBusy at once if none is free. `tenant_id` is None if the tenant is not
    known yet, as when keys are fetched.
    """
    slot = (tenant_id, group_id)
    reserved = max(settings.JIRA_THREADS - settings.JIRA_THREADS_PER_TENANT, 0)
    with _lock:
        has_one = any(tenant == tenant_id for tenant, _ in _held)
        free = settings.JIRA_THREADS - len(_held)
        if free <= (reserved if has_one else 0):
            raise TenantBusy
        _held.append(slot)
        _show()
    try:
        yield
    finally:
        with _lock:
            _held.remove(slot)
            _show()


def _show() -> None:
    metrics.show_slots([tenant for tenant, _ in _held])


@contextmanager
def import_slot(tenant_id: UUID) -> Iterator[None]:
    """Hold a slot for a large import inside the block. Raises TenantBusy at once."""
    with _lock:
        if tenant_id in _importing or len(_importing) >= MAX_IMPORTS:
            raise TenantBusy
        _importing.add(tenant_id)
    try:
        yield
    finally:
        with _lock:
            _importing.remove(tenant_id)


def has_slot(tenant_id: UUID, group_id: UUID) -> bool:
    """Whether a request of the tenant for this group has a slot in this process."""
    with _lock:
        return (tenant_id, group_id) in _held
