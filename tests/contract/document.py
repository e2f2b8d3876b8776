"""The stored OpenAPI document, and whether answers are as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.contract.rows import Row

DOCUMENT: dict[str, Any] = json.loads(
    Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")
)
V1 = "/api/v1/"


def operation_of(row: Row) -> dict[str, Any]:
    """This will find what the document says of a row, by the form of its address."""
    wanted = row.path.split("?")[0]
    for literally in (True, False):
        for path, item in DOCUMENT["paths"].items():
            if row.method.lower() in item and _fits(wanted, path, literally=literally):
                found: dict[str, Any] = item[row.method.lower()]
                return found
    message = f"the document has no {row.name}"
    raise AssertionError(message)


def _fits(wanted: str, path: str, *, literally: bool) -> bool:
    """Names in braces fit each other, and without `literally` whatever stands there."""
    anything = r"\{\w+\}" if literally else "[^/]+"
    pattern = re.sub(r"\\\{\w+\\\}", lambda _: anything, re.escape(path.removeprefix(V1)))
    return re.fullmatch(pattern, wanted) is not None


def wrong_in(operation: dict[str, Any], status: int, body: Any) -> list[str]:
    """This will say what of an answer's body is not as the document says."""
    content = operation["responses"][str(status)]["content"]
    (kind,) = content
    schema = content[kind]["schema"] | {"components": DOCUMENT["components"]}
    found = Draft202012Validator(schema).iter_errors(body)
    return [f"{error.json_path}: {error.message}" for error in found]
