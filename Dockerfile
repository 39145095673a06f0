# syntax=docker/dockerfile:1
# The product: `docker build .`; the demo with its sandbox: `docker build --target demo .`

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/runtime.txt /build/
RUN python -m venv /venv \
    && /venv/bin/pip install --require-hashes --only-binary :all: -r /build/runtime.txt
WORKDIR /app
COPY manage.py ./
COPY killthenoise killthenoise
COPY integrations integrations
COPY issues issues
# The two secrets are for this command only, which uses neither.
RUN DJANGO_SECRET_KEY=none DJANGO_ALLOWED_HOSTS=none \
    FIELD_ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    /venv/bin/python manage.py collectstatic --noinput \
    && /venv/bin/python -m compileall -q killthenoise integrations issues

FROM python:3.11-slim-bookworm AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000
WORKDIR /app
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin killthenoise

FROM base AS demo
COPY requirements.txt /build/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r /build/requirements.txt
COPY . .
USER 10001
CMD ["python", "manage.py", "demo"]

FROM base AS product
COPY --from=build /venv /venv
COPY --from=build /app /app
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD \
    ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["gunicorn", "-c", "python:killthenoise.gunicorn"]
