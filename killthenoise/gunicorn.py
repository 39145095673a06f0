"""Configuration of gunicorn: `gunicorn -c python:killthenoise.gunicorn`.

Threads, since a request mostly waits for Jira. The number of workers is gunicorn's own
WEB_CONCURRENCY, the address its own PORT.
"""

from environs import Env

env = Env()

wsgi_app = "killthenoise.wsgi"
worker_class = "gthread"
threads = env.int("WEB_THREADS", 16)
# A stopping worker finishes what it has sent to Jira.
graceful_timeout = round(env.float("REQUEST_BUDGET_S", 25)) + 5
