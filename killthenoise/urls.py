"""The URLs of the project."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView

from issues.urls import ai_urlpatterns, jira_urlpatterns, job_urlpatterns
from killthenoise import __version__
from killthenoise.views import SchemaView, index

admin.site.site_title = "KillTheNoise"
admin.site.site_header = f"KillTheNoise {__version__}"
admin.site.index_title = "Overview"
admin.site.site_url = settings.FRONTEND_URL or None

handler500 = "killthenoise.views.server_error"

docs = SpectacularSwaggerSplitView.as_view(template_name="docs.html")

urlpatterns = [
    path("", index),
    path(settings.ADMIN_PATH, admin.site.urls),
    path("api/issues/", include("issues.urls")),
    path("api/ai/", include(ai_urlpatterns)),
    path("api/jira/", include(jira_urlpatterns)),
    path("api/jobs/", include(job_urlpatterns)),
    path("api/jira/", include("integrations.urls")),
    path("api/webhooks/", include("integrations.outgoing_webhooks.urls")),
    re_path("^api/schema/?$", SchemaView.as_view(), name="schema"),
    re_path("^api/docs/?$", docs, name="docs"),
    # Browsers request it with every page, but there is none.
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]
