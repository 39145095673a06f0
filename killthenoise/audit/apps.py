from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "killthenoise.audit"

    def ready(self) -> None:
        from killthenoise.api.metrics import events
        from killthenoise.audit.models import AuditEvent

        # It starts at 0, because an alert for the first one needs to see a rise.
        events.labels(AuditEvent.Action.TICKET_DUPLICATE, AuditEvent.OK)
