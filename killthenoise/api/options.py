"""What OPTIONS answers where no browser asks for another origin."""

from typing import TYPE_CHECKING, Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request

if TYPE_CHECKING:  # its module imports the metadata of the settings, which are these
    from rest_framework.views import APIView


class MethodsMetadata(BaseMetadata):
    """The methods of a path, in the envelope; the OpenAPI document tells the rest."""

    def determine_metadata(self, request: Request, view: "APIView") -> dict[str, Any]:
        """Return the body of the answer."""
        return {
            "success": True,
            "data": {"methods": view.allowed_methods},
            "message": "The methods of this path; /api/docs tells what they take",
        }
