"""Factories of the models of issues."""

from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from integrations.tests.factories import IntegrationFactory
from issues.models import (
    AIIssueGroup,
    FollowedSite,
    JobItem,
    RemoteLink,
    Report,
    Ticket,
    TicketJob,
    TicketRequest,
)


class GroupFactory(DjangoModelFactory[AIIssueGroup]):
    class Meta:
        model = AIIssueGroup

    tenant_id = factory.Faker("uuid4", cast_to=None)
    title = factory.Sequence("The export fails, case {}".format)
    summary = "Several customers cannot export."
    severity = 3


class ReportFactory(DjangoModelFactory[Report]):
    class Meta:
        model = Report

    group = factory.SubFactory(GroupFactory)
    source = "slack"
    title = "Export gives me an empty file"
    external_id = factory.Sequence("C01-{}".format)
    url = "https://example.slack.com/archives/C01/p1"


class TicketRequestFactory(DjangoModelFactory[TicketRequest]):
    class Meta:
        model = TicketRequest

    class Params:
        created = factory.Trait(
            state=TicketRequest.State.CREATED,
            ticket_key="SCRUM-7",
            ticket_url="https://example.atlassian.net/browse/SCRUM-7",
            jira_issue_id="10007",
            finished_at=factory.LazyFunction(timezone.now),
        )
        failed = factory.Trait(
            state=TicketRequest.State.FAILED,
            error_code="jira_auth_failed",
            finished_at=factory.LazyFunction(timezone.now),
        )
        unknown = factory.Trait(
            state=TicketRequest.State.UNKNOWN,
            lease_until=factory.LazyFunction(timezone.now),
        )

    group = factory.SubFactory(GroupFactory)
    tenant_id = factory.SelfAttribute("group.tenant_id")
    integration = factory.SubFactory(
        IntegrationFactory,
        tenant_id=factory.SelfAttribute("..tenant_id"),
        is_active=False,
    )
    idempotency_key = factory.Sequence("key-{}".format)
    request_hash = "0" * 64
    title = "The export fails"
    description = "Several customers cannot export."
    base_url = "https://example.atlassian.net"
    project_key = "SCRUM"
    lease_until = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=1))


class TicketJobFactory(DjangoModelFactory[TicketJob]):
    class Meta:
        model = TicketJob

    tenant_id = factory.Faker("uuid4", cast_to=None)
    idempotency_key = factory.Sequence("job-{}".format)
    request_hash = "0" * 64


class JobItemFactory(DjangoModelFactory[JobItem]):
    """An item whose ticket was created."""

    class Meta:
        model = JobItem

    job = factory.SubFactory(TicketJobFactory)
    position = factory.Sequence(int)
    group_id = factory.Faker("uuid4")
    is_done = ok = True
    ticket_key = "SCRUM-7"
    ticket_url = "https://example.atlassian.net/browse/SCRUM-7"


class RemoteLinkFactory(DjangoModelFactory[RemoteLink]):
    class Meta:
        model = RemoteLink

    request = factory.SubFactory(TicketRequestFactory, created=True)


class TicketFactory(DjangoModelFactory[Ticket]):
    class Meta:
        model = Ticket

    class Params:
        done = factory.Trait(
            status="Done",
            status_category="done",
            done_at=factory.LazyFunction(timezone.now),
        )
        gone = factory.Trait(
            missing_since=factory.LazyFunction(timezone.now),
            gone_at=factory.LazyFunction(timezone.now),
        )

    tenant_id = factory.Faker("uuid4", cast_to=None)
    base_url = "https://example.atlassian.net"
    jira_issue_id = factory.Sequence("{}".format)
    key = factory.Sequence("SCRUM-{}".format)
    url = factory.LazyAttribute(lambda ticket: f"{ticket.base_url}/browse/{ticket.key}")
    title = "The export fails"
    status = "To Do"
    status_category = "new"
    checked_at = factory.LazyFunction(timezone.now)


class FollowedSiteFactory(DjangoModelFactory[FollowedSite]):
    class Meta:
        model = FollowedSite

    tenant_id = factory.Faker("uuid4", cast_to=None)
    base_url = "https://example.atlassian.net"
