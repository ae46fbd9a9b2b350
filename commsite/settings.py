"""Every setting of the site, from the environment; ``docs/operations.md`` lists them all.

Development works without any variable. With ``DEBUG=0`` the site is in production: a ``SECRET_KEY``
is required, HTTPS is assumed, the demo passwords and the bench topics are refused.
"""

import hashlib
import hmac
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from commsite import logs
from commsite.assets import keep_what_has_its_hash
from commsite.limits import limits_from

django_stubs_ext.monkeypatch()

BASE_DIR: Final = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Development or production -------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=True)
DEVELOPMENT_SECRET_KEY: Final = "django-insecure-for-development-only-never-for-production"  # noqa: S105 (it says what it is)
SECRET_KEY = env.str("SECRET_KEY", default=DEVELOPMENT_SECRET_KEY if DEBUG else "")
if not DEBUG and SECRET_KEY in ("", DEVELOPMENT_SECRET_KEY):
    raise ImproperlyConfigured("DEBUG=0 needs a SECRET_KEY of its own: 50 random characters.")

IS_BENCH = env.bool("COMMSITE_BENCH", default=False)
if IS_BENCH and not DEBUG:
    raise ImproperlyConfigured("COMMSITE_BENCH=1 switches limits off and is refused with DEBUG=0.")

# Published in the README; whoever knows it may enter a development site only.
ARE_DEMO_PASSWORDS_ALLOWED = DEBUG

# --- Where requests come from --------------------------------------------------------------------
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG else [])
# scheme://host[:port] of pages that may open sockets; empty: the page's host is the request's.
ALLOWED_ORIGINS = env.list("ALLOWED_ORIGINS", default=[])
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS
CSRF_FAILURE_VIEW = "commsite.error_pages.unproven"
# Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
SECURE_PROXY_SSL_HEADER = ("HTTP_X_COMMSITE_SCHEME", "https")  # TrustedProxyMiddleware writes it
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- Applications --------------------------------------------------------------------------------
INSTALLED_APPS = [
    "commsite",
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "django_vite",
    "servestatic",
    "commsite.clients",
    "presence",
    "conversation",
    "conversation.assistant",
]
MIDDLEWARE = [
    "commsite.proxies.TrustedProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "commsite.content_security.ContentSecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "commsite.clients.middleware.ClientSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "commsite.error_pages.UncountedMiddleware",
]
ROOT_URLCONF = "commsite.urls"
ASGI_APPLICATION = "commsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database ------------------------------------------------------------------------------------
_database: dict[str, Any] = dict(
    env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
)
IS_SQLITE: Final = _database["ENGINE"] == "django.db.backends.sqlite3"
if IS_SQLITE:
    _database["OPTIONS"] = {
        # A transaction takes the write lock when it begins; upgrading a read lock in the middle
        # fails at once under load, whatever the timeout.
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
            "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-20000"
        ),
    }
else:
    # One pool per process. Every thread that talks to the database needs one connection, and a
    # persistent one per thread (CONN_MAX_AGE) would leak: a request under ASGI has its own thread.
    _database |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
    _database["OPTIONS"] = _database.get("OPTIONS", {}) | {
        "pool": {
            "min_size": env.int("COMMSITE_DB_POOL_MIN", default=2),
            "max_size": env.int("COMMSITE_DB_POOL_MAX", default=20),
            "timeout": 5,
            "max_idle": 300,
            "max_lifetime": 1800,
        }
    }
DATABASES = {"default": _database}

# --- Between processes ---------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # A subscription waits for as long as nobody speaks: a read timeout would cut it.
            "CONFIG": {
                "hosts": [
                    {
                        "address": REDIS_URL,
                        "socket_timeout": None,
                        "socket_connect_timeout": 5,
                        "max_connections": 8,
                    }
                ],
                "prefix": "commsite",
            },
        }
    }
    # Lock-outs and throttles count over all processes.
    CACHES: dict[str, Any] = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "commsite",
            # A Redis that is silent must not hold a thread for ever.
            "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5},
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # With Django's 300, three hundred made-up names would wash out the count of a real one.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }
    # axes warns that this cache counts in one process; without Redis there is only one.
    SILENCED_SYSTEM_CHECKS = ["axes.W001"]

# --- The socket: every limit, overridable as COMMSITE_<KEY> --------------------------------------
REALTIME: dict[str, Any] = limits_from(env, is_sqlite=IS_SQLITE) | {
    "BENCH": IS_BENCH,
    "AGENTS": env.str("REALTIME_AGENTS", default="on"),
    "NODE": env.str("COMMSITE_NODE", default=""),  # empty: each process names itself
}

# --- The assistant: a model behind OpenAI's HTTP interface, or none ------------------------------
ASSISTANT_BASE_URL = env.str("ASSISTANT_BASE_URL", default="")
ASSISTANT_MODEL = env.str("ASSISTANT_MODEL", default="")
ASSISTANT_API_KEY = env.str("ASSISTANT_API_KEY", default="")
# Who may let a tool change something, beside whoever asked: owners, or all members.
ASSISTANT_APPROVERS = env.str("COMMSITE_ASSISTANT_APPROVERS", default="owners")
if ASSISTANT_APPROVERS not in ("owners", "members"):
    raise ImproperlyConfigured("COMMSITE_ASSISTANT_APPROVERS: expected owners or members.")
ASSISTANT_TOOLS = env.bool("COMMSITE_ASSISTANT_TOOLS", default=True)  # some models know none
ASSISTANT_INSTRUCTIONS = env.str(
    "COMMSITE_ASSISTANT_INSTRUCTIONS",
    default=(
        "You are the assistant in a conversation of several people. Each of their messages begins with the name of "
        "its author. Answer in Markdown, in the language of the question, briefly. Use the tools when "
        "they can tell you what you do not know; say so when you do not know."
    ),
)
if bool(ASSISTANT_BASE_URL) != bool(ASSISTANT_MODEL):
    raise ImproperlyConfigured("ASSISTANT_BASE_URL and ASSISTANT_MODEL belong together.")
# Their values are secrets, or may hold some: none is repeated.
_HTTP_URL = r"https?://([^/\s@]*@)?([\w.-]+|\[[\da-fA-F:]+\])(:\d{1,5})?([/?][!-~]*)?"
if ASSISTANT_BASE_URL and not re.fullmatch(_HTTP_URL, ASSISTANT_BASE_URL, re.ASCII):
    raise ImproperlyConfigured("ASSISTANT_BASE_URL: expected http(s)://host[:port]/path.")
if not re.fullmatch(r"[!-~]*", ASSISTANT_API_KEY):
    raise ImproperlyConfigured("ASSISTANT_API_KEY: expected ASCII without blanks.")

# --- Who someone is ------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "commsite.clients.backends.AccountBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "commsite_session"

ACCESS_LIFETIME_S = env.int("COMMSITE_ACCESS_LIFETIME_S", default=900)
REFRESH_LIFETIME_S = env.int("COMMSITE_REFRESH_LIFETIME_S", default=30 * 86_400)
TICKET_LIFETIME_S = env.int("COMMSITE_TICKET_LIFETIME_S", default=30)
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    # Not the SECRET_KEY itself: a key has one purpose, and this one is always long enough.
    "SIGNING_KEY": hmac.new(
        SECRET_KEY.encode(), b"commsite.clients.tokens", hashlib.sha256
    ).hexdigest(),
    "ISSUER": "commsite",
    "AUDIENCE": "commsite",
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ACCESS_LIFETIME_S),
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=REFRESH_LIFETIME_S),
    "USER_ID_CLAIM": "sub",
    "AUTH_HEADER_TYPES": ("Bearer",),
    "UPDATE_LAST_LOGIN": False,
    "CHECK_REVOKE_TOKEN": False,
}

# Guessing passwords: five failures of one name from one address close that pair for a while.
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_FAILURE_LIMIT = env.int("COMMSITE_LOGIN_FAILURES", default=5)
AXES_COOLOFF_TIME = timedelta(seconds=env.int("COMMSITE_LOGIN_COOLOFF_S", default=900))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# TrustedProxyMiddleware has already believed the right proxies; no header is read again.
AXES_CLIENT_IP_CALLABLE = "commsite.clients.backends.client_address"
AXES_LOCKOUT_CALLABLE = "commsite.clients.backends.locked_out"

# --- REST ----------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "commsite.clients.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["commsite.json_parser.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "commsite.rest.CursorPage",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "commsite.rest.answer_with_reason",
    "DEFAULT_THROTTLE_RATES": {
        # Per address; many people may sit behind one. Guessing one password is axes' business.
        "token": env.str("COMMSITE_THROTTLE_TOKEN", default="600/min" if DEBUG else "60/min"),
        "refresh": env.str("COMMSITE_THROTTLE_REFRESH", default="600/min"),
        "ticket": env.str("COMMSITE_THROTTLE_TICKET", default="120/min"),
        "conversation_write": env.str("COMMSITE_THROTTLE_CONVERSATION", default="600/min"),
    },
    "NUM_PROXIES": 0,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Commsite",
    "DESCRIPTION": "Errors are `{reason, message, ...}`; lists are cursor-paginated.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",  # JSON Schema as it is, `null` included
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- What a page may do --------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "connect-src": [SELF],  # ContentSecurityMiddleware adds the host's own ws: or wss: address
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
if env.bool("COMMSITE_HTTPS", default=not DEBUG):
    SECURE_SSL_REDIRECT = True
    # Probes come from inside, by address and without TLS.
    SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = env.int("COMMSITE_HSTS_S", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# --- Language, time, static files, log -----------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
FRONTEND_DIR: Final = BASE_DIR / "static"
STATICFILES_DIRS = [FRONTEND_DIR] if FRONTEND_DIR.is_dir() else []
# Uploads. Never served by their path: `conversation.download` asks first who may see them.
MEDIA_ROOT = env.path("COMMSITE_MEDIA_ROOT", default=BASE_DIR / "media")
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
FILE_UPLOAD_MAX_MEMORY_SIZE = 65_536
STORAGES = {
    "default": {
        "BACKEND": env.str(
            "COMMSITE_STORAGE", default="django.core.files.storage.FileSystemStorage"
        ),
        "OPTIONS": env.json("COMMSITE_STORAGE_OPTIONS", default={}),
    },
    "staticfiles": {
        # Vite has put a hash into each name already; a second one would split modules in two.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "servestatic.storage.CompressedStaticFilesStorage"
    },
}
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_USE_FINDERS = DEBUG
SERVESTATIC_ADD_HEADERS_FUNCTION = keep_what_has_its_hash
SERVESTATIC_IMMUTABLE_FILE_TEST = r"^.+/assets/.+-[0-9A-Za-z_-]{8}\.\w+$"  # as Vite names them
DJANGO_VITE = {
    "default": {
        "dev_mode": False,
        "manifest_path": FRONTEND_DIR / ".vite" / "manifest.json",
    }
}

LOGGING = logs.configure(is_json=not DEBUG, level=env.str("COMMSITE_LOG_LEVEL", default="INFO"))
