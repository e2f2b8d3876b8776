"""From DATABASE_URL to Django's DATABASES."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

# Set on every new connection. WAL lets readers go on beside the one writer; NORMAL is safe with it.
SQLITE_START = (
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA cache_size=-8000;"
    "PRAGMA temp_store=MEMORY;"
)
SQLITE_BUSY_SECONDS = 20


def database(url: str, *, pool: int) -> dict[str, Any]:
    """This will read sqlite:///path or postgres://user:password@host:port/name?option=value.

    `pool` is the number of PostgreSQL connections a process keeps at most; 0 means no pool.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(unquote(parts.path)[1:])
    if parts.scheme in {"postgres", "postgresql"}:
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        if pool:
            # Idle connections go after a few minutes; a request waits at most 10 s for one.
            options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10, "max_idle": 300}
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path)[1:],
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or options.pop("host", "")),
            "PORT": str(parts.port or ""),
            "OPTIONS": options,
            "CONN_MAX_AGE": 0 if pool else 300,
            "CONN_HEALTH_CHECKS": not pool,
        }
    message = "DATABASE_URL must begin with postgres:// or sqlite:///."
    raise ImproperlyConfigured(message)


def _sqlite(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # The write lock taken at BEGIN waits its turn; an upgraded read lock fails at once.
            "transaction_mode": "IMMEDIATE",
            "timeout": SQLITE_BUSY_SECONDS,
            "init_command": SQLITE_START,
        },
    }
