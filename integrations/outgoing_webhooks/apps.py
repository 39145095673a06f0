from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "integrations.outgoing_webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"
