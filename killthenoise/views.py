"""Pages of the project itself: the start page, the OpenAPI document, health checks."""

import logging
from functools import cache

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

logger = logging.getLogger(__name__)


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


def healthz(request: HttpRequest) -> JsonResponse:
    """Return 200 while the process is up."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Return 200 once the database and its migrations are ready, else 503."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except AnyDatabaseError as exc:
        logger.warning("not ready: the database does not answer", exc_info=exc)
        return _not_ready("The database does not answer.")
    if missing:
        return _not_ready("Migrations have not run: run manage.py migrate.")
    return JsonResponse({"status": "ready"})


def _not_ready(reason: str) -> JsonResponse:
    return JsonResponse({"status": "not ready", "reason": reason}, status=503)
