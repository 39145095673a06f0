from django.apps import AppConfig

from killthenoise.api import metrics


class IssuesConfig(AppConfig):
    name = "issues"

    def ready(self) -> None:
        from issues.metrics import OpenWork

        metrics.add_collector(OpenWork())
