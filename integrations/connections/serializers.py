"""Input that connects and updates an integration, and how the API shows one."""

from dataclasses import asdict
from typing import Any, NoReturn

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import ISO_8601, serializers

from integrations.checks.preflight import Preflight
from integrations.connections.site_url import MAX_LENGTH, NOT_A_SITE, normalize_site_url
from integrations.jira.secret import Secret
from integrations.models import Integration
from integrations.serializers import ProjectAndTypeSerializer
from integrations.settings.serializers import IntegrationSettingsSerializer
from killthenoise.api.fields import StrictBooleanField, TextField, must_be
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.text import clean_title

MAX_TOKEN = 2000
"""Characters. Atlassian's tokens have about 200."""


class SecretField(TextField):
    """Text that error reports do not show."""

    def to_internal_value(self, data: Any) -> Secret:
        return Secret(super().to_internal_value(data))


class TicketTargetSerializer(ProjectAndTypeSerializer):
    """The other values of an integration. All are optional."""

    token_expires_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        input_formats=[ISO_8601, "%Y-%m-%d"],
        error_messages=must_be(
            "token_expires_at must be a date or a time, such as 2027-01-31."
        )
        | {"date": "token_expires_at must be a date or a time, such as 2027-01-31."},
        help_text=(
            "When the API token expires. Webhooks receive an event 30 and 7 days ahead."
        ),
    )
    settings = IntegrationSettingsSerializer(required=False)


class WebhookSecretSerializer(serializers.Serializer[Any]):
    """The values that a Jira administrator enters in Jira."""

    secret = serializers.CharField(help_text="Shown only once.")
    url = serializers.URLField()


class ConnectSerializer(TicketTargetSerializer):
    """The site, the account and its API token. Unknown keys are ignored."""

    base_url = TextField(
        name="address of your Jira site",
        clean=clean_title,
        limit=MAX_LENGTH,
        error_messages=dict.fromkeys(["required", "null", "blank"], NOT_A_SITE),
    )
    email = serializers.EmailField(
        max_length=254,
        error_messages=dict.fromkeys(
            ["required", "null", "blank", "invalid"],
            "Enter the e-mail address of your Atlassian account.",
        ),
    )
    access_token = SecretField(
        name="API token",
        clean=str.strip,
        limit=MAX_TOKEN,
        validators=[
            RegexValidator(
                r"\A[\x21-\x7e]+\Z",
                "The API token contains a space or another character that tokens never "
                "contain. Copy it again.",
            )
        ],
    )

    def validate_base_url(self, base_url: str) -> str:
        return normalize_site_url(base_url)


class UpdateSerializer(TicketTargetSerializer):
    """Any of project_key, issue_type, settings, token_expires_at, is_active."""

    is_active = StrictBooleanField(name="is_active", required=False)

    default_error_messages = {
        "empty": "Nothing to change: send project_key, issue_type, settings, "
        "token_expires_at or is_active. To change the address, e-mail or API token, "
        "connect Jira again."
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            self.fail("empty")
        return attrs


@extend_schema_field({"type": "string", "enum": ["1", "true", "0", "false"]})
class FlagField(serializers.BooleanField):
    """A boolean in the query string."""

    TRUE_VALUES = {"1", "true"}
    FALSE_VALUES = {"0", "false"}
    default_error_messages = {"invalid": "{name} must be 1 or 0."}

    def fail(self, key: str, **details: Any) -> NoReturn:
        super().fail(key, name=self.field_name, **details)


class CheckSerializer(InputSerializer):
    """`?check=1`: check with Jira now."""

    check = FlagField(default=False)


class AccountSerializer(serializers.Serializer[Any]):
    """The account that is logged in to Jira."""

    account_id = serializers.CharField()
    display_name = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)


class ConnectionStatusSerializer(serializers.Serializer[Any]):
    """Whether Jira accepts the credentials, and what is wrong."""

    connected = serializers.BooleanField()
    base_url = serializers.URLField()
    error = serializers.CharField(required=False)
    user = AccountSerializer(required=False)


class NamedCheckSerializer(serializers.Serializer[Any]):
    """One check. Unless it is `ok`, `message` says what to do."""

    name = serializers.CharField()
    ok = serializers.BooleanField()
    message = serializers.CharField()


class StatusSerializer(serializers.Serializer[Any]):
    """Whether a ticket could be created now."""

    connected = serializers.BooleanField()
    base_url = serializers.URLField()
    method = serializers.ChoiceField(["api_token"])
    user = AccountSerializer(allow_null=True)
    checks = NamedCheckSerializer(many=True)
    error = serializers.CharField(required=False)


class IntegrationSerializer(serializers.ModelSerializer[Integration]):
    """An integration, without its token."""

    # The context may hold `preflights`: new results by the integration's id.
    settings = IntegrationSettingsSerializer(read_only=True)
    connection_status = serializers.SerializerMethodField()

    class Meta:
        model = Integration
        fields = ["id", "tenant_id", "is_active", "base_url", "email", "project_key"]
        fields += ["issue_type", "settings", "token_expires_at", "last_synced_at"]
        fields += ["last_sync_status", "sync_error_message", "created_at"]
        fields += ["updated_at", "connection_status"]
        read_only_fields = fields

    @extend_schema_field(ConnectionStatusSerializer)
    def get_connection_status(self, integration: Integration) -> dict[str, Any]:
        preflight = self.context.get("preflights", {}).get(integration.pk)
        return connection_status(integration, preflight)


def connection_status(
    integration: Integration, preflight: Preflight | None = None
) -> dict[str, Any]:
    """Return `{connected, base_url, error?, user?}`.

    Without a preflight, this is the last known status. Connected means that Jira
    accepts the credentials; `error` says everything that is wrong.
    """
    connected = integration.is_active and not integration.auth_failures
    error, account = integration.sync_error_message, None
    if preflight:
        error, account = preflight.problem, preflight.account
        connected = account is not None
    status = {"connected": connected, "base_url": integration.base_url}
    status |= {"error": error} if error else {}
    return status | ({"user": asdict(account)} if account else {})


def status_data(integration: Integration, preflight: Preflight) -> dict[str, Any]:
    """Return the status as the front end reads it, with the named checks."""
    checks = NamedCheckSerializer(preflight.checks, many=True).data
    status = connection_status(integration, preflight)
    return {"method": "api_token", "user": None, **status, "checks": checks}
