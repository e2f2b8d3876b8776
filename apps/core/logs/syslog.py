"""Log records as syslog has them: RFC 5424."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from apps.core.logs.entries import moment_of

if TYPE_CHECKING:
    from apps.core.logs.entries import Entry

APP = "kanbanai"
# local0, for services of a site's own choosing.
FACILITY = 16
_SEVERITY = {10: 7, 20: 6, 30: 4, 40: 3}
# Larger ones do not pass UDP in one piece anywhere.
MOST_DATAGRAM_BYTES = 8_192
MOST_PARAMETER = 2_000
_NO_NAME = re.compile(r"[^!-~]|[=\"\]]")
_IN_VALUE = re.compile(r'(["\\\]])')
_LINE_ENDS = re.compile(r"[\r\n]+")


def message(entry: Entry) -> bytes:
    """This will write an entry as one message, its fields as structured data."""
    priority = FACILITY * 8 + _SEVERITY.get(entry.level, 6)
    host = _name(str(entry.fields.get("host", "")), 255)
    pid = _name(str(entry.fields.get("pid", "")), 128)
    head = f"<{priority}>1 {moment_of(entry.at)} {host} {APP} {pid} {_name(entry.target, 32)}"
    text = _LINE_ENDS.sub(" ", entry.message)
    # Text beyond ASCII is marked as UTF-8 by its first three bytes.
    mark = "" if text.isascii() else "\ufeff"
    return f"{head} {_data(entry)} {mark}{text}".encode("utf-8", "replace")


def counted(data: bytes) -> bytes:
    """This will put the number of octets before a message, as streams need it."""
    return str(len(data)).encode() + b" " + data


def _name(text: str, longest: int) -> str:
    return _NO_NAME.sub("_", text)[:longest] or "-"


def _data(entry: Entry) -> str:
    """The fields; 32473 is the number that is free for examples and for those without their own."""
    parameters = [
        f'{_name(str(key), 32)}="{_escaped(value)}"'
        for key, value in entry.fields.items()
        if key not in {"host", "pid"}
    ]
    return f"[{APP}@32473 {' '.join(parameters)}]" if parameters else "-"


def _escaped(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _IN_VALUE.sub(r"\\\1", text[:MOST_PARAMETER])
