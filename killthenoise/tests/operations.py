"""One valid request for each operation of the API."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.http.response import HttpResponseBase
from django.test import Client

TENANT = "550e8400-e29b-41d4-a716-446655440000"
GROUP = "6eef3278-d080-5fce-9dd0-1cd4f8a8d5bc"
NEW_GROUP = "1b4e28ba-2fa1-4d2e-883f-0016d3cca427"
ENDPOINT = "3c59dc04-8e88-4024-8be8-079a5c74d079"
DELIVERY = "b6d767d2-f8ed-4d21-a44b-0e5886680cb9"
INTEGRATION = "8f14e45f-ceea-467f-a8b2-3c1d5e6f7a80"
JOB = "3d594650-3436-4d2e-9f1c-5a1e0d5b7c11"


class Operation(NamedTuple):
    """A request that succeeds; `invalid` is a query or a body that is rejected."""

    method: str
    path: str
    body: Any = None
    invalid: Any = None

    def call(
        self,
        *,
        path: str = "",
        body: Any = None,
        query: Mapping[str, str] | None = None,
        **headers: str | None,
    ) -> HttpResponseBase:
        """Send the request, changed; a header of None is left out."""
        given = {"X_Tenant_ID": TENANT, "Content_Type": "application/json"} | headers
        sent = {name.replace("_", "-"): text for name, text in given.items() if text}
        content = self.body if body is None else body
        options: dict[str, Any] = {"query_params": query, "headers": sent}
        if content is not None:
            options |= {"data": content, "content_type": sent["Content-Type"]}
        send = getattr(Client(raise_request_exception=False), self.method)
        response: HttpResponseBase = send(path or self.path, **options)
        return response


GROUP_PATH = f"/api/issues/ai/{GROUP}"
INTEGRATIONS = f"/api/jira/integrations/{TENANT}"
ISSUES = f"/api/jira/issues/{TENANT}/{INTEGRATION}"
WEBHOOKS = f"/api/webhooks/{TENANT}"
WEBHOOK = f"{WEBHOOKS}/{ENDPOINT}"
OPERATIONS = {
    "connectJira": Operation(
        "post",
        INTEGRATIONS,
        {
            "base_url": "https://killthenoise.atlassian.net",
            "email": "demo@killthenoise.example",
            "access_token": "sandbox-api-token",
            "project_key": "SCRUM",
        },
        {},
    ),
    "listIntegrations": Operation(
        "get", f"{INTEGRATIONS}?check=1", invalid={"check": "maybe"}
    ),
    "updateIntegration": Operation(
        "patch",
        f"{INTEGRATIONS}/{INTEGRATION}",
        {
            "issue_type": "Bug",
            "settings": {
                "labels": ["customer-noise"],
                "priority_by_severity": {"5": "Highest"},
                "fields": {"components": ["Backend"]},
            },
        },
        {},
    ),
    "makeWebhookSecret": Operation(
        "post", f"{INTEGRATIONS}/{INTEGRATION}/webhook-secret"
    ),
    "getJiraStatus": Operation("get", f"/api/jira/status/{TENANT}/{INTEGRATION}"),
    "listProjects": Operation("get", f"/api/jira/projects/{TENANT}/{INTEGRATION}"),
    "putGroup": Operation(
        "put",
        f"/api/issues/ai/{NEW_GROUP}",
        {
            "title": "The export fails",
            "summary": "Customers get an empty file.",
            "severity": 4,
            "type": "bug",
            "tags": ["export"],
            "reports": [
                {
                    "source": "slack",
                    "external_id": "C01-1",
                    "title": "My file is empty",
                    "url": "https://example.slack.com/archives/C01/p1",
                }
            ],
        },
        {},
    ),
    "previewTicket": Operation(
        "get", f"{GROUP_PATH}/ticket-preview", invalid={"project_key": "no key"}
    ),
    "createJiraTicket": Operation(
        "post",
        f"{GROUP_PATH}/create-jira-ticket",
        {
            "title": "Dark mode",
            "description": "As a **user** I want a dark dashboard.",
        },
        {},
    ),
    "listGroups": Operation(
        "get",
        "/api/issues/ai?status=open&ordering=-severity",
        invalid={"severity_min": "high"},
    ),
    "getGroup": Operation("get", GROUP_PATH),
    "createJiraTickets": Operation(
        "post",
        "/api/issues/ai/create-jira-tickets",
        {
            "items": [
                {
                    "group_id": GROUP,
                    "title": "Dark mode",
                    "description": "As a **user** I want a dark dashboard.",
                }
            ]
        },
        {},
    ),
    "getJob": Operation("get", f"/api/jobs/{JOB}"),
    "listReports": Operation("get", f"{GROUP_PATH}/reports", invalid={"limit": "0"}),
    "searchTickets": Operation(
        "get", f"/api/jira/search/{TENANT}?q=dark", invalid={"q": "x" * 256}
    ),
    "listJiraIssues": Operation(
        "get", f"{ISSUES}?status=To Do&limit=10", invalid={"sort": "key"}
    ),
    "getJiraIssue": Operation("get", f"{ISSUES}/SCRUM-1"),
    "linkJiraTicket": Operation(
        "post", f"{GROUP_PATH}/link-jira-ticket", {"ticket_key": "SCRUM-1"}, {}
    ),
    "unlinkJiraTicket": Operation("delete", f"{GROUP_PATH}/jira-tickets/SCRUM-1"),
    "generateJiraDescription": Operation(
        "post",
        "/api/ai/generate-jira-description",
        {"title": "Dark mode", "summary": "Customers ask for a dark dashboard."},
        {},
    ),
    "createWebhook": Operation(
        "post", WEBHOOKS, {"url": "https://example.com/webhook"}, {"url": "nowhere"}
    ),
    "listWebhooks": Operation("get", WEBHOOKS),
    "getWebhook": Operation("get", WEBHOOK),
    "updateWebhook": Operation(
        "patch", WEBHOOK, {"events": ["ticket.created", "ticket.done"]}, {}
    ),
    "replaceWebhookSecret": Operation("post", f"{WEBHOOK}/secret"),
    "pingWebhook": Operation("post", f"{WEBHOOK}/ping"),
    "listDeliveries": Operation(
        "get", f"{WEBHOOK}/deliveries?state=pending", invalid={"state": "lost"}
    ),
    "redeliver": Operation("post", f"{WEBHOOK}/deliveries/{DELIVERY}/redeliver"),
    "deleteWebhook": Operation("delete", WEBHOOK),
    "disconnectJira": Operation("delete", f"{INTEGRATIONS}/{INTEGRATION}"),
}
"""In an order in which each operation has the rows that it needs."""


def integration_id() -> UUID:
    """Return the id of the integration that the operations name."""
    return UUID(INTEGRATION)
