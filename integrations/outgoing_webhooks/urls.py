"""Paths of outgoing webhooks. A trailing slash works too, without a redirect."""

from django.urls import re_path

from integrations.outgoing_webhooks import views

ALL = "^(?P<tenant>[^/]+)"
ONE = f"{ALL}/(?P<endpoint_id>[^/]+)"

urlpatterns = [
    re_path(f"{ALL}/?$", views.WebhookListView.as_view(), name="webhooks"),
    re_path(f"{ONE}/?$", views.WebhookView.as_view(), name="webhook"),
    re_path(
        f"{ONE}/secret/?$", views.WebhookSecretView.as_view(), name="endpoint-secret"
    ),
    re_path(f"{ONE}/ping/?$", views.WebhookPingView.as_view(), name="endpoint-ping"),
    re_path(
        f"{ONE}/deliveries/?$",
        views.DeliveryListView.as_view(),
        name="webhook-deliveries",
    ),
    re_path(
        f"{ONE}/deliveries/(?P<delivery_id>[^/]+)/redeliver/?$",
        views.RedeliverView.as_view(),
        name="webhook-redeliver",
    ),
]
