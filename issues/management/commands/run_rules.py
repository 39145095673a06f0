"""Evaluate the rules of the integrations now, or list what they would create."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from integrations.models import Integration
from issues.models import RuleRun
from issues.rules.evaluation import RulePlan, plan_rules, run_due_rules

MAX_LISTED = 20


class Command(BaseCommand):
    help = (
        "Create the tickets of the groups that match a rule and have none, up to the "
        "rule's cap in 24 hours. The background loop does the same by itself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--tenant", type=UUID, help=("Only the rules of this tenant.")
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="List the tickets and create none."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        integrations = Integration.objects.active_jira().defer("api_token")
        if options["tenant"]:
            integrations = integrations.for_tenant(options["tenant"])
        if options["dry_run"]:
            for integration in integrations:
                self.print_plans(integration)
            return
        RuleRun.objects.mark_due(integrations.values_list("tenant_id", flat=True))
        run_due_rules()
        runs = RuleRun.objects.filter(integration__in=integrations)
        for run in runs.select_related("integration"):
            self.print_header(run.integration)
            for outcome in run.outcomes:
                self.stdout.write(f"  {outcome['name']}: {outcome['message']}")

    def print_header(self, integration: Integration) -> None:
        self.stdout.write(f"{integration} of tenant {integration.tenant_id}")

    def print_plans(self, integration: Integration) -> None:
        plans = plan_rules(integration)
        if plans:
            self.print_header(integration)
        for plan in plans:
            self.stdout.write(f"  {plan.name}: {self.describe(plan)}")
            for match, why in plan.tickets[:MAX_LISTED]:
                self.stdout.write(f"    {match.group_id} {match.title}: {why}")

    def describe(self, plan: RulePlan) -> str:
        """Return how many tickets a rule would create, and how many wait."""
        text = f"{len(plan.tickets)} groups would get a ticket"
        if plan.waiting:
            text += f", {plan.waiting} more wait because of the cap"
        return f"{text} (dry run)" if plan.dry_run else text
