"""Routes that return the caller; one has the tenant in its path."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from killthenoise.api.request_data import get_caller


class WhoView(APIView):
    """GET: the tenant and the actor of the request."""

    def get(self, request: Request, tenant: str = "") -> Response:
        caller = get_caller(request)
        return Response({"tenant_id": str(caller.tenant_id), "actor": caller.actor})


urlpatterns = [
    path("api/who", WhoView.as_view()),
    path("api/who/<str:tenant>", WhoView.as_view()),
]
