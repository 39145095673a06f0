"""Check the active integrations with Jira. Nothing is created there."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from integrations.checks.preflight import check_integration
from integrations.models import Integration


class Command(BaseCommand):
    help = (
        "Check whether each active Jira integration could create a ticket now, and say "
        "what to do if not. Exits with 1 if one could not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--tenant", type=UUID, help="Check only this tenant's integration."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        integrations = Integration.objects.active_jira().defer("api_token")
        if options["tenant"]:
            integrations = integrations.for_tenant(options["tenant"])
        if not integrations:
            raise CommandError(
                "There is no active Jira integration. Connect Jira first, in the admin "
                "or with the API."
            )
        results = [self.report(integration) for integration in integrations]
        if not all(results):
            raise CommandError("Not every integration could create a ticket.")

    def report(self, integration: Integration) -> bool:
        """Check one integration, print the result, and return whether it is ok."""
        result = check_integration(integration=integration)
        self.stdout.write(f"{integration} of tenant {integration.tenant_id}")
        for check in result.checks:
            word = "ok    " if check.ok else "failed"
            self.stdout.write(f"  {word} {check.name}: {check.message}")
        return result.ok
