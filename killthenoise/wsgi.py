"""The WSGI application. Without its variables it refuses to start and lists them."""

import os

from django.core.wsgi import get_wsgi_application

from killthenoise.chunked_bodies import ChunkedBodyReader

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")

application = ChunkedBodyReader(get_wsgi_application())
