"""Rules: matching groups get a ticket automatically, in the background.

The same service creates these tickets as the ones that people ask for. The idempotency
key is derived from the group, so a group gets one ticket from the rules, no matter how
many rules match and how many workers evaluate them.
"""

import logging
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from integrations.jira.errors import (
    JiraContentTooLong,
    JiraFieldRejected,
    JiraOutcomeUnknown,
)
from integrations.models import Integration
from integrations.services import get_active_jira, get_wait, lock_pace, reserve_send
from issues.errors import (
    GroupNotFound,
    IdempotencyKeyReused,
    TicketExists,
    TicketInProgress,
)
from issues.groups.ticket_drafts import draft_ticket
from issues.internal_keys import internal_key
from issues.models import AIIssueGroup, RuleRun
from issues.rules.matching import (
    Match,
    Rule,
    count_left,
    explain,
    find_matches,
    list_rules,
    name_actor,
)
from issues.services import create_jira_ticket
from issues.sites import for_each_site
from killthenoise.api.authentication import Caller
from killthenoise.api.connection_pool import release_connection
from killthenoise.audit.events import Action, recording
from killthenoise.errors import ServiceError

EVERY_S = 900
"""Seconds between evaluations: some conditions change with time."""
RETRY_S = 60
"""Seconds after which an evaluation that had to wait is repeated."""
ROUND_S = 60
"""Seconds after which an evaluation pauses; the next round continues it."""
MAX_WAIT_S = 30
"""Seconds that an evaluation waits for its turn. For a longer wait it pauses."""
MAX_FAILURES = 3
"""After this many consecutive failures, the other groups wait."""
OF_ONE_GROUP = (JiraContentTooLong, JiraFieldRejected, JiraOutcomeUnknown)
NEEDS_NONE = (GroupNotFound, IdempotencyKeyReused, TicketExists, TicketInProgress)
"""The group has a ticket by now, or is gone."""

logger = logging.getLogger(__name__)


class Result(Enum):
    """The outcome for a matching group. NOT_NEEDED: it needs no ticket any more."""

    CREATED = "created"
    NOT_NEEDED = "not needed"
    FAILED = "failed"


@dataclass
class RuleOutcome:
    """What an evaluation did for a rule, and why matching groups still wait."""

    name: str
    created: int = 0
    waiting: int = 0
    message: str = ""


@dataclass(frozen=True)
class RulePlan:
    """What a rule would do now: the groups that would get a ticket, with the reasons.

    `waiting` counts the matching groups beyond the cap.
    """

    name: str
    dry_run: bool
    tickets: list[tuple[Match, str]]
    waiting: int


def plan_rules(integration: Integration) -> list[RulePlan]:
    """Return what each rule of the integration would do now. Nothing is created."""
    plans: list[RulePlan] = []
    planned: set[UUID] = set()
    for rule in list_rules(integration):
        found = find_matches(integration, rule)
        matches = [match for match in found if match.group_id not in planned]
        now = matches[: count_left(integration, rule)]
        if not rule["dry_run"]:
            planned |= {match.group_id for match in now}
        tickets = [(match, explain(rule, match)) for match in now]
        waiting = len(matches) - len(now)
        plans.append(RulePlan(rule["name"], rule["dry_run"], tickets, waiting))
    return plans


def run_due_rules() -> Counter[str]:
    """Evaluate the due rules; count created tickets and waiting groups.

    Many may run at the same time. A slow site does not delay the others.
    """
    active = Integration.objects.active_jira().filter(settings__has_key="rules")
    new = [RuleRun(integration_id=pk) for pk in _get_pks(active.filter(rule_run=None))]
    RuleRun.objects.bulk_create(new, ignore_conflicts=True)
    due = RuleRun.objects.due().filter(integration__in=active)
    return sum(for_each_site(_evaluate, _get_pks(due)), Counter())


def _get_pks(rows: QuerySet[Any]) -> list[UUID]:
    return list(rows.values_list("pk", flat=True))


def _evaluate(integration_id: UUID) -> Counter[str]:
    """Evaluate the rules of one integration, unless another worker does."""
    token, this = uuid4(), RuleRun.objects.filter(pk=integration_id)
    integration = Integration.objects.defer("api_token").get(pk=integration_id)
    if not _reserve(integration, token):
        return Counter()
    integration.refresh_from_db()
    evaluation = _Evaluation(integration, token)
    outcomes = evaluation.run()
    mine = this.filter(reserved_by=token)
    mine.update(
        reserved_by=None,
        reserved_until=None,
        outcomes=[asdict(outcome) for outcome in outcomes],
    )
    if evaluation.continues_in is not None:
        this.update(due_at=Now() + timedelta(seconds=evaluation.continues_in))
    return Counter(
        created=sum(outcome.created for outcome in outcomes),
        waiting=sum(outcome.waiting for outcome in outcomes),
    )


def _reserve(integration: Integration, token: UUID) -> bool:
    """Reserve the rules for this worker; False if another one evaluates the tenant's.

    That may be for the integration that was active before this one. Changes of the
    settings from now on are evaluated in the next round.
    """
    reserved = RuleRun.objects.reserved()
    if reserved.filter(integration__tenant_id=integration.tenant_id).exists():
        return False
    free = RuleRun.objects.filter(pk=integration.pk).free()
    changed = free.update(
        due_at=Now() + timedelta(seconds=EVERY_S),
        evaluated_at=Now(),
        reserved_by=token,
        reserved_until=_reservation(),
    )
    return bool(changed)


def _reservation() -> Any:
    """Return until when a worker reserves an integration. Each ticket renews it."""
    seconds = MAX_WAIT_S + settings.LLM_TIMEOUT_S + settings.LEASE_S
    return Now() + timedelta(seconds=seconds)


class _Evaluation:
    """Evaluates the rules of an integration, one after the other.

    `problem` says why this round creates no more tickets. `continues_in` is the number
    of seconds until the next round, if work is left.
    """

    def __init__(self, integration: Integration, token: UUID) -> None:
        self._integration = integration
        self._mine = RuleRun.objects.filter(pk=integration.pk, reserved_by=token)
        self._ends = time.monotonic() + ROUND_S
        self._failures = 0
        self._last_error = ""
        self.problem = ""
        self.continues_in: int | None = None

    def run(self) -> list[RuleOutcome]:
        try:
            get_active_jira(tenant_id=self._integration.tenant_id)
        except ServiceError as error:
            self._stop(str(error))
        return [self._apply(rule) for rule in list_rules(self._integration)]

    def _apply(self, rule: Rule) -> RuleOutcome:
        matches = find_matches(self._integration, rule)
        left = count_left(self._integration, rule)
        outcome = RuleOutcome(rule["name"], waiting=len(matches))
        if rule["dry_run"]:
            would = min(left, len(matches))
            outcome.message = f"Dry run: {would} groups would get a ticket now."
            return outcome
        for match in matches[:left]:
            if not self._may_go_on():
                break
            result = self._create(rule, match)
            outcome.created += result is Result.CREATED
            outcome.waiting -= result is not Result.FAILED
        cap = f"The cap of {rule['daily_cap']} in 24 hours is reached."
        reason = self.problem or self._last_error or cap
        outcome.message = f"{outcome.created} tickets created."
        if outcome.waiting:
            outcome.message += f" {outcome.waiting} groups wait. {reason}"
        logger.info("rule %s: %s", rule["name"], outcome.message)
        return outcome

    def _may_go_on(self) -> bool:
        """Wait for a turn to send to the site; False if this evaluation must end."""
        if self.problem:
            return False
        if time.monotonic() >= self._ends:
            self._stop("The next round continues.", again_in=0)
        elif not self._mine.update(reserved_until=_reservation()):
            self._stop("Another worker continues.")
        elif not self._wait_for_turn():
            self._stop("Jira is receiving too many requests.")
        elif not self._is_unchanged():
            self._stop("The integration was changed.", again_in=0)
        return not self.problem

    def _wait_for_turn(self) -> bool:
        """Wait as the site's pace requires; False if that is long, as after a 429."""
        with transaction.atomic():
            pace = lock_pace(self._integration.base_url)
            if get_wait(pace) > MAX_WAIT_S:
                return False
            wait_s = reserve_send(pace)
        release_connection()
        time.sleep(wait_s)
        return True

    def _is_unchanged(self) -> bool:
        """Whether the rules are unchanged, and tickets still go to this site."""
        active, read = Integration.objects.active_jira(), self._integration
        return active.filter(pk=read.pk, updated_at=read.updated_at).exists()

    def _stop(self, problem: str, *, again_in: int = RETRY_S) -> None:
        self.problem, self.continues_in = problem, again_in

    def _create(self, rule: Rule, match: Match) -> Result:
        try:
            self._send(rule, match.group_id)
        except NEEDS_NONE as error:
            logger.info("rule %s, group %s: %s", rule["name"], match.group_id, error)
            return Result.NOT_NEEDED
        except ServiceError as error:
            self._failures += 1
            self._last_error = str(error)
            is_general = not isinstance(error, OF_ONE_GROUP)
            if is_general or self._failures == MAX_FAILURES:
                self._stop(str(error))
            return Result.FAILED
        self._failures = 0
        return Result.CREATED

    def _send(self, rule: Rule, group_id: UUID) -> None:
        tenant_id = self._integration.tenant_id
        groups = AIIssueGroup.objects.for_tenant(tenant_id)
        group = groups.filter(pk=group_id).first()
        if group is None:
            raise GroupNotFound
        draft = draft_ticket(group)
        with recording(
            Action.TICKET_CREATE,
            actor=name_actor(rule),
            tenant_id=tenant_id,
            object_type=AIIssueGroup._meta.label_lower,
            object_id=str(group_id),
        ) as event:
            created = create_jira_ticket(
                group_id=group_id,
                title=draft.title,
                description=draft.description,
                caller=Caller(tenant_id, name_actor(rule), None, ""),
                idempotency_key=internal_key("rule", group_id),
            )
            event.detail["ticket_key"] = created.ticket.key
