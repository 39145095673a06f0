"""The URL map."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path, re_path
from django.views.decorators.cache import cache_page
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from issues.urls import ai_urlpatterns
from killthenoise.health import healthz, readyz

SCHEMA_CACHED_S = 3600

admin.site.site_header = admin.site.site_title = "KillTheNoise"
admin.site.index_title = "Groups, tickets and integrations"
admin.site.site_url = settings.FRONTEND_URL or None

schema = cache_page(SCHEMA_CACHED_S)(SpectacularAPIView.as_view())
docs = SpectacularSwaggerSplitView.as_view(template_name="docs.html")

urlpatterns = [
    path(settings.ADMIN_PATH, admin.site.urls),
    path("api/issues/", include("issues.urls")),
    path("api/ai/", include(ai_urlpatterns)),
    path("api/jira/", include("integrations.urls")),
    re_path("^api/schema/?$", schema, name="schema"),
    re_path("^api/docs/?$", docs, name="docs"),
    path("healthz", healthz),
    path("readyz", readyz),
    # Browsers ask for it on every page of the admin; there is none.
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]
