"""The WSGI application. Without its variables it refuses to start and lists them."""

import os

from django.core.wsgi import get_wsgi_application

from killthenoise import telemetry
from killthenoise.chunked_bodies import ChunkedBodyReader

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")

telemetry.start()
django_application = get_wsgi_application()

# These need the settings.
from killthenoise.metrics_endpoint import MetricsEndpoint  # noqa: E402
from killthenoise.probes import Probes  # noqa: E402

application = Probes(MetricsEndpoint(ChunkedBodyReader(django_application)))
