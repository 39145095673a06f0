"""Jira's webhooks: hints that a ticket changed.

The content of a webhook is not trusted: anybody who knows the secret could have sent
it, and it may arrive late, twice, or out of order. It only makes the loop read the
ticket now.
"""

from typing import Any

from django.db.models import Q
from django.db.models.functions import Now
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.models import Integration
from integrations.services import find_signer
from issues.models import FollowedSite, Ticket
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.parsers import TooManyContainers, read_json
from killthenoise.api.throttling import AddressThrottle, WebhookThrottle

MAX_ID = 20  # characters


class WebhookNotSigned(NotAuthenticated):
    """An unknown integration and a wrong signature get the same error."""

    default_detail = (
        "The webhook is not signed with this integration's secret. Make a new secret "
        "and enter it in Jira's webhook."
    )


class WebhookAuthentication(BaseAuthentication):
    """Accepts a request that Jira signed with a secret of the integration."""

    def authenticate(self, request: Request) -> tuple[Integration, None]:
        view: Any = request.parser_context["view"]
        signature = request.headers.get("X-Hub-Signature", "")
        integration_id = parse_uuid(view.kwargs["integration_id"])
        body = request._request.body
        signer = find_signer(integration_id, signature, body)
        if signer is None:
            _limit_guesses(request, view)
            raise WebhookNotSigned
        return signer, None

    def authenticate_header(self, request: Request) -> str:
        return "Hub-Signature"  # a 401 must name a scheme, and there is no standard one


def _limit_guesses(request: Request, view: APIView) -> None:
    """Count unsigned requests only: Jira's addresses are shared by all its sites."""
    throttle = AddressThrottle()
    if not throttle.allow_request(request, view):
        raise Throttled(throttle.wait())


@extend_schema(exclude=True)
class WebhookView(APIView):
    """Receives Jira's webhooks. docs/jira-webhook.md says how to set them up."""

    authentication_classes = [WebhookAuthentication]
    throttle_classes = [WebhookThrottle]

    def post(self, request: Request, integration_id: str) -> Response:
        """Have the ticket that the body names read now. Any body is accepted."""
        signer: Any = request.user  # the integration
        if issue_id := _find_issue_id(request._request.body):
            hint(signer, issue_id)
        return Response(status=204)


def hint(integration: Integration, issue_id: str) -> None:
    """Have the ticket read at once, if the tenant follows it on this site.

    Several hints before a reading cause one reading. A renamed site is recognized by
    its cloud id.
    """
    same_site = Q(base_url=integration.base_url)
    if integration.cloud_id:
        same_site |= Q(cloud_id=integration.cloud_id)
    sites = FollowedSite.objects.filter(same_site, tenant_id=integration.tenant_id)
    base_urls = list(sites.values_list("base_url", flat=True))
    tickets = Ticket.objects.for_tenant(integration.tenant_id)
    same = tickets.filter(base_url__in=base_urls, jira_issue_id=issue_id)
    same.filter(hinted_at=None).update(hinted_at=Now())


def _find_issue_id(body: bytes) -> str:
    """Return the id of the ticket that a webhook is about, or "" if there is none."""
    try:
        parsed = read_json(body)
    except (ValueError, RecursionError, TooManyContainers):
        return ""
    issue = parsed.get("issue") if isinstance(parsed, dict) else None
    issue_id = str(issue.get("id", "")) if isinstance(issue, dict) else ""
    return issue_id if issue_id.isdecimal() and len(issue_id) <= MAX_ID else ""
