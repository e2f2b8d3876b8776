"""Inputs are declared in snake_case and read in camelCase; this is the one place that knows."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

_UNDERSCORE = re.compile(r"_([a-z0-9])")


def camelize(name: str) -> str:
    """This will turn `column_id` into `columnId`."""
    return _UNDERSCORE.sub(lambda match: match.group(1).upper(), name)


class Serializer(serializers.Serializer[Any]):
    """The base of every input: camelCase on the wire, snake_case in `validated_data`.

    Unknown fields are ignored. It only checks shape: inputs never save.
    """

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """This will name the fields as the wire does, with their snake_case sources."""
        fields = {}
        for name, field in super().get_fields().items():
            wire = camelize(name)
            if wire != name and field.source is None:
                field.source = name
            fields[wire] = field
        return fields
