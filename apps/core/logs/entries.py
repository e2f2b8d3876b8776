"""A line of the log as it is kept, shown and sent on."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}
_SPOKEN = {10: "debug", 20: "info", 30: "warn", 40: "error"}
# As structlog and the standard library call them.
_BY_NAME = {
    "debug": 10, "notset": 10, "info": 20, "warning": 30, "warn": 30,
    "error": 40, "exception": 40, "critical": 40, "fatal": 40,
}  # fmt: skip
MESSAGE_LENGTH = 8_000
FIELD_LENGTH = 12_000
FIELDS_LENGTH = 24_000
MOST_FIELDS = 60


class Shown(TypedDict):
    """An entry on the wire."""

    timestamp: str
    level: str
    target: str
    message: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: microseconds since 1970, the level's number, who said it, what, and with what."""

    at: int
    level: int
    target: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def request_id(self) -> str:
        """The id of the request it belongs to, if it belongs to one."""
        return str(self.fields.get("request_id", ""))[:128]

    def shown(self) -> Shown:
        """This will give the entry as the API shows it."""
        return {
            "timestamp": moment_of(self.at),
            "level": level_name(self.level),
            "target": self.target,
            "message": self.message,
            "fields": dict(self.fields),
        }


def level_name(level: int) -> str:
    """This will name a level: debug, info, warn or error."""
    return _SPOKEN.get(level, "info")


def moment_of(at: int) -> str:
    """This will write microseconds since 1970 as ISO 8601 in UTC."""
    found = dt.datetime.fromtimestamp(0, tz=dt.UTC) + dt.timedelta(microseconds=at)
    return found.isoformat(timespec="microseconds").replace("+00:00", "Z")


def microseconds(moment: dt.datetime) -> int:
    """This will count the microseconds from 1970 to a moment."""
    return int((moment - dt.datetime.fromtimestamp(0, tz=dt.UTC)) / dt.timedelta(microseconds=1))


def of_event(event: Mapping[str, Any]) -> Entry:
    """This will make an entry of a log event that has no secrets any more."""
    fields = {
        key: value
        for key, value in event.items()
        if key not in {"timestamp", "level", "logger", "event"} and not key.startswith("_")
    }
    return Entry(
        at=_at(str(event.get("timestamp", ""))),
        level=_BY_NAME.get(str(event.get("level", "info")).lower(), LEVELS["info"]),
        target=plain(str(event.get("logger") or "root"))[:200],
        message=cut(plain(str(event.get("event", ""))), MESSAGE_LENGTH),
        fields=_bounded({**fields, **PROCESS.fields()}),
    )


def _at(text: str) -> int:
    try:
        return microseconds(dt.datetime.fromisoformat(text))
    except (ValueError, TypeError):
        return microseconds(dt.datetime.now(tz=dt.UTC))


def _bounded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as plain JSON of a bounded size."""
    shown: dict[str, Any] = {}
    size = 0
    for key, value in list(fields.items())[:MOST_FIELDS]:
        encoded = json.dumps(value, ensure_ascii=False, default=str)
        if len(encoded) > FIELD_LENGTH:
            value = cut(value if isinstance(value, str) else encoded, FIELD_LENGTH)  # noqa: PLW2901
        size += min(len(encoded), FIELD_LENGTH)
        if size > FIELDS_LENGTH:
            shown["cut"] = True
            break
        shown[plain(key)[:100]] = plain_value(value)
    return shown


def plain_value(value: Any) -> Any:
    """This will give a value as JSON that everybody takes: no half surrogates, NUL or NaN."""
    encoded = plain(json.dumps(value, ensure_ascii=False, default=str))
    return json.loads(encoded.replace("\\u0000", "\\ufffd"), parse_constant=str)


def plain(text: str) -> str:
    """This will replace what is no Unicode text, and NUL, which PostgreSQL cannot keep."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def cut(text: str, length: int) -> str:
    """This will shorten a text in its middle: a traceback's beginning and end say most."""
    if len(text) <= length:
        return text
    half = (length - 5) // 2
    return f"{text[:half]} … {text[-half:]}"


class _Process:
    """Who this process is: the name its lines carry."""

    def __init__(self) -> None:
        self.name = name_of(sys.argv)
        self.host = socket.gethostname()

    def fields(self) -> dict[str, Any]:
        return {"process": self.name, "pid": os.getpid(), "host": self.host}


def name_of(arguments: list[str]) -> str:
    """This will name a process by its command line: web, worker-agents, beat, migrate, …."""
    program = Path(arguments[0]).name if arguments else ""
    words = arguments[1:]
    if "celery" in arguments[0] if arguments else False:
        if "worker" in words:
            queue = words[words.index("-Q") + 1 :][:1] if "-Q" in words else []
            return f"worker-{queue[0]}" if queue else "worker"
        return next((word for word in ("beat", "flower") if word in words), "celery")
    if program == "manage.py" and words:
        return {"serve": "web", "up": "supervisor"}.get(words[0], words[0])
    return program or "python"


PROCESS = _Process()
