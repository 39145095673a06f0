"""The settings of an integration as a form, with what Jira's create screen offers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from integrations.admin.forms import describe_errors
from integrations.connections.accounts import jira_client, require_usable
from integrations.connections.services import update_integration
from integrations.jira.client import CORE_FIELDS
from integrations.jira.metadata import Field
from integrations.models import Integration
from integrations.settings.serializers import IntegrationSettingsSerializer
from integrations.tickets.issue_types import get_issue_type
from killthenoise.admin.operations import recording_row
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot
from killthenoise.audit.events import Action
from killthenoise.errors import ServiceError

CHANGE = "admin:integrations_integration_change"
SEVERITIES = ("5", "4", "3", "2", "1")
ELSEWHERE = {*CORE_FIELDS, "labels"}
"""Fields of the create screen that are not among the inputs for extra fields."""
IN_FORM = {"labels", "priority_by_severity", "fields", "description"}
"""The settings in the form. It does not change the others, such as routes."""
LIST = "array"
"""Jira's type for a field with several values."""
HINTS = {
    LIST: "A JSON list.",
    "date": "A date, such as 2026-12-31.",
    "number": "A number.",
    "string": "Text.",
}
"""What to type, by Jira's type of the field."""


def settings_view(self: Any, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the settings beside Jira's fields; store them if Jira takes them."""
    integration = self.get_changeable(request, pk)
    fields, problem = _read_fields(integration)
    errors: list[str] = []
    settings = integration.settings
    if request.method == "POST":
        others = integration.settings.items()
        kept = {name: value for name, value in others if name not in IN_FORM}
        settings = kept | parse_settings(request.POST, fields)
        errors = _store(request, integration, settings)
        if not errors:
            return redirect(CHANGE, pk)
    values = _describe(settings, fields)
    values |= {"integration": integration, "problem": problem, "errors": errors}
    return self.show_page(request, "settings.html", "Settings as a form", values)  # type: ignore[no-any-return]


def _read_fields(integration: Integration) -> tuple[list[Field], str]:
    """Return the fields of the create screen, and the reason if there are none."""
    project, deadline = integration.project_key, request_deadline()
    try:
        require_usable(integration)
        with outgoing_slot(integration.tenant_id):
            name = integration.issue_type
            found = get_issue_type(integration, project, name, deadline=deadline)
            if found is None:
                return [], f"{project} has no issue type “{name}”."
            metadata = jira_client(integration).metadata
            return metadata.fields(project, found.id, deadline=deadline), ""
    except ServiceError as exc:
        return [], str(exc)


def _store(
    request: HttpRequest, integration: Integration, settings: Mapping[str, Any]
) -> list[str]:
    """Store the settings as the API's PATCH does; return the problem, or ""."""
    serializer = IntegrationSettingsSerializer(data=settings)
    if not serializer.is_valid():
        return describe_errors(serializer.errors)
    detail = {"fields": ["settings"]}
    try:
        with recording_row(request, Action.JIRA_UPDATE, integration, detail=detail):
            connection = update_integration(
                integration=integration, changes={"settings": serializer.validated_data}
            )
    except ServiceError as exc:
        return [str(exc)]
    messages.success(request, f"The settings are stored. {connection.message}.")
    return []


def parse_settings(form: QueryDict, fields: Sequence[Field]) -> dict[str, Any]:
    """Return the settings from the form's inputs. Empty inputs set nothing."""
    settings: dict[str, Any] = {}
    if labels := form.get("labels", "").split():
        settings["labels"] = labels
    priorities = {one: form.get(f"priority-{one}", "").strip() for one in SEVERITIES}
    stored = _parse_json(form.get("other_priorities", "")) or {}
    if mapped := stored | {one: name for one, name in priorities.items() if name}:
        settings["priority_by_severity"] = mapped
    kinds = {field.id: field for field in fields}
    names = [name.removeprefix("field-") for name in form if name.startswith("field-")]
    values = {
        name: _parse_value(form.getlist(f"field-{name}"), kinds.get(name))
        for name in names
    }
    if given := {name: value for name, value in values.items() if value is not None}:
        settings["fields"] = given
    if "description" not in form:
        settings["description"] = False
    return settings


def _parse_value(typed: Sequence[str], field: Field | None) -> Any:
    """Return the value in Jira's form; None if nothing is typed or chosen."""
    texts = [text.strip() for text in typed if text.strip()]
    if not texts:
        return None
    if field and field.allowed:
        values = [_parse_json(text) for text in texts]
        return values if field.kind == LIST else values[0]
    if field and field.kind == "string":
        return texts[0]
    value = _parse_json(texts[0])
    return texts[0] if value is None else value


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _describe(settings: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """Return what the template shows."""
    stored = settings.get("fields", {})
    mapped = settings.get("priority_by_severity", {})
    screen = {field.id: field for field in fields}
    priority = screen.get("priority")
    names = [str(one.get("name", "")) for one in (priority and priority.allowed) or ()]
    rows = [
        _describe_field(field, stored.get(field.id))
        for field in fields
        if field.id not in ELSEWHERE
    ]
    others = [
        {"id": name, "name": name, "text": _to_text(value), "is_gone": bool(fields)}
        for name, value in stored.items()
        if name not in screen
    ]
    rest = {one: name for one, name in mapped.items() if one not in SEVERITIES}
    return {
        "labels": " ".join(settings.get("labels", [])),
        "with_description": settings.get("description", True),
        "priorities": [
            (one, mapped.get(one, ""), sorted({*names, mapped.get(one, "")} - {""}))
            for one in SEVERITIES
        ],
        "other_priorities": json.dumps(rest) if rest else "",
        "rows": rows + others,
    }


def _describe_field(field: Field, value: Any) -> dict[str, Any]:
    row = {
        "id": field.id,
        "name": field.name,
        "is_required": field.required and not field.has_default,
    }
    if field.allowed:
        return row | _describe_choice(field.allowed, field.kind == LIST, value)
    hint = HINTS.get(field.kind, f"As JSON, of Jira's type {field.kind}.")
    return row | {"text": _to_text(value), "hint": hint}


def _describe_choice(
    allowed: Sequence[Mapping[str, Any]], is_list: bool, value: Any
) -> dict[str, Any]:
    chosen = value if isinstance(value, list) else [] if value is None else [value]
    options = [
        (json.dumps(_name_option(one)), _get_label(one), _is_chosen(one, chosen))
        for one in allowed
    ]
    hint = "Any number of them." if is_list else ""
    return {"options": options, "is_list": is_list, "hint": hint}


def _name_option(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to name an allowed value to Jira: by its id, or else its name."""
    key = next((key for key in ("id", "name", "value") if key in option), "")
    return {key: option[key]} if key else dict(option)


def _get_label(option: Mapping[str, Any]) -> str:
    return str(option.get("name") or option.get("value") or option.get("id"))


def _is_chosen(option: Mapping[str, Any], chosen: Sequence[Any]) -> bool:
    """Whether a stored value, an object or a name, stands for the option."""
    return any(
        one.items() <= option.items()
        if isinstance(one, dict)
        else one in option.values()
        for one in chosen
    )


def _to_text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
