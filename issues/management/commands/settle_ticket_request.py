"""Settle a ticket request by hand, after a person has looked in Jira."""

import getpass
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from issues.settlement import CannotSettle, settle_ticket_request
from killthenoise.errors import ServiceError


class Command(BaseCommand):
    help = (
        "Settle a ticket request whose outcome is unknown, after you have looked in "
        "Jira: link its ticket, or record that none was created. This is audited."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=UUID, help="The ID of the ticket request.")
        outcome = parser.add_mutually_exclusive_group(required=True)
        outcome.add_argument("--ticket", metavar="KEY", help="The key of its ticket.")
        outcome.add_argument(
            "--not-created", action="store_true", help="No ticket was created."
        )
        parser.add_argument("--reason", default="", help="The reason, for the audit.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            request = settle_ticket_request(
                request_id=options["id"],
                ticket_key=(options["ticket"] or "").strip().upper(),
                actor=f"manage.py:{getpass.getuser()}",
                reason=options["reason"],
            )
        except (CannotSettle, ServiceError) as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"Ticket request {request.pk} is settled: {request}.")
