"""Every environment variable that KanbanAI reads, in the order the reference shows them."""

from __future__ import annotations

import os
from pathlib import Path

from kanbanai.settings.env import (
    Variable,
    boolean,
    directories,
    directory,
    fernet_keys,
    json_object,
    origin,
    whole,
    words,
)


def default_data_dir() -> Path:
    """This will give the folder for a user's data as desktop systems agree on it."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "kanbanai"


HOST = Variable(
    "KANBANAI_HOST", str, "an address", "Address the web server listens on.", default="127.0.0.1"
)
PORT = Variable(
    "KANBANAI_PORT",
    whole(at_least=1, at_most=65535),
    "a port between 1 and 65535",
    "Port the web server listens on.",
    default=37100,
)
PUBLIC_ORIGIN = Variable(
    "KANBANAI_PUBLIC_ORIGIN",
    origin,
    "an origin such as https://kanban.example.org",
    "Where browsers reach the product; links in mails and the cross-site checks use it.",
    required=True,
    embedded="http://<host>:<port>",
)
ALLOWED_HOSTS: Variable[tuple[str, ...]] = Variable(
    "KANBANAI_ALLOWED_HOSTS",
    words,
    "a comma-separated list of host names",
    "Host names that requests may name, beside the one of the public origin.",
    default=(),
    shown_default="none",
    embedded="localhost,127.0.0.1,[::1]",
)
TRUSTED_PROXIES = Variable(
    "KANBANAI_BEHIND_PROXY",
    boolean,
    "on or off",
    "Believe X-Forwarded-For and X-Forwarded-Proto. Only when a proxy of yours sets both.",
    default=False,
    shown_default="off",
)
DATA_DIR = Variable(
    "KANBANAI_DATA_DIR",
    directory,
    "a folder",
    "Folder for worktrees, attachments, logs and, without servers of your own, the database.",
    default=default_data_dir(),
    shown_default="~/.local/share/kanbanai",
)
PROJECT_ROOTS: Variable[tuple[Path, ...]] = Variable(
    "KANBANAI_PROJECT_ROOTS",
    directories,
    "a comma-separated list of folders",
    "Folders under which people may make projects of repositories that lie on the server.",
    default=(Path.home(),),
    shown_default="the home folder of the account that runs the server",
)
CLONE_MAX_MB = Variable(
    "KANBANAI_CLONE_MAX_MB",
    whole(at_least=1, at_most=1_000_000),
    "a whole number between 1 and 1000000",
    "Largest repository that is cloned, in megabytes received.",
    default=4096,
)
SECRET_KEY = Variable(
    "KANBANAI_SECRET_KEY",
    str,
    "a random text of at least 50 characters",
    "Signs sessions and tokens.",
    secret=True,
    required=True,
    embedded="made on the first start, in the data folder",
)
SECRET_KEY_FALLBACKS: Variable[tuple[str, ...]] = Variable(
    "KANBANAI_SECRET_KEY_FALLBACKS",
    words,
    "a comma-separated list",
    "Former secret keys that are still read, for the time after a change of key.",
    default=(),
    shown_default="none",
    secret=True,
)
ENCRYPTION_KEYS: Variable[tuple[str, ...]] = Variable(
    "KANBANAI_ENCRYPTION_KEYS",
    fernet_keys,
    "a comma-separated list of keys of 32 random bytes in base64",
    "Encrypt stored secrets. The first encrypts, all decrypt; `manage.py rotate_keys` moves on.",
    secret=True,
    required=True,
    embedded="made on the first start, in the data folder",
)
DATABASE_URL = Variable(
    "DATABASE_URL",
    str,
    "an address such as postgres://user:password@host:5432/name",
    "The database: PostgreSQL, or a SQLite file.",
    secret=True,
    required=True,
    embedded="sqlite:///<data folder>/kanbanai.sqlite3",
)
DATABASE_POOL = Variable(
    "KANBANAI_DATABASE_POOL",
    whole(at_least=0, at_most=200),
    "a whole number between 0 and 200",
    "PostgreSQL connections that one process keeps at most; 0 turns the pool off.",
    default=20,
)
REDIS_URL = Variable(
    "REDIS_URL",
    str,
    "an address such as redis://host:6379/0 or unix:///path/to/socket",
    "Redis or Valkey, 6.2 or newer: live events, the task queue and the cache.",
    secret=True,
    required=True,
    embedded="a private server on a socket in the data folder",
)
REDIS_PREFIX = Variable(
    "KANBANAI_REDIS_PREFIX",
    str,
    "a word",
    "First part of every key, for installations that share one Redis.",
    default="kanbanai",
)
REGISTRATION = Variable(
    "KANBANAI_REGISTRATION",
    str,
    "open, invite or closed",
    "Who may register: everybody, invited people, nobody. The first account may always.",
    default="invite",
    embedded="open",
    choices=("open", "invite", "closed"),
)
WEB_PROCESSES = Variable(
    "KANBANAI_WEB_PROCESSES",
    whole(at_least=1, at_most=32),
    "a whole number between 1 and 32",
    "Web processes that share the port under `manage.py up`.",
    default=1,
)
WEB_THREADS = Variable(
    "KANBANAI_WEB_THREADS",
    whole(at_least=1, at_most=128),
    "a whole number between 1 and 128",
    "Requests that one web process answers at the same time.",
    default=16,
)
MAX_UPLOAD_MB = Variable(
    "KANBANAI_MAX_UPLOAD_MB",
    whole(at_least=1, at_most=1024),
    "a whole number between 1 and 1024",
    "Largest request body, in megabytes.",
    default=32,
)
MAX_ATTACHMENT_MB = Variable(
    "KANBANAI_MAX_ATTACHMENT_MB",
    whole(at_least=1, at_most=1024),
    "a whole number between 1 and 1024",
    "Largest file of a card, in megabytes; KANBANAI_MAX_UPLOAD_MB must leave room for it.",
    default=25,
)
MAX_IMPORT_MB = Variable(
    "KANBANAI_MAX_IMPORT_MB",
    whole(at_least=1, at_most=1024),
    "a whole number between 1 and 1024",
    "Largest document that is imported, in megabytes; it is read whole, which takes several times "
    "its size of memory. KANBANAI_MAX_UPLOAD_MB must leave room for it.",
    default=32,
)
SCRIPT_SLOTS = Variable(
    "KANBANAI_SCRIPT_SLOTS",
    whole(at_least=1, at_most=6),
    "a whole number between 1 and 6",
    "Scripts of projects that run at the same time on this server.",
    default=4,
)
AGENT_SLOTS = Variable(
    "KANBANAI_AGENT_SLOTS",
    whole(at_least=1, at_most=256),
    "a whole number between 1 and 256",
    "Agents that work at the same time on one machine; the rest wait in the queue.",
    default=4,
)
AGENT_SLOTS_PER_PROJECT = Variable(
    "KANBANAI_AGENT_SLOTS_PER_PROJECT",
    whole(at_least=0, at_most=256),
    "a whole number between 0 and 256",
    "Agents that work at the same time on one project; 0 sets no limit of its own.",
    default=0,
)
AGENT_SLOTS_PER_PERSON = Variable(
    "KANBANAI_AGENT_SLOTS_PER_PERSON",
    whole(at_least=0, at_most=256),
    "a whole number between 0 and 256",
    "Agents that work at the same time for one person; 0 sets no limit of its own.",
    default=0,
)
AGENT_SLOTS_PER_CREDENTIAL = Variable(
    "KANBANAI_AGENT_SLOTS_PER_CREDENTIAL",
    whole(at_least=0, at_most=256),
    "a whole number between 0 and 256",
    "Agents that work at the same time with one credential; 0 sets no limit of its own.",
    default=0,
)
PROVIDERS: Variable[dict[str, object]] = Variable(
    "KANBANAI_PROVIDERS",
    json_object,
    "a JSON object",
    "Addresses and logins of model providers, and providers of your own; see the guide.",
    default={},
    shown_default="{}",
    secret=True,
)
AGENT_LEASE_SECONDS = Variable(
    "KANBANAI_AGENT_LEASE_SECONDS",
    whole(at_least=1, at_most=600),
    "a whole number of seconds between 1 and 600",
    "How long a silent worker keeps its attempt before it counts as lost.",
    default=15,
)
AGENT_TURN_SECONDS = Variable(
    "KANBANAI_AGENT_TURN_SECONDS",
    whole(at_least=1, at_most=604_800),
    "a whole number of seconds between 1 and 604800",
    "Longest turn of an agent, without the time people take to answer.",
    default=3600,
)
AGENT_IDLE_SECONDS = Variable(
    "KANBANAI_AGENT_IDLE_SECONDS",
    whole(at_least=1, at_most=86_400),
    "a whole number of seconds between 1 and 86400",
    "Longest silence of an agent at work.",
    default=600,
)
PERMISSION_WAIT_SECONDS = Variable(
    "KANBANAI_PERMISSION_WAIT_SECONDS",
    whole(at_least=0, at_most=86_400),
    "a whole number of seconds between 0 and 86400",
    "How long an agent's process waits for an answer; later answers continue its session.",
    default=1800,
)
SUMMARY_WAIT_SECONDS = Variable(
    "KANBANAI_SUMMARY_WAIT_SECONDS",
    whole(at_least=0, at_most=60),
    "a whole number of seconds between 0 and 60",
    "How long a request for a summary waits for the agent's own words.",
    default=15,
)
SCRIPT_SECONDS = Variable(
    "KANBANAI_SCRIPT_SECONDS",
    whole(at_least=1, at_most=86_400),
    "a whole number of seconds between 1 and 86400",
    "Longest run of a project's script.",
    default=600,
)
ALLOW_UNSANDBOXED = Variable(
    "KANBANAI_ALLOW_UNSANDBOXED",
    boolean,
    "on or off",
    "Let agents run without a sandbox although several people use this server.",
    default=False,
    shown_default="off",
)
SANDBOX = Variable(
    "KANBANAI_SANDBOX",
    str,
    "auto, bubblewrap, landlock or none",
    "How agents are confined. `auto` takes the strongest way this machine offers.",
    default="auto",
    choices=("auto", "bubblewrap", "landlock", "none"),
)
JOURNAL_DAYS = Variable(
    "KANBANAI_JOURNAL_DAYS",
    whole(at_least=1, at_most=3650),
    "a whole number between 1 and 3650",
    "Days for which clients that come back get every event they missed.",
    default=7,
)
JOURNAL_EVENTS = Variable(
    "KANBANAI_JOURNAL_EVENTS",
    whole(at_least=1000, at_most=100_000_000),
    "a whole number between 1000 and 100000000",
    "Events kept for each board and project at most.",
    default=100_000,
)
BACKUPS_KEPT = Variable(
    "KANBANAI_BACKUPS_KEPT",
    whole(at_least=1, at_most=1000),
    "a whole number between 1 and 1000",
    "Backups that are kept in the data folder; the oldest beyond them go.",
    default=10,
)
LOG_LEVEL = Variable(
    "KANBANAI_LOG_LEVEL",
    str,
    "debug, info, warning or error",
    "The least severe log line that is written.",
    default="info",
    choices=("debug", "info", "warning", "error"),
)
LOG_FORMAT = Variable(
    "KANBANAI_LOG_FORMAT",
    str,
    "json or console",
    "Log lines for a machine or for a person.",
    default="json",
    embedded="console",
    choices=("json", "console"),
)
LOG_LINES = Variable(
    "KANBANAI_LOG_LINES",
    whole(at_least=0, at_most=10_000_000),
    "a whole number between 0 and 10000000",
    "Log lines of all processes that admins can search; 0 keeps none and sends none on.",
    default=100_000,
)
LOG_DAYS = Variable(
    "KANBANAI_LOG_DAYS",
    whole(at_least=1, at_most=3650),
    "a whole number between 1 and 3650",
    "Days for which log lines can be searched.",
    default=7,
)
METRICS_TOKEN = Variable(
    "KANBANAI_METRICS_TOKEN",
    str,
    "a text",
    "Lets a collector elsewhere read /metrics with `Authorization: Bearer …`; empty: nobody else.",
    default="",
    shown_default="empty",
    secret=True,
)
HTTPS = Variable(
    "KANBANAI_HTTPS",
    boolean,
    "on or off",
    "Cookies only over HTTPS, redirects to it, and Strict-Transport-Security.",
    default=True,
    shown_default="on",
    embedded="on when the public origin is https",
)
CORS_ORIGINS: Variable[tuple[str, ...]] = Variable(
    "KANBANAI_CORS_ORIGINS",
    words,
    "a comma-separated list of origins",
    "Other origins whose pages may call the REST interface with a token.",
    default=(),
    shown_default="none",
)
EMAIL_URL = Variable(
    "KANBANAI_EMAIL_URL",
    str,
    "an address such as smtp+tls://user:password@host:587",
    "Mail server; empty: nobody is notified or invited by mail, new passwords go to the log.",
    default="",
    shown_default="empty",
    secret=True,
)
EMAIL_FROM = Variable(
    "KANBANAI_EMAIL_FROM",
    str,
    "a mail address",
    "Sender of the product's mails.",
    default="KanbanAI <kanbanai@localhost>",
)
NOTIFICATION_DAYS = Variable(
    "KANBANAI_NOTIFICATION_DAYS",
    whole(at_least=1, at_most=3650),
    "a whole number between 1 and 3650",
    "Days for which people's notifications are kept.",
    default=90,
)
STATIC_ROOT = Variable(
    "KANBANAI_STATIC_ROOT",
    directory,
    "a folder",
    "Where `make assets` puts the files that browsers load.",
    default=Path(__file__).resolve().parents[2] / "build" / "static",
    shown_default="build/static",
)

ALL: tuple[Variable[object], ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Variable)
)
