"""For the tests: a scratch folder for each process, the fast hasher, plain static files.

The database is a SQLite file in that folder unless DATABASE_URL names a PostgreSQL server, and
Redis is the private server that tests/conftest.py starts there unless REDIS_URL names one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kanbanai.settings import env

TEST_SCRATCH_DIR = Path(
    os.environ.get("KANBANAI_DATA_DIR") or tempfile.mkdtemp(prefix="kanbanai-test-")
)
(TEST_SCRATCH_DIR / "run").mkdir(mode=0o700, parents=True, exist_ok=True)

env.lay_defaults(
    {
        "KANBANAI_DATA_DIR": str(TEST_SCRATCH_DIR),
        "KANBANAI_SECRET_KEY": "a key for the tests alone, long enough for every check there is",
        "KANBANAI_ENCRYPTION_KEYS": "b25seSBmb3IgdGhlIHRlc3RzIG9mIHRoaXMgcHJvZHU=",
        "KANBANAI_PUBLIC_ORIGIN": "http://testserver",
        "KANBANAI_ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "KANBANAI_HTTPS": "off",
        "KANBANAI_REGISTRATION": "open",
        "KANBANAI_LOG_FORMAT": "console",
        # Tests of the log keep lines in places of their own.
        "KANBANAI_LOG_LINES": "0",
        "KANBANAI_DATABASE_POOL": "0",
        "DATABASE_URL": f"sqlite:///{TEST_SCRATCH_DIR / 'kanbanai.sqlite3'}",
        "REDIS_URL": f"unix://{TEST_SCRATCH_DIR / 'run' / 'redis.sock'}",
    }
)

from kanbanai.settings.base import *  # noqa: E402, F403 - the defaults above come first
from kanbanai.settings.base import DATABASES  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: tests with sockets and threads need several connections to one database.
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_SCRATCH_DIR / "test.sqlite3")}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
STATICFILES_DIRS = [
    *(path for path in [Path(__file__).resolve().parents[2] / "static"] if path.is_dir()),
]
