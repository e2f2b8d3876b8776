"""Log records as OTLP has them, in its JSON encoding."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from apps.core.logs.entries import Entry

SERVICE = "kanbanai"
_SEVERITY = {10: (5, "DEBUG"), 20: (9, "INFO"), 30: (13, "WARN"), 40: (17, "ERROR")}
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
# Integers beyond 64 bits have no place in the encoding.
_LARGEST = 1 << 63


def request(entries: Sequence[Entry]) -> dict[str, Any]:
    """This will give the body of a request to `/v1/logs`: one resource for each process."""
    by_process: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        of = tuple(str(entry.fields.get(name, "")) for name in ("process", "pid", "host"))
        by_process.setdefault((of[0], of[1], of[2]), []).append(entry)
    return {
        "resourceLogs": [
            {"resource": _resource(*process), "scopeLogs": _scopes(some)}
            for process, some in by_process.items()
        ]
    }


def rejected(answer: bytes) -> int:
    """This will read how many records the receiver's answer says it rejected."""
    try:
        partial = json.loads(answer or b"{}").get("partialSuccess") or {}
        return int(partial.get("rejectedLogRecords") or 0)
    except (ValueError, TypeError, AttributeError):
        # Some answer in protobuf or plain text; they accepted what they answered 2xx to.
        return 0


def _resource(process: str, pid: str, host: str) -> dict[str, Any]:
    attributes = {
        "service.name": SERVICE,
        "service.instance.id": f"{process}@{host}:{pid}",
        "host.name": host,
        "process.pid": int(pid) if pid.isdigit() else 0,
    }
    return {"attributes": _attributes(attributes)}


def _scopes(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    by_target: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_target.setdefault(entry.target, []).append(_record(entry))
    return [
        {"scope": {"name": target}, "logRecords": records} for target, records in by_target.items()
    ]


def _record(entry: Entry) -> dict[str, Any]:
    number, text = _SEVERITY.get(entry.level, _SEVERITY[20])
    nanoseconds = str(entry.at * 1000)
    fields = {
        key: value
        for key, value in entry.fields.items()
        if key not in {"process", "pid", "host", "trace_id", "span_id"}
    }
    record = {
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": number,
        "severityText": text,
        "body": {"stringValue": entry.message},
        "attributes": _attributes(fields),
    }
    trace_id, span_id = entry.fields.get("trace_id", ""), entry.fields.get("span_id", "")
    if _TRACE_ID.fullmatch(str(trace_id)) and _SPAN_ID.fullmatch(str(span_id)):
        # Hexadecimal, where the general JSON encoding of protobuf would have base64.
        record |= {"traceId": trace_id, "spanId": span_id}
    return record


def _attributes(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": str(key), "value": _any(value)} for key, value in fields.items()]


def _any(value: Any) -> dict[str, Any]:  # noqa: PLR0911 - one line for each kind
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -_LARGEST <= value < _LARGEST:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(item) for item in value]}}
    return {"stringValue": str(value)}
