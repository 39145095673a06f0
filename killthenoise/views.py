"""Pages of the project itself: the start page and the OpenAPI document."""

from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from killthenoise.api.request_id import current_request_id


def server_error(request: HttpRequest) -> HttpResponse:
    """Show the page of an error that nobody expected. It reads no database."""
    request_id = {"request_id": current_request_id()}
    return HttpResponse(render_to_string("500.html", request_id), status=500)


def index(request: HttpRequest) -> HttpResponse:
    """Link to the documentation, and to the admin unless its path is a secret."""
    is_admin_known = settings.DEBUG or settings.ADMIN_PATH == "admin/"
    return render(request, "index.html", {"is_admin_known": is_admin_known})


class SchemaView(SpectacularAPIView):
    """Serves the OpenAPI document, which each process renders once per format."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        return HttpResponse(
            _document(str(renderer.format)),
            content_type=str(renderer.media_type),
            headers={"Cache-Control": "max-age=3600"},
        )


@cache
def _document(form: str) -> str | bytes:
    renderer = OpenApiJsonRenderer() if form == "json" else OpenApiYamlRenderer()
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    document = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    return renderer.render(document, renderer_context={})
