"""The WSGI application. With nothing set it refuses to start and says why."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")

application = get_wsgi_application()
