"""The URL map."""

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path

from killthenoise.health import healthz, readyz

admin.site.site_header = admin.site.site_title = "KillTheNoise"
admin.site.index_title = "Groups, tickets and integrations"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/issues/", include("issues.urls")),
    path("api/jira/", include("integrations.urls")),
    path("healthz", healthz),
    path("readyz", readyz),
    # Browsers ask for it on every page of the admin; there is none.
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]
