"""A form field for JSON in the admin."""

import json
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput

from killthenoise.api.parsers import TooManyContainers, check_structure


class JSONField(forms.JSONField):
    """JSON with the limits of the API's bodies. Its error says where it is wrong."""

    def prepare_value(self, value: Any) -> Any:
        """Return stored JSON in lines; a list of texts stays in one."""
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False, indent=2)
        return super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        try:
            check_structure(str(value).encode())
            return super().to_python(value)
        except (ValueError, TooManyContainers) as exc:
            raise forms.ValidationError(f"Not JSON: {exc}.") from exc
        except forms.ValidationError as exc:
            if not isinstance(exc.__context__, json.JSONDecodeError):
                raise
            error = exc.__context__
            where = f"line {error.lineno} column {error.colno}"
            reason = error.msg[0].lower() + error.msg[1:]
            raise forms.ValidationError(f"Not JSON: {reason}, {where}.") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the text to show again. JSON that is too deep is shown as typed."""
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput(data)
