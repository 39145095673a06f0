"""What must hold in the end: nothing is lost, nothing is doubled."""

from collections import defaultdict
from typing import Any

from django.db.models import Count

from development.outages.clients import Clients
from development.outages.environment import Environment
from integrations.outgoing_webhooks.models import WebhookDelivery
from issues.models import JobItem, RemoteLink, Report, TicketRequest


def count(
    environment: Environment, clients: Clients
) -> tuple[dict[str, int], dict[str, int]]:
    """Return how much there is of everything, and problems, which must all be 0."""
    in_jira, linked = _list_tickets(environment), _list_links()
    asked = {str(pk) for pk in clients.asked}
    told = clients.received.items()
    events = WebhookDelivery.objects.filter(event="ticket.created")
    open_events = events.exclude(state="delivered")
    keys = events.values("data__ticket__key").annotate(number=Count("pk"))
    counts = {
        "groups that clients asked a ticket for": len(asked),
        "tickets created in Jira": sum(map(len, in_jira.values())),
        "of these linked": sum(len(in_jira[pk] & linked[pk]) for pk in in_jira),
        "webhooks delivered of them": events.count() - open_events.count(),
    }
    problems = {
        "groups without a ticket": len(asked - in_jira.keys()),
        "groups with two tickets": sum(len(keys) > 1 for keys in in_jira.values()),
        "tickets that nobody asked for": len(in_jira.keys() - asked),
        "tickets that are not linked": sum(
            len(keys - linked[pk]) for pk, keys in in_jira.items()
        ),
        "groups linked to a ticket that Jira has not": sum(
            bool(linked[pk] - in_jira[pk]) for pk in asked
        ),
        "clients that were told another key": sum(
            bool(keys - in_jira[str(pk)]) for pk, keys in told
        ),
        "clients that were never told a key": len(
            clients.asked - set(clients.received)
        ),
        "ticket requests that are open": TicketRequest.objects.open().count(),
        "items of jobs without a ticket": JobItem.objects.filter(ok=False).count(),
        "remote links that are not sent": RemoteLink.objects.filter(title="").count(),
        "webhooks that are not delivered": open_events.count(),
        "tickets without a webhook": len(in_jira) - events.count(),
        "tickets with two webhooks": keys.filter(number__gt=1).count(),
    }
    return counts, problems


def _list_tickets(environment: Environment) -> defaultdict[str, set[str]]:
    """Return the keys of the tickets that were created, by the group in the marker."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    tickets: list[dict[str, Any]] = environment.call_sandbox("GET", "tickets")
    for ticket in tickets:
        if marker := ticket["properties"].get("killthenoise"):
            keys[marker["group_id"]].add(ticket["key"])
    return keys


def _list_links() -> defaultdict[str, set[str]]:
    """Return the keys of the tickets that are linked, by group."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for group_id, key in Report.objects.jira().values_list("group_id", "external_id"):
        keys[str(group_id)].add(key)
    return keys
