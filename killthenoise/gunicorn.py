"""Configuration of gunicorn: `gunicorn -c python:killthenoise.gunicorn`.

Workers have threads because a request mostly waits for Jira. gunicorn itself reads the
number of workers from WEB_CONCURRENCY and the port from PORT.
"""

from environs import Env

env = Env()

wsgi_app = "killthenoise.wsgi"
worker_class = "gthread"
threads = env.int("WEB_THREADS", 16)
# A worker that stops has time to finish the requests that it sent to Jira.
graceful_timeout = round(env.float("REQUEST_BUDGET_S", 25)) + 5
