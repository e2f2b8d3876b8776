"""What comes in about the log: shape only."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from apps.accounts.models import LogExport
from apps.core import camel, fields

MOST_HEADERS = 20
HEADER_LENGTH = 4_000
ENDPOINT_LENGTH = 2_000
# Written by whoever sends; another value would break the message or send it elsewhere.
OWN_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te"}
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


class SearchLogs(camel.Serializer):
    """What is looked for in the log."""

    level = serializers.ChoiceField(choices=["debug", "info", "warn", "error"], required=False)
    search = fields.Text(max_length=200, required=False, allow_blank=True)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    request_id = fields.Text(max_length=128, required=False, allow_blank=True)
    cursor = fields.Text(max_length=100, required=False, allow_blank=True)
    after = fields.Text(max_length=100, required=False, allow_blank=True)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class Headers(serializers.DictField):
    """Names and values of HTTP headers."""

    def __init__(self, **kwargs: Any) -> None:
        child = fields.Text(max_length=HEADER_LENGTH, allow_blank=True)
        super().__init__(child=child, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """This will take names that HTTP knows, once each, and values that it can carry."""
        found: dict[str, str] = super().to_internal_value(data)
        if len(found) > MOST_HEADERS:
            message = f"At most {MOST_HEADERS} headers."
            raise serializers.ValidationError(message, code="max_length")
        wrong = {name: _wrong(name, value) for name, value in found.items()}
        if len({name.lower() for name in found}) < len(found):
            wrong = dict.fromkeys(found, "A header may be named once.")
        errors = {name: [said] for name, said in wrong.items() if said}
        if errors:
            raise serializers.ValidationError(errors, code="invalid")
        return found


def _wrong(name: str, value: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        return "This is no name of a header."
    if name.lower() in OWN_HEADERS:
        return "This header is written by the server itself."
    if not value.isascii():
        return "A header's value is ASCII."
    return ""


class UpdateLogExport(camel.Serializer):
    """Where the log's lines are sent; what is left out stays, and so does a masked value."""

    enabled = fields.StrictBoolean(required=False)
    type = serializers.ChoiceField(choices=LogExport.Kind.choices, required=False)
    endpoint = fields.Text(max_length=ENDPOINT_LENGTH, allow_blank=True, required=False)
    headers = Headers(required=False)
    level = serializers.ChoiceField(choices=LogExport.Level.choices, required=False)
