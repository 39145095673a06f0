"""Fills the database with the demo's tenant: groups, reports, a Jira integration."""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from development.sandbox.receiver import DEFAULT_WEBHOOK_SECRET
from integrations.models import Integration
from integrations.outgoing_webhooks.models import EVENTS, WebhookEndpoint
from issues.models import AIIssueGroup, Report

TENANT_ID = UUID("550e8400-e29b-41d4-a716-446655440000")
SETTINGS: dict[str, Any] = {
    "routes": [{"when": {"tag": "billing"}, "project_key": "OPS", "issue_type": "Bug"}],
    "rules": [
        {
            "name": "billing bugs",
            "when": {"tag": "billing", "type": "bug", "severity_min": 5},
            "daily_cap": 5,
            "dry_run": False,
        }
    ],
}
"""A route and a rule, so that the demo shows both."""
GROUPS = Path(__file__).parents[2] / "demo_groups.json"


class Command(BaseCommand):
    help = "Create the demo's tenant with its groups. Existing rows are kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--jira-url", required=True, help="Jira's address.")
        parser.add_argument("--jira-email", required=True, help="Email of its user.")
        parser.add_argument("--jira-token", required=True, help="API token.")
        parser.add_argument(
            "--webhook-url",
            help="Address of a webhook to add, signed with the secret of the sandbox.",
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        groups: list[AIIssueGroup] = []
        reports: list[Report] = []
        for entry in read_groups():
            group = build_group(entry, now)
            groups.append(group)
            reports += [build_report(group, one, now) for one in entry["reports"]]
        AIIssueGroup.objects.bulk_create(groups, ignore_conflicts=True)
        Report.objects.bulk_create(reports, ignore_conflicts=True)
        Integration.objects.update_or_create(
            tenant_id=TENANT_ID,
            is_active=True,
            defaults={
                "base_url": options["jira_url"].rstrip("/"),
                "email": options["jira_email"],
                "api_token": options["jira_token"],
                "uses_gateway": False,
                "project_key": "SCRUM",
                "settings": SETTINGS,
            },
        )
        if options["webhook_url"]:
            WebhookEndpoint.objects.update_or_create(
                tenant_id=TENANT_ID,
                url=options["webhook_url"],
                defaults={"secret": DEFAULT_WEBHOOK_SECRET, "events": EVENTS},
            )
        self.stdout.write(f"{len(groups)} groups, {len(reports)} reports")


def read_groups() -> list[dict[str, Any]]:
    """Return the groups of the file. Ages are in hours."""
    groups: list[dict[str, Any]] = json.loads(GROUPS.read_text(encoding="utf-8"))
    return groups


def first_group_id() -> UUID:
    """Return the id of the group for which the demo creates a ticket."""
    return get_group_id(read_groups()[0])


def get_group_id(entry: dict[str, Any]) -> UUID:
    """Return a group's id, which is derived from its title."""
    return uuid5(TENANT_ID, entry["title"])


def build_group(entry: dict[str, Any], now: datetime) -> AIIssueGroup:
    """Build a group without saving it."""
    fields = {k: v for k, v in entry.items() if k not in ("reports", "age_hours")}
    updated_at = now - timedelta(hours=entry["age_hours"])
    oldest = max(report["age_hours"] for report in entry["reports"])
    return AIIssueGroup(
        id=get_group_id(entry),
        tenant_id=TENANT_ID,
        created_at=min(updated_at, now - timedelta(hours=oldest)),
        updated_at=updated_at,
        **fields,
    )


def build_report(group: AIIssueGroup, entry: dict[str, Any], now: datetime) -> Report:
    """Build a report of the group without saving it."""
    fields = {k: v for k, v in entry.items() if k != "age_hours"}
    created_at = now - timedelta(hours=entry["age_hours"])
    return Report(group=group, created_at=created_at, **fields)
