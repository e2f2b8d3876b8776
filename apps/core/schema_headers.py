"""The headers every operation of the OpenAPI document has, each described once."""

from __future__ import annotations

from typing import Any

from apps.core import replays
from apps.core.rest import CONDITIONAL
from apps.core.shapes import Schema

JSON = "application/json"

PARAMETERS: Schema = {
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "An id of your own for this request, 1 to 128 of `A-Za-z0-9._:/+=-`. It "
        "comes back and stands in the server's log; without one the server makes one.",
        "schema": {"type": "string", "maxLength": 128},
        "example": "ci-42/retry.1",
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` you have: 304 while it is still so.",
        "schema": {"type": "string"},
        "example": '"5f3a0c9d1e7b48263a9d0c4e8f125b67"',
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of the object you mean to change: 412 with the `current` object "
        "if it is another by now. Of two writers with the same tag exactly one succeeds.",
        "schema": {"type": "string"},
        "example": '"5f3a0c9d1e7b48263a9d0c4e8f125b67"',
    },
    "IdempotencyKey": {
        "name": replays.HEADER,
        "in": "header",
        "description": "A key of your own, such as a UUID. For 24 hours the same request with it "
        "has no second effect and gets the first answer again; another request with it is 409. "
        "Refused and failed requests free the key.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "0d9c1f0e-5c0b-4a5e-9f2e-3b1f6f0a7c55",
    },
}
HEADERS: Schema = {
    "RequestId": {
        "description": "The id of this request in the server's log.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The tag of what is shown, for `If-None-Match` and `If-Match`.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer"},
    },
    "Replayed": {
        "description": "`true` where this is the first answer again (`Idempotency-Key`).",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


def add_headers(result: Schema, **_: Any) -> Schema:
    """This will give every operation its headers (a postprocessing hook)."""
    components = result.setdefault("components", {})
    components["parameters"] = PARAMETERS
    components["headers"] = HEADERS
    for item in result["paths"].values():
        for method, operation in item.items():
            _complete(method.upper(), operation)
    return result


def _complete(method: str, operation: Schema) -> None:
    names = ["RequestId"]
    if method == "GET" and "304" in operation["responses"]:
        names.append("IfNoneMatch")
    elif method in CONDITIONAL:
        names.append("IfMatch")
    elif method == "POST":
        names.append("IdempotencyKey")
    parameters = operation.setdefault("parameters", [])
    parameters += [{"$ref": f"#/components/parameters/{name}"} for name in names]
    for status, answer in operation["responses"].items():
        found = {"X-Request-Id": "RequestId"}
        if _is_tagged(method, status, answer):
            found["ETag"] = "ETag"
        if status in {"429", "503"}:
            found["Retry-After"] = "RetryAfter"
        if method == "POST" and status.startswith("2"):
            found[replays.REPLAYED] = "Replayed"
        answer["headers"] = {
            name: {"$ref": f"#/components/headers/{part}"} for name, part in found.items()
        }


def _is_tagged(method: str, status: str, answer: Schema) -> bool:
    if status in {"304", "412"}:
        return True
    if method == "GET":
        return status == "200" and JSON in answer.get("content", {})
    return status == ("201" if method == "POST" else "200")
