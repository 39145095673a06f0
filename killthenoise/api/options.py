"""The response to OPTIONS requests that are not CORS preflights."""

from typing import TYPE_CHECKING, Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request

if TYPE_CHECKING:  # importing it here would be circular
    from rest_framework.views import APIView


class MethodsMetadata(BaseMetadata):
    """Lists the methods of a path. The OpenAPI document has the rest."""

    def determine_metadata(self, request: Request, view: "APIView") -> dict[str, Any]:
        """Return the body of the response."""
        data = {"methods": view.allowed_methods}
        message = "The methods of this path; /api/docs describes them"
        return {"success": True, "data": data, "message": message}
