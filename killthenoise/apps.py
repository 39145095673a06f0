# Import modules, not classes: Django treats each AppConfig in this module as ours.
from axes import apps as axes
from django.apps import AppConfig
from django.contrib.admin import apps as admin


class KillTheNoiseConfig(AppConfig):
    name = "killthenoise"

    def ready(self) -> None:
        from django.conf import settings

        from killthenoise import checks  # noqa: F401 importing registers them

        if settings.CELERY_BROKER_URL:
            from killthenoise.api.metrics import add_collector
            from killthenoise.queue_depth import QueueDepth

            add_collector(QueueDepth())


class AuditedAdminConfig(admin.AdminConfig):
    default = False
    default_site = "killthenoise.admin_site.AdminSite"


class LoginAttemptsConfig(axes.AppConfig):  # type: ignore[misc] # axes has no types
    """django-axes, with a plain name in the admin."""

    default = False
    verbose_name = "Login attempts"
