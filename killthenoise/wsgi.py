"""The WSGI application. Without its variables it refuses to start and lists them."""

import os

from django.core.wsgi import get_wsgi_application

from killthenoise.chunked_bodies import ChunkedBodyReader

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")

django_application = get_wsgi_application()

from killthenoise.probes import Probes  # noqa: E402 it needs the settings

application = Probes(ChunkedBodyReader(django_application))
