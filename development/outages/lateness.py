"""Watches how late the work is that the database says is to be done."""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

from django.db import Error as AnyDatabaseError
from django.db import connection
from django.db.models import Min
from django.db.models.functions import Now

from integrations.outgoing_webhooks.models import WebhookDelivery
from issues.models import JobItem, RemoteLink, Ticket, TicketRequest

EVERY_S = 1.0
LATE_S = 15
"""What waits for less is not late: remote links are looked for every 10 s."""
NO_DATABASE = "the database"
REQUESTS = "open ticket requests"


class Sample(NamedTuple):
    """A moment, and what was late then."""

    at: float
    late: frozenset[str]


class Lateness:
    """Takes a sample each second within a `with` block."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.samples.append(Sample(time.monotonic(), find_late()))
        connection.close()


def find_late() -> frozenset[str]:
    """Return the names of the work that is late."""
    oldest = {
        REQUESTS: (TicketRequest.objects.open(), "created_at"),
        "webhooks": (WebhookDelivery.objects.pending(), "created_at"),
        "items of jobs": (JobItem.objects.open(), "due_at"),
        "remote links": (RemoteLink.objects.due(), "due_at"),
        "reading tickets": (Ticket.objects.due(), "due_at"),
    }
    late = set()
    try:
        for name, (rows, since) in oldest.items():
            age = rows.order_by().aggregate(age=Now() - Min(since))["age"]
            if age and age.total_seconds() > LATE_S:
                late.add(name)
        if RemoteLink.objects.filter(title="", attempts__gt=0).exists():
            late.add("remote links")  # it failed; the next attempt comes in minutes
    except AnyDatabaseError:
        connection.close()
        return frozenset([NO_DATABASE])
    return frozenset(late)


class Settled(NamedTuple):
    """The seconds after a fault's end until nothing is late, and what was last.

    The seconds are None if something was still late when the next fault began.
    """

    seconds: float | None
    last: frozenset[str] = frozenset()


def settle(
    samples: Sequence[Sample], *, began: float, ended: float, until: float
) -> Settled:
    """Return when everything was settled after a fault, before `until`."""
    during = [one for one in samples if began <= one.at < until]
    late = [one for one in during if one.late]
    if not late:
        return Settled(0)
    after = [one.at for one in during if one.at > late[-1].at]
    return Settled(max(after[0] - ended, 0) if after else None, late[-1].late)
