"""The base class of serializers that validate a request."""

from functools import cache
from typing import Any

from django.utils.functional import cached_property
from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict


class InputSerializer(serializers.Serializer[dict[str, Any]]):
    """Validates input with fields that all instances of the class share.

    DRF copies the fields for each instance, which takes as long as validating them.
    Fields keep nothing of a request, so they need no copy. They belong to an instance
    without a context, so a field must not read `self.context`; a serializer may.
    """

    @cached_property
    def fields(self) -> BindingDict:
        return _make_fields(type(self))


@cache
def _make_fields(serializer: type[InputSerializer]) -> BindingDict:
    instance = serializer()
    fields = BindingDict(instance)
    fields.update(instance.get_fields())
    return fields
