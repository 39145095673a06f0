"""The history of a ticket request: what happened, what was sent, what Jira said."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils.safestring import SafeString, mark_safe

from integrations.services import render_adf, text_to_adf
from issues.admin.asked_target import find_asked
from issues.admin.ticket_now import TicketNow, find_remote_link, read_ticket
from issues.models import AIIssueGroup, TicketRequest
from killthenoise.admin.formats import actor_name, badge, since
from killthenoise.audit.models import AuditEvent

State = TicketRequest.State
Action = AuditEvent.Action
LINKS = (Action.TICKET_LINK, Action.TICKET_UNLINK)
MAX_EVENTS = 50
MAX_ATTEMPTS = 20

KINDS = {
    State.PENDING: "quiet",
    State.CREATED: "good",
    State.FAILED: "bad",
    State.UNKNOWN: "warn",
}
NEXT_STEPS = {
    State.PENDING: "It is being sent. If its worker died, recovery looks it up in Jira "
    "after its lease ended.",
    State.CREATED: "",
    State.FAILED: "No ticket was created. Correct the cause, then choose Retry.",
    State.UNKNOWN: "Recovery looks the ticket up in Jira by itself. Choose Recover now "
    "to do so at once, or Settle by hand if Jira cannot tell.",
}
UNLINKED = "The ticket was unlinked from the group. It is still in Jira."


class Step(NamedTuple):
    """Something that happened to a request."""

    moment: datetime
    name: str
    text: str


class TimedStep(NamedTuple):
    """A step, and the time since the one before it."""

    step: Step
    after: str


def outcome_badge(row: TicketRequest) -> SafeString:
    """Return the state as a coloured word."""
    return badge(KINDS[State(row.state)], row.get_state_display())


def get_next_step(row: TicketRequest) -> str:
    """Return what to do about the request, or "" if nothing needs to be done."""
    return UNLINKED if row.unlinked_at else NEXT_STEPS[State(row.state)]


def render_as_jira(description: str) -> SafeString:
    """Return the description as Jira shows it. The renderer escapes all text."""
    return mark_safe(render_adf(text_to_adf(description)))  # noqa: S308 # nosec


def get_events(row: TicketRequest) -> list[AuditEvent]:
    """Return the events of the HTTP request, of the row, and of links of its ticket."""
    about = Q(object_id=str(row.pk))
    if row.ticket_key:
        links = Q(action__in=LINKS, detail__ticket_key=row.ticket_key)
        about |= links & Q(object_id=str(row.group_id))
    if row.request_id:
        about |= Q(request_id=row.request_id)
    events = AuditEvent.objects.filter(about, tenant_id=row.tenant_id)
    return list(events.order_by("created_at")[:MAX_EVENTS])


def get_other_attempts(row: TicketRequest) -> list[TicketRequest]:
    """Return the other requests of the group, the newest first."""
    same = TicketRequest.objects.for_tenant(row.tenant_id).filter(group=row.group_id)
    others = same.exclude(pk=row.pk).defer("description").order_by("-created_at")
    return list(others[:MAX_ATTEMPTS])


def get_group(row: TicketRequest) -> AIIssueGroup | None:
    """Return the request's group, unless it was deleted."""
    return (
        AIIssueGroup.objects.for_tenant(row.tenant_id).filter(pk=row.group_id).first()
    )


def build_timeline(
    row: TicketRequest, events: Sequence[AuditEvent], seen: TicketNow | None
) -> list[TimedStep]:
    """Return what happened, in order, with the times between."""
    steps = [*_steps_of_row(row, events), *_steps_of_events(events)]
    if seen:
        knows_changes = any(event.action == Action.TICKET_STATUS for event in events)
        steps += [Step(*step) for step in seen.list_steps(knows_changes)]
    steps.sort(key=lambda step: step.moment)
    before = [None, *steps]
    return [
        TimedStep(step, since(last.moment, step.moment) if last else "")
        for last, step in zip(before, steps, strict=False)
    ]


def _steps_of_row(row: TicketRequest, events: Sequence[AuditEvent]) -> Iterator[Step]:
    who = actor_name(row.actor)
    yield Step(row.created_at, "Claimed", f"by {who}, and sent to {row.base_url}")
    if row.duration_ms is not None and row.jira_status:
        responded = row.created_at + timedelta(milliseconds=row.duration_ms)
        responded = min(responded, row.finished_at or responded)
        times = f" at attempt {row.attempts}" if row.attempts > 1 else ""
        yield Step(responded, "Jira responded", f"with HTTP {row.jira_status}{times}")
    elif row.state == State.UNKNOWN:
        yield Step(row.lease_until, "No response", "Jira did not confirm the ticket")
    if row.finished_at:
        yield Step(row.finished_at, *_describe_end(row))
    is_told = any(event.action == Action.TICKET_UNLINK for event in events)
    if row.unlinked_at and not is_told:
        yield Step(row.unlinked_at, "Unlinked", "from the group; it is still in Jira")
    if row.gone_at:
        yield Step(row.gone_at, "Gone", "Jira did not show the ticket any more")


def _describe_end(row: TicketRequest) -> tuple[str, str]:
    if row.settled_by:
        return "Settled", f"by hand, by {actor_name(row.settled_by)}"
    if row.state == State.FAILED:
        return "Failed", row.error_code
    if row.jira_status == 201:
        return "Recorded", f"{row.ticket_key} is linked to the group"
    return "Recovered", f"{row.ticket_key} was found in Jira by its marker, and linked"


def _steps_of_events(events: Sequence[AuditEvent]) -> Iterator[Step]:
    """Leave out the creation itself: the row has more details."""
    for event in events:
        if event.action == Action.TICKET_STATUS:
            text = f"{event.detail['from'] or 'not read'} → {event.detail['to']}"
            yield Step(event.created_at, "Status in Jira", text)
        elif event.action != Action.TICKET_CREATE or event.outcome == event.REPLAYED:
            text = f"{event.outcome}, by {actor_name(event.actor)}"
            yield Step(event.created_at, event.get_action_display(), text)


def build_story(row: TicketRequest, *, with_events: bool) -> dict[str, Any]:
    """Return the context of the page. Events are for those who may see the audit."""
    events = get_events(row) if with_events else []
    seen = read_ticket(row)
    return {
        "row": row,
        "outcome": outcome_badge(row),
        "next_step": get_next_step(row),
        "seen": seen,
        "remote_link": find_remote_link(row),
        "asked": find_asked(row),
        "group": get_group(row),
        "timeline": build_timeline(row, events, seen),
        "rendered": render_as_jira(row.description),
        "events": events,
        "attempts": get_other_attempts(row),
    }
