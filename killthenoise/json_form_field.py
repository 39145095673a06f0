"""A JSON field for forms of the admin."""

import json
from typing import Any

from django import forms


class JsonFormField(forms.JSONField):
    """JSON whose error says where it is wrong."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except forms.ValidationError as exc:
            if not isinstance(exc.__context__, json.JSONDecodeError):
                raise
            error = exc.__context__
            where = f"line {error.lineno} column {error.colno}"
            reason = error.msg[0].lower() + error.msg[1:]
            raise forms.ValidationError(f"Not JSON: {reason}, {where}.") from error
