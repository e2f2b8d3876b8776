"""One machine on its own, as `make up` starts it: SQLite, a private Redis, a key made at home.

Any of these gives way to the environment: DATABASE_URL and REDIS_URL move to real servers.
"""

from __future__ import annotations

import os

from kanbanai.settings import env, variables
from kanbanai.settings.secrets import own_encryption_keys, own_secret_key

_data_dir = variables.DATA_DIR.read()
_host, _port = variables.HOST.read(), variables.PORT.read()
_shown = "localhost" if _host in {"0.0.0.0", "::"} else _host  # noqa: S104 - compared, not bound
_origin = env.raw("KANBANAI_PUBLIC_ORIGIN") or f"http://{_shown}:{_port}"

env.lay_defaults(
    {
        "KANBANAI_PUBLIC_ORIGIN": _origin,
        "KANBANAI_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "KANBANAI_HTTPS": "on" if _origin.startswith("https://") else "off",
        "KANBANAI_REGISTRATION": "open",
        "KANBANAI_LOG_FORMAT": "console",
        "DATABASE_URL": f"sqlite:///{_data_dir / 'kanbanai.sqlite3'}",
        "REDIS_URL": f"unix://{_data_dir / 'run' / 'redis.sock'}",
    }
)
if "KANBANAI_SECRET_KEY" not in os.environ and "KANBANAI_SECRET_KEY_FILE" not in os.environ:
    env.lay_defaults({"KANBANAI_SECRET_KEY": own_secret_key(_data_dir)})
if not {"KANBANAI_ENCRYPTION_KEYS", "KANBANAI_ENCRYPTION_KEYS_FILE"} & os.environ.keys():
    env.lay_defaults({"KANBANAI_ENCRYPTION_KEYS": own_encryption_keys(_data_dir)})

from kanbanai.settings.base import *  # noqa: E402, F403 - the defaults above come first

# Pages opened as localhost and as 127.0.0.1 are both at home.
CSRF_TRUSTED_ORIGINS = [_origin, f"http://localhost:{_port}", f"http://127.0.0.1:{_port}"]
