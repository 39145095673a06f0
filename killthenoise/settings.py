"""Django settings, read from environment variables. README.md lists them.

Development mode (`DJANGO_DEBUG`, which `manage.py` turns on if no secret key is set)
needs no variable. It also reads the git-ignored file `.env` beside `manage.py`, with
lines such as `NAME=value`. Variables that are already set take precedence. Outside
development mode `.env` is not read, and the start fails with a list of all missing and
wrong variables.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env
from marshmallow import ValidationError
from marshmallow.validate import OneOf, Range

from killthenoise import __version__
from killthenoise.dev_secrets import development_secret
from killthenoise.env_validators import (
    are_host_patterns,
    are_keys,
    are_origins,
    broken_thread_rules,
    broken_timing_rules,
    is_admin_path,
    is_bind,
    is_broker_url,
    is_https,
    is_long_secret,
    is_printable,
    is_rate,
    is_redis_url,
    is_web_address,
    make_key,
    not_empty,
    not_negative,
    positive,
    unused,
    used_if,
)
from killthenoise.log_formats import JSON, TEXT

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = Env(eager=False)  # collects every error; `seal()` reports them together

DEBUG = env.bool("DJANGO_DEBUG", False)
if DEBUG:
    env.read_env(BASE_DIR / ".env")


def in_development(make: Callable[[], Any]) -> Any:
    """Return a default for development mode; otherwise the variable is required."""
    return make() if DEBUG else ...


def is_safe_origin(text: str) -> None:
    schemes = ("https", "http") if JIRA_ALLOW_INSECURE else ("https",)
    scheme, host, *_ = urlsplit(text)
    if scheme not in schemes or not host or text != f"{scheme}://{host}":
        raise ValidationError(
            "Must be an https:// origin with nothing after it; http:// needs "
            "JIRA_ALLOW_INSECURE."
        )


def rate(name: str, default: str) -> str | None:
    """Return the rate of a throttle; None means no limit."""
    given = env.str(name, default, validate=is_rate)
    return None if given == "none" else given or None


# The environment. README.md has the table of these variables.
SECRET_KEY = env.str(
    "DJANGO_SECRET_KEY",
    in_development(lambda: development_secret(VAR_DIR / "secret-key")),
    validate=not_empty,
)
FIELD_ENCRYPTION_KEYS = env.list(
    "FIELD_ENCRYPTION_KEYS",
    in_development(lambda: [development_secret(VAR_DIR / "field-key", make_key)]),
    validate=are_keys,
)
ALLOWED_HOSTS = env.list(
    "DJANGO_ALLOWED_HOSTS",
    in_development(lambda: ["localhost", "127.0.0.1", "[::1]"]),
)
DATABASE = env.dj_db_url(
    "DATABASE_URL",
    f"sqlite:///{BASE_DIR / 'db.sqlite3'}",
)
DATABASE_POOLER = env.str(
    "DATABASE_POOLER", "none", validate=OneOf(["none", "transaction"])
)
DATABASE_CONNECTIONS = env.int("DATABASE_CONNECTIONS", 10, validate=Range(min=1))
CORS_ALLOWED_ORIGINS = env.list(
    "FRONTEND_ORIGINS",
    ["http://localhost:3000", "http://localhost:5173"] if DEBUG else [],
    validate=are_origins,
)
FRONTEND_URL = env.str("FRONTEND_URL", "", validate=is_web_address)
TENANT_AUTH = env.str("TENANT_AUTH", "header", validate=OneOf(["header", "jwt"]))
JWT_ALGORITHM = env.str(
    "JWT_ALGORITHM", "RS256", validate=OneOf(["RS256", "ES256", "HS256"])
)
by_token, shared = TENANT_AUTH == "jwt", JWT_ALGORITHM == "HS256"
GATEWAY_SECRET = env.str(
    "GATEWAY_SECRET", "", validate=unused if by_token else is_long_secret
)
JWT_JWKS_URL = env.str(
    "JWT_JWKS_URL",
    **used_if(by_token and not shared, is_web_address if DEBUG else is_https),
)
JWT_SECRET = env.str("JWT_SECRET", **used_if(by_token and shared, is_long_secret))
JWT_ISSUER = env.str("JWT_ISSUER", **used_if(by_token))
JWT_AUDIENCE = env.str("JWT_AUDIENCE", **used_if(by_token))
JWT_LEEWAY_S = env.float("JWT_LEEWAY_S", 30, validate=not_negative)
JWT_TENANT_CLAIM = env.str("JWT_TENANT_CLAIM", "tenant_id", validate=not_empty)
JIRA_ALLOWED_HOSTS = env.list(
    "JIRA_ALLOWED_HOSTS", ["*.atlassian.net"], validate=[not_empty, are_host_patterns]
)
JIRA_ALLOW_INSECURE = env.bool("JIRA_ALLOW_INSECURE", False)
JIRA_GATEWAY_URL = env.str(
    "JIRA_GATEWAY_URL", "https://api.atlassian.com", validate=is_safe_origin
)
JIRA_DEFAULT_PROJECT_KEY = env.str("JIRA_DEFAULT_PROJECT_KEY", "")
JIRA_CONNECT_TIMEOUT_S = env.float("JIRA_CONNECT_TIMEOUT_S", 3, validate=positive)
JIRA_READ_TIMEOUT_S = env.float("JIRA_READ_TIMEOUT_S", 20, validate=positive)
JIRA_AUTH_FAILURES_MAX = env.int("JIRA_AUTH_FAILURES_MAX", 5, validate=positive)
REQUEST_BUDGET_S = env.float("REQUEST_BUDGET_S", 25, validate=positive)
TWIN_WAIT_S = env.float("TWIN_WAIT_S", 10, validate=not_negative)
LEASE_S = env.float("LEASE_S", 60, validate=positive)
RECONCILE_HORIZON_S = env.float("RECONCILE_HORIZON_S", 180, validate=not_negative)
SWEEP_EVERY_S = env.float("SWEEP_EVERY_S", 900, validate=positive)
SWEEP_OVERLAP_S = env.float("SWEEP_OVERLAP_S", 24 * 3600, validate=positive)
TICKET_POLL_S = env.float("TICKET_POLL_S", 60, validate=positive)
TICKET_GONE_AFTER_S = env.float("TICKET_GONE_AFTER_S", 3600, validate=positive)
THROTTLE_TENANT = rate("THROTTLE_TENANT", "600/min")
THROTTLE_ADDRESS = rate("THROTTLE_ADDRESS", "1200/min")
THROTTLE_CONNECT = rate("THROTTLE_CONNECT", "10/min")
THROTTLE_WEBHOOK = rate("THROTTLE_WEBHOOK", "600/min")
REDIS_URL = env.str("REDIS_URL", "", validate=is_redis_url)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0, validate=not_negative)
ADMIN_PATH = env.str("ADMIN_PATH", "admin/", validate=is_admin_path)
WEB_THREADS = env.int("WEB_THREADS", 32, validate=Range(min=2))
reserve = max(
    (WEB_THREADS or 0) // 5, 1
)  # an invalid number is None until `seal()` reports it
JIRA_THREADS = env.int("JIRA_THREADS", (WEB_THREADS or 2) - reserve, validate=positive)
JIRA_THREADS_PER_TENANT = env.int(
    "JIRA_THREADS_PER_TENANT", max((JIRA_THREADS or 0) - reserve, 1), validate=positive
)
SECURE_SSL_REDIRECT = env.bool("DJANGO_SECURE_SSL_REDIRECT", not DEBUG)
LLM_BASE_URL = env.str("LLM_BASE_URL", "", validate=is_web_address)
LLM_API_KEY = env.str("LLM_API_KEY", "", validate=is_printable)
LLM_MODEL = env.str("LLM_MODEL", "")
LLM_TIMEOUT_S = env.float("LLM_TIMEOUT_S", 10, validate=positive)
LOG_LEVEL = env.str(
    "LOG_LEVEL",
    "INFO",
    validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
)
LOG_FORMAT = env.str(
    "LOG_FORMAT", "text" if DEBUG else "json", validate=OneOf(["json", "text"])
)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "", validate=is_broker_url)
METRICS_BIND = env.str("METRICS_BIND", "", validate=is_bind)
SENTRY_DSN = env.str("SENTRY_DSN", "", validate=is_web_address)
OTEL_EXPORTER_OTLP_ENDPOINT = env.str(
    "OTEL_EXPORTER_OTLP_ENDPOINT", "", validate=is_web_address
)
env.seal()
if JIRA_ALLOW_INSECURE and not DEBUG:
    raise ImproperlyConfigured(
        "JIRA_ALLOW_INSECURE sends credentials over plain http, so it works in "
        "development mode only. Unset it, or set DJANGO_DEBUG=true on your own "
        "machine."
    )
broken_rules = broken_timing_rules(
    budget=REQUEST_BUDGET_S,
    lease=LEASE_S,
    horizon=RECONCILE_HORIZON_S,
    duplicate_wait=TWIN_WAIT_S,
    connect_timeout=JIRA_CONNECT_TIMEOUT_S,
    read_timeout=JIRA_READ_TIMEOUT_S,
) + broken_thread_rules(
    web=WEB_THREADS, jira=JIRA_THREADS, per_tenant=JIRA_THREADS_PER_TENANT
)
if broken_rules:
    raise ImproperlyConfigured(" ".join(broken_rules))
llm = {"LLM_BASE_URL": LLM_BASE_URL, "LLM_API_KEY": LLM_API_KEY, "LLM_MODEL": LLM_MODEL}
if any(llm.values()) and not all(llm.values()):
    missing = ", ".join(name for name, value in llm.items() if not value)
    raise ImproperlyConfigured(
        f"Set {missing} too: a language model needs all of {', '.join(llm)}, or unset "
        "them all."
    )

SESSION = [
    # A request that waited for a lock must see what its holder committed. Django's
    # isolation_level would have no effect on statements outside of atomic().
    r"-c default_transaction_isolation=read\ committed",
    # A transaction that is left open must not block requests forever.
    "-c lock_timeout=10s",
    # Parallel workers take longer to start than a request takes to read its rows.
    "-c max_parallel_workers_per_gather=0",
]
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    DATABASE["CONN_MAX_AGE"] = 600  # seconds
    DATABASE["OPTIONS"] = {
        "timeout": 10,  # seconds to wait for another writer
        "transaction_mode": "IMMEDIATE",  # no lock upgrade that can fail
        "init_command": "PRAGMA journal_mode=WAL;",
    }
    # A file: with a database in memory, the threads of a test share one connection.
    DATABASE["TEST"] = {"NAME": f"{DATABASE['NAME']}.test"}
else:
    DATABASE["ENGINE"] = "killthenoise.postgresql"  # the threads share connections
    DATABASE["OPTIONS"] = {
        "connect_timeout": 5,  # seconds
        # This detects a server that vanished within seconds; Linux would take 15
        # minutes.
        "tcp_user_timeout": 10_000,  # milliseconds
        "keepalives_idle": 10,  # seconds, as the next
        "keepalives_interval": 5,
        "keepalives_count": 2,
    } | DATABASE.get("OPTIONS", {})
    if DATABASE_POOLER == "transaction":
        # Each transaction may get another connection, so nothing belongs to a session.
        # The role must have the parameters of SESSION: docs/operating.md says how.
        DATABASE["DISABLE_SERVER_SIDE_CURSORS"] = True
    else:
        given = DATABASE["OPTIONS"].get("options", "")
        DATABASE["OPTIONS"]["options"] = " ".join([*SESSION, given]).strip()
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Caches: one in each process, and the counts of the throttles, which processes share
# through Redis. The timeouts keep a Redis that is down from delaying requests.
LOCAL_CACHE = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
REDIS_CACHE = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": REDIS_URL,
    "KEY_PREFIX": "killthenoise",
    "OPTIONS": {"socket_connect_timeout": 0.2, "socket_timeout": 0.2},  # seconds
}
COUNTS = LOCAL_CACHE | {"LOCATION": "throttles", "OPTIONS": {"MAX_ENTRIES": 10_000}}
CACHES = {"default": LOCAL_CACHE, "throttles": REDIS_CACHE if REDIS_URL else COUNTS}

INSTALLED_APPS = [
    "killthenoise.apps.AuditedAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "killthenoise.apps.LoginAttemptsConfig",  # axes
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "killthenoise.audit",
    "killthenoise.staff",
    "integrations",
    "integrations.outgoing_webhooks",
    "issues",
    "killthenoise",
]
if DEBUG:
    INSTALLED_APPS.append("development")  # the sandbox and the demo
MIDDLEWARE = [
    "killthenoise.api.middleware.ReleaseConnectionMiddleware",
    "killthenoise.api.middleware.RequestIdMiddleware",
    "killthenoise.api.access_log.AccessMiddleware",
    "killthenoise.api.middleware.ClientAddressMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "killthenoise.api.middleware.PagePolicyMiddleware",
    "killthenoise.api.middleware.ResponseHeadersMiddleware",
    "killthenoise.api.middleware.JsonErrorsMiddleware",
    "killthenoise.api.middleware.BodySizeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "killthenoise.page_middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "killthenoise.page_middleware.AuthenticationMiddleware",
    "killthenoise.page_middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "killthenoise.urls"
WSGI_APPLICATION = "killthenoise.wsgi.application"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DEFAULT_EXCEPTION_REPORTER = "killthenoise.error_reports.ExceptionReporter"
APPEND_SLASH = False  # a redirect would lose the body, so the routes accept both forms
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "killthenoise" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "killthenoise.api.authentication.TenantTokenAuthentication"
        if by_token
        else "killthenoise.api.authentication.TenantHeaderAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_THROTTLE_CLASSES": [
        "killthenoise.api.throttling.TenantThrottle",
        "killthenoise.api.throttling.AddressThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "tenant": THROTTLE_TENANT,
        "address": THROTTLE_ADDRESS,
        "connect": THROTTLE_CONNECT,
        "webhook": THROTTLE_WEBHOOK,
    },
    "DEFAULT_PARSER_CLASSES": ["killthenoise.api.parsers.JSONBodyParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_METADATA_CLASS": "killthenoise.api.options.MethodsMetadata",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "killthenoise.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

# JavaScript: fill in the demo's tenant, unless the browser remembers another one.
USE_DEMO_TENANT = """() => {
    if ((localStorage.authorized || "{}") === "{}")
        ui.preauthorizeApiKey("tenant", "550e8400-e29b-41d4-a716-446655440000");
}"""
SPECTACULAR_SETTINGS = {
    "TITLE": "KillTheNoise",
    "DESCRIPTION": "From an AI issue group to a Jira ticket: exactly one, always "
    "linked, whatever fails.",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "AUTHENTICATION_WHITELIST": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "tenant": {
                "type": "apiKey",
                "in": "header",
                "name": "X-Tenant-ID",
                "description": "The tenant's UUID. If the path names the tenant, "
                "the header may be absent, but not behind a gateway.",
            },
            "token": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "Required if TENANT_AUTH is jwt.",
            },
        }
    },
    "SECURITY": [{"tenant": []}, {"tenant": [], "token": []}],
    "PREPROCESSING_HOOKS": ["killthenoise.api.openapi_hooks.remove_trailing_slashes"],
    "POSTPROCESSING_HOOKS": ["killthenoise.api.openapi_hooks.complete_document"],
    "SWAGGER_UI_SETTINGS": "{deepLinking: true, persistAuthorization: true, "
    f"onComplete: {USE_DEMO_TENANT if DEBUG else 'null'}}}",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# The front end has another origin and sends credentials.
CORS_URLS_REGEX = "^/api/"
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_HEADERS = [
    *default_headers,
    "idempotency-key",
    "x-request-id",
    "x-tenant-id",
]
CORS_EXPOSE_HEADERS = ["Idempotency-Replayed", "Retry-After", "X-Request-ID"]

# Security. A proxy terminates TLS and sets X-Forwarded-Proto. gunicorn trusts that
# header from FORWARDED_ALLOW_IPS and passes the scheme to Django.
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # icons in the style sheet of Swagger UI
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# The admin. Sessions end with the browser. Guessing a password locks the user out at
# that address; guessing the passwords of many users locks the address.
# Browsers accept the prefix __Host- over https only.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_NAME = "sessionid" if DEBUG else "__Host-sessionid"
CSRF_COOKIE_NAME = "csrftoken" if DEBUG else "__Host-csrftoken"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
LOGIN_FAILURES_PER_ADDRESS = 20
AXES_HANDLER = "killthenoise.admin_site.LoginLimits"
AXES_LOCKOUT_CALLABLE = "killthenoise.admin_site.show_locked_out"
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # 15 minutes are 15 minutes
AXES_VERBOSE = False  # otherwise it logs its version at each start
PASSWORDS = "django.contrib.auth.password_validation."
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": PASSWORDS + "UserAttributeSimilarityValidator"},
    {"NAME": PASSWORDS + "MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": PASSWORDS + "CommonPasswordValidator"},
    {"NAME": PASSWORDS + "NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "killthenoise.formats"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = (
    DEBUG  # it works without collectstatic
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "killthenoise.api.log_context.ContextFilter"}},
    "formatters": {"line": JSON if LOG_FORMAT == "json" else TEXT},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["context"],
            "formatter": "line",
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"level": "ERROR"},  # `access` logs the requests
        # Below this, it logs each message, which are several a second.
        "celery": {"level": "WARNING"},
        "audit": {"level": "INFO"},  # whatever LOG_LEVEL is
        # At lower levels, it logs addresses of webhooks, which may contain tokens.
        "urllib3": {"level": "ERROR"},
    },
}
TEST_RUNNER = "killthenoise.test_runner.PytestRunner"
