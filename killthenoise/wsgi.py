"""The WSGI application. Without its variables it refuses to start and lists them."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")

application = get_wsgi_application()
