"""Production, and safe: what is missing or weak stops the start with one sentence.

`embedded`, `dev` and `test` lay their own defaults beneath the environment and then import this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from kanbanai.schedule import SCHEDULE
from kanbanai.settings import variables
from kanbanai.settings.databases import database
from kanbanai.settings.logs import know_secrets, logging_config, secrets_of_url
from kanbanai.settings.mail import mail

# Lets annotations such as ModelForm[Card] be read at run time as well.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parents[2]
SECRET_KEY_CHARACTERS = 50

# --- the product's own ---------------------------------------------------------------------------

KANBANAI_HOST = variables.HOST.read()
KANBANAI_DATA_DIR = variables.DATA_DIR.read()
KANBANAI_PROJECT_ROOTS = variables.PROJECT_ROOTS.read()
KANBANAI_CLONE_MAX_BYTES = variables.CLONE_MAX_MB.read() * 1024 * 1024
KANBANAI_REGISTRATION = variables.REGISTRATION.read()
KANBANAI_PUBLIC_ORIGIN = variables.PUBLIC_ORIGIN.read()
KANBANAI_SANDBOX = variables.SANDBOX.read()
KANBANAI_AGENT_SLOTS = variables.AGENT_SLOTS.read()
KANBANAI_AGENT_SLOTS_PER_PROJECT = variables.AGENT_SLOTS_PER_PROJECT.read()
KANBANAI_AGENT_SLOTS_PER_PERSON = variables.AGENT_SLOTS_PER_PERSON.read()
KANBANAI_AGENT_SLOTS_PER_CREDENTIAL = variables.AGENT_SLOTS_PER_CREDENTIAL.read()
KANBANAI_PROVIDERS = variables.PROVIDERS.read()
KANBANAI_AGENT_LEASE_SECONDS = variables.AGENT_LEASE_SECONDS.read()
KANBANAI_AGENT_TURN_SECONDS = variables.AGENT_TURN_SECONDS.read()
KANBANAI_AGENT_IDLE_SECONDS = variables.AGENT_IDLE_SECONDS.read()
KANBANAI_PERMISSION_WAIT_SECONDS = variables.PERMISSION_WAIT_SECONDS.read()
KANBANAI_SUMMARY_WAIT_SECONDS = variables.SUMMARY_WAIT_SECONDS.read()
KANBANAI_SCRIPT_SECONDS = variables.SCRIPT_SECONDS.read()
KANBANAI_ALLOW_UNSANDBOXED = variables.ALLOW_UNSANDBOXED.read()
KANBANAI_WEB_THREADS = variables.WEB_THREADS.read()
KANBANAI_MAX_UPLOAD_BYTES = variables.MAX_UPLOAD_MB.read() * 1024 * 1024
KANBANAI_MAX_ATTACHMENT_BYTES = variables.MAX_ATTACHMENT_MB.read() * 1024 * 1024
KANBANAI_MAX_IMPORT_BYTES = variables.MAX_IMPORT_MB.read() * 1024 * 1024
KANBANAI_SCRIPT_SLOTS = variables.SCRIPT_SLOTS.read()
KANBANAI_BEHIND_PROXY = variables.TRUSTED_PROXIES.read()
KANBANAI_JOURNAL_DAYS = variables.JOURNAL_DAYS.read()
KANBANAI_JOURNAL_EVENTS = variables.JOURNAL_EVENTS.read()
KANBANAI_BACKUPS_KEPT = variables.BACKUPS_KEPT.read()
KANBANAI_REDIS_URL = variables.REDIS_URL.read()
KANBANAI_REDIS_PREFIX = variables.REDIS_PREFIX.read()

# --- Django --------------------------------------------------------------------------------------

DEBUG = False
SECRET_KEY = variables.SECRET_KEY.read()
if len(SECRET_KEY) < SECRET_KEY_CHARACTERS or len(set(SECRET_KEY)) < 5:  # noqa: PLR2004 - Django's own check
    weak = f"KANBANAI_SECRET_KEY must be {variables.SECRET_KEY.kind}."
    raise ImproperlyConfigured(weak)
SECRET_KEY_FALLBACKS = list(variables.SECRET_KEY_FALLBACKS.read())
KANBANAI_ENCRYPTION_KEYS = variables.ENCRYPTION_KEYS.read()

_public_host = urlsplit(KANBANAI_PUBLIC_ORIGIN).hostname or ""
ALLOWED_HOSTS = [_public_host, *variables.ALLOWED_HOSTS.read()]
CSRF_TRUSTED_ORIGINS = [KANBANAI_PUBLIC_ORIGIN]

INSTALLED_APPS = [
    "kanbanai",
    "apps.dashboard",
    "apps.agents",
    "apps.boards",
    "apps.projects",
    "apps.orgs",
    "apps.accounts",
    "apps.core",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "corsheaders",
    "csp",
    "django_cotton",
    "django_htmx",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "kanbanai.measures.Measured",
    "kanbanai.tracing.Traced",
    "apps.core.middleware.RequestId",
    # Outside of the problems, so that a client elsewhere can read those as well.
    "corsheaders.middleware.CorsMiddleware",
    "apps.core.middleware.Problems",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kanbanai.middleware.PermissionsPolicy",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.middleware.Entrance",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "kanbanai.urls"
WSGI_APPLICATION = "kanbanai.wsgi.application"
ASGI_APPLICATION = "kanbanai.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.accounts.pages.frame.frame",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": ["django_cotton.templatetags.cotton"],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": database(variables.DATABASE_URL.read(), pool=variables.DATABASE_POOL.read()),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
FORMS_URLFIELD_ASSUME_HTTPS = True

MEDIA_ROOT = KANBANAI_DATA_DIR / "files"
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
DATA_UPLOAD_MAX_MEMORY_SIZE = KANBANAI_MAX_UPLOAD_BYTES
# Bodies that are no file uploads: a card's text or a diff comment is far smaller.
KANBANAI_MAX_JSON_BYTES = 4 * 1024 * 1024

# --- files for browsers --------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = variables.STATIC_ROOT.read()
_vendor = BASE_DIR / "build" / "vendor"
STATICFILES_DIRS: list[Any] = [
    BASE_DIR / "static",
    # Absent where the files were collected beforehand, as in an image.
    *([("vendor", _vendor)] if _vendor.is_dir() else []),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "kanbanai.storage.StaticFiles"},
}
WHITENOISE_USE_FINDERS = False
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# --- sign-in -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "display_name")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 8},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_FORMS = {
    "login": "apps.accounts.pages.forms.SignIn",
    "signup": "apps.accounts.pages.forms.SignUp",
}
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if KANBANAI_BEHIND_PROXY else 0

SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_NAME = "kanbanai_session"
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "kanbanai_csrf"
CSRF_COOKIE_SAMESITE = "Lax"

# --- the wire: HTTPS, headers, other origins -----------------------------------------------------

KANBANAI_HTTPS = variables.HTTPS.read()
if KANBANAI_HTTPS and not KANBANAI_PUBLIC_ORIGIN.startswith("https://"):
    unsafe = "KANBANAI_PUBLIC_ORIGIN must begin with https:// unless KANBANAI_HTTPS is off."
    raise ImproperlyConfigured(unsafe)
SESSION_COOKIE_SECURE = KANBANAI_HTTPS
CSRF_COOKIE_SECURE = KANBANAI_HTTPS
SECURE_SSL_REDIRECT = KANBANAI_HTTPS
# The probe of a container asks without a proxy in front.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if KANBANAI_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = KANBANAI_HTTPS
SECURE_HSTS_PRELOAD = KANBANAI_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if KANBANAI_BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CORS_ALLOWED_ORIGINS = list(variables.CORS_ORIGINS.read())
CORS_URLS_REGEX = r"^/(api|v1)/.*$"
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-organization-id",
    "x-request-id",
    "x-requested-with",
]
CORS_EXPOSE_HEADERS = [
    "Allow",
    "Content-Disposition",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "Retry-After",
    "X-Request-Id",
]
CORS_PREFLIGHT_MAX_AGE = 3600

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    },
}

# --- Redis: live events, cache, queue ------------------------------------------------------------

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [KANBANAI_REDIS_URL], "prefix": KANBANAI_REDIS_PREFIX},
    },
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": KANBANAI_REDIS_URL,
        "KEY_PREFIX": f"{KANBANAI_REDIS_PREFIX}.cache",
    },
}

# Celery names its socket transport in its own way.
CELERY_BROKER_URL = (
    KANBANAI_REDIS_URL.replace("unix://", "redis+socket://", 1)
    if KANBANAI_REDIS_URL.startswith("unix://")
    else KANBANAI_REDIS_URL
)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": f"{KANBANAI_REDIS_PREFIX}.queue.",
    # With early acknowledgement nothing is ever handed out twice; this only bounds a lost worker.
    "visibility_timeout": 3600,
    "socket_keepalive": True,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "fast"
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {"fast": {}, "agents": {}}
CELERY_TASK_CREATE_MISSING_QUEUES = False
# Publishing must not hold a request up: a task that cannot be queued is found by the sweeps.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Told to stop, a worker gives running tasks this long before it ends them.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 3.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = SCHEDULE

# --- REST ----------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.BearerAuthentication",
        "apps.accounts.authentication.SessionAuthentication",
        "apps.accounts.authentication.OpenServer",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.conditions.Json"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "apps.core.schema.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.rest.handle_exception",
    "NUM_PROXIES": 1 if KANBANAI_BEHIND_PROXY else 0,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "KanbanAI",
    "DESCRIPTION": "A kanban board whose cards are worked on by coding agents.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "PREPROCESSING_HOOKS": ["apps.core.schema.only_v1"],
    "POSTPROCESSING_HOOKS": [
        "apps.core.schema.add_security_schemes",
        "apps.core.schema_headers.add_headers",
        "kanbanai.api_examples.add_examples",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "CAMELIZE_NAMES": True,
}

# --- mail and logs -------------------------------------------------------------------------------

KANBANAI_SENDS_MAIL = bool(variables.EMAIL_URL.read())
KANBANAI_NOTIFICATION_DAYS = variables.NOTIFICATION_DAYS.read()
globals().update(mail(variables.EMAIL_URL.read()))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = variables.EMAIL_FROM.read()
LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config(level=variables.LOG_LEVEL.read(), style=variables.LOG_FORMAT.read())
KANBANAI_METRICS_TOKEN = variables.METRICS_TOKEN.read()
KANBANAI_LOG_STORE = variables.DATABASE_URL.read()
KANBANAI_LOG_LINES = variables.LOG_LINES.read()
KANBANAI_LOG_DAYS = variables.LOG_DAYS.read()
know_secrets(
    *SECRET_KEY_FALLBACKS,
    *KANBANAI_ENCRYPTION_KEYS,
    SECRET_KEY,
    KANBANAI_METRICS_TOKEN,
    *(secrets_of_url(url) for url in (KANBANAI_LOG_STORE, KANBANAI_REDIS_URL)),
    secrets_of_url(variables.EMAIL_URL.read()),
)
