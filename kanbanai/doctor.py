"""Looks an installation over: what works, what does not, and what to do about it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import smtplib
import ssl
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from apps.accounts import openness
from apps.agents import registry
from apps.agents.sandbox import choice
from apps.core import secrets
from kanbanai import heartbeats
from kanbanai.supervisor import preflight

State = Literal["ok", "warning", "problem"]

OLDEST_PYTHON = (3, 11)
OLDEST_REDIS = (6, 2)
# Below the first, work stops soon; below the second, it is time to think about it.
LEAST_FREE_BYTES = 512 * 1024 * 1024
LITTLE_FREE_BYTES = 5 * 1024 * 1024 * 1024
MOST_SECONDS_APART = 5.0
MAIL_SECONDS = 10
WITHOUT_A_MODEL = registry.NEVER_DEFAULT | {"demo"}
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "testserver"})


@dataclass(frozen=True)
class Finding:
    """What was found about one thing, and what to do about it where something is to be done."""

    name: str
    state: State
    said: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """This will give the finding as JSON shows it."""
        return cast("dict[str, str]", asdict(self))


def examine() -> list[Finding]:
    """This will look at everything, whatever fails on the way."""
    return [finding for look in LOOKS for finding in _safely(look)]


def _safely(look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - one look that fails must not hide the others
        name = look.__name__.removeprefix("_").replace("_", " ")
        advice = "Look at the log; if this is no fault of the machine, report it."
        return [Finding(name, "problem", f"It could not be looked at: {error!r}.", advice)]


def _ok(name: str, said: str) -> list[Finding]:
    return [Finding(name, "ok", said)]


def _python() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return [Finding("python", "problem", f"Python {version}.", "Install Python 3.11 or newer.")]
    return _ok("python", f"Python {version}.")


def _git() -> list[Finding]:
    try:
        preflight.require_git()
    except preflight.NotReady as error:
        return [Finding("git", "problem", str(error), "Install a newer git.")]
    return _ok("git", "git is there and new enough.")


def _database() -> list[Finding]:
    kind = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, OSError, ImproperlyConfigured) as error:
        advice = "Check DATABASE_URL, and that the server runs and lets this machine in."
        return [Finding("database", "problem", f"{kind} does not answer: {_short(error)}", advice)]
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        said = f"{kind} answers, but {len(missing)} migrations are missing."
        advice = "Run `manage.py migrate`; `manage.py up` does it at its start."
        return [Finding("database", "problem", said, advice)]
    return _ok("database", f"{kind} answers and is up to date.")


def _redis() -> list[Finding]:
    try:
        info = heartbeats.client().info("server")
    except (redis.RedisError, OSError) as error:
        said = f"Redis does not answer: {_short(error)}"
        advice = "Start the product, or check REDIS_URL and that the server runs."
        return [Finding("redis", "problem", said, advice)]
    version = str(info.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_REDIS:
        return [Finding("redis", "problem", f"Redis {version} is too old.", "Use 6.2 or newer.")]
    return _ok("redis", f"Redis {version} answers.")


def _processes() -> list[Finding]:
    beating = heartbeats.alive()
    if beating is None:
        said = "Without Redis nobody can tell whether they live, and they cannot work."
        return [Finding("workers and clock", "problem", said, "See to Redis first.")]
    found = []
    for part in heartbeats.PARTS:
        if beating[part]:
            found.append(Finding(part, "ok", "It gives signs of life."))
            continue
        said = f"No sign of life in the last {heartbeats.ALIVE_SECONDS} seconds."
        advice = f"Start the product; if it runs, the log of {part} says why it does not."
        found.append(Finding(part, "problem", said, advice))
    return found


def _data_folder() -> list[Finding]:
    folder = Path(settings.KANBANAI_DATA_DIR)
    name = "data folder"
    probe = folder / f".doctor-{os.getpid()}"
    try:
        probe.touch(mode=0o600)
        probe.unlink()
        mode = stat.S_IMODE(folder.stat().st_mode)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        advice = "Give it to the account that runs the product, or set KANBANAI_DATA_DIR."
        return [Finding(name, "problem", f"{folder} cannot be written: {_short(error)}", advice)]
    found = []
    if mode & 0o077:
        said = f"Others on this machine may look into {folder} (mode {mode:o})."
        found.append(Finding(name, "warning", said, f"Run `chmod 700 {folder}`."))
    said = f"{free / 1024**3:.1f} GB are free in {folder}."
    advice = "Free some space: archive old worktrees, remove old backups."
    if free < LITTLE_FREE_BYTES:
        state: State = "problem" if free < LEAST_FREE_BYTES else "warning"
        found.append(Finding(name, state, said, advice))
    return found or _ok(name, said)


def _sandbox() -> list[Finding]:
    try:
        found = choice.find(settings.KANBANAI_SANDBOX)
    except choice.Unavailable as error:
        advice = "Install bubblewrap, or set KANBANAI_SANDBOX to auto."
        return [Finding("sandbox", "problem", f"It does not work here: {error}.", advice)]
    if found.level != "none":
        return _ok("sandbox", f"Agents are confined by {found.level}.")
    why = "; ".join(f"{level}: {reason}" for level, reason in found.reasons)
    several = registry.has_several_people() and not settings.KANBANAI_ALLOW_UNSANDBOXED
    advice = "Install bubblewrap, or use a kernel with Landlock (5.13 or newer)."
    said = f"Agents would not be confined ({why})."
    if several:
        said += " Several people use this server, so none may run."
    return [Finding("sandbox", "problem" if several else "warning", said, advice)]


def _agents() -> list[Finding]:
    found = registry.look(fresh=True)
    there = {agent for agent, facts in found.items() if facts["available"]}
    real = sorted(there - WITHOUT_A_MODEL)
    if real:
        return _ok("agents", f"Found: {', '.join(real)}.")
    said = "No coding agent is installed" + (", only the demo." if "demo" in there else ".")
    advice = "Install one on the path of the account that runs the workers."
    return [Finding("agents", "warning", said, advice)]


def _clock() -> list[Finding]:
    try:
        seconds, micro = heartbeats.client().time()
    except (redis.RedisError, OSError):
        seconds, micro = 0, 0
    if seconds:
        apart = abs(time.time() - (seconds + micro / 1_000_000))
        if apart > MOST_SECONDS_APART:
            said = f"The clocks of this machine and of Redis are {apart:.0f} seconds apart."
            return [Finding("clock", "problem", said, "Keep all machines' clocks by NTP.")]
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    return _ok("clock", f"It is {today} in UTC, here as elsewhere.")


def _secret_key() -> list[Finding]:
    if len(settings.SECRET_KEY) < 50 or len(set(settings.SECRET_KEY)) < 5:  # noqa: PLR2004 - as at the start
        advice = "Set KANBANAI_SECRET_KEY to a random text of at least 50 characters."
        return [Finding("secret key", "problem", "The secret key is weak.", advice)]
    return _ok("secret key", "The secret key is long enough.")


def _stored_secrets() -> list[Finding]:
    count = 0
    for model, field in secrets.encrypted_fields():
        for value in model._default_manager.values_list(field.attname, flat=True).iterator():  # noqa: SLF001 - as every model has it
            count += bool(value)
    return _ok("stored secrets", f"The encryption keys open all {count} of them.")


def _stored_secrets_or_why() -> list[Finding]:
    try:
        return _stored_secrets()
    except secrets.Unreadable:
        said = "A stored secret was encrypted with a key that is not among the server's."
        advice = "Put the former key back into KANBANAI_ENCRYPTION_KEYS, after the current one."
        return [Finding("stored secrets", "problem", said, advice)]
    except Error:
        return [Finding("stored secrets", "warning", "The database cannot be read.")]


def _mail() -> list[Finding]:
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        said = "No mail server is set: mails are written to the log."
        return [Finding("mail", "warning", said, "Set KANBANAI_EMAIL_URL.")]
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        _greet_mail_server()
    except (OSError, smtplib.SMTPException) as error:
        advice = "Check KANBANAI_EMAIL_URL: host, port, encryption, user and password."
        return [Finding("mail", "problem", f"{where} does not let us in: {_short(error)}", advice)]
    return _ok("mail", f"{where} lets us in.")


def _greet_mail_server() -> None:
    host, port = settings.EMAIL_HOST, settings.EMAIL_PORT
    context = ssl.create_default_context()
    opened: smtplib.SMTP = (
        smtplib.SMTP_SSL(host, port, timeout=MAIL_SECONDS, context=context)
        if settings.EMAIL_USE_SSL
        else smtplib.SMTP(host, port, timeout=MAIL_SECONDS)
    )
    with opened as server:
        if settings.EMAIL_USE_TLS:
            server.starttls(context=context)
        if settings.EMAIL_HOST_USER:
            server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
        server.noop()


def _public_origin() -> list[Finding]:
    name, origin = "public origin", settings.KANBANAI_PUBLIC_ORIGIN
    host = urlsplit(origin).hostname or ""
    if host not in LOCAL_HOSTS and not origin.startswith("https://"):
        said = f"{origin} is not encrypted: passwords and sessions can be read on the way."
        advice = "Put a proxy with HTTPS in front and set KANBANAI_PUBLIC_ORIGIN to its address."
        return [Finding(name, "warning", said, advice)]
    if host in LOCAL_HOSTS and not openness.is_private():
        said = f"The server listens on the network, but links lead to {origin}."
        return [Finding(name, "warning", said, "Set KANBANAI_PUBLIC_ORIGIN.")]
    return _ok(name, f"Links lead to {origin}.")


def _static_files() -> list[Finding]:
    try:
        preflight.require_assets(Path(settings.STATIC_ROOT))
    except preflight.NotReady as error:
        return [Finding("static files", "problem", str(error), "Run `make assets`.")]
    return _ok("static files", "The files for browsers are in place.")


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{text[:200].rstrip('.')}." if text else f"{type(error).__name__}."


LOOKS: tuple[Callable[[], list[Finding]], ...] = (
    _python,
    _git,
    _database,
    _redis,
    _processes,
    _data_folder,
    _sandbox,
    _agents,
    _clock,
    _secret_key,
    _stored_secrets_or_why,
    _mail,
    _public_origin,
    _static_files,
)
