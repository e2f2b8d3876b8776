"""Fields for inputs that refuse what no database and no terminal should be given."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers

_ALLOWED_CONTROLS = "\n\r\t"
_DEEPEST = 32


def text_problem(value: str, *, multiline: bool) -> str | None:
    """This will say what is wrong with a text (control characters, half surrogates), or None."""
    for character in value:
        code = ord(character)
        if code < 32 or code == 127:  # noqa: PLR2004 - the ASCII control range
            if not (multiline and character in _ALLOWED_CONTROLS):
                return "Control characters are not allowed."
        elif 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - the surrogate range
            return "The text is not valid Unicode."
    return None


class Text(serializers.CharField):
    """Text of one line by default; `multiline=True` also takes newlines and tabs."""

    default_error_messages = {
        "characters": "Control characters are not allowed.",
    }

    def __init__(self, *, multiline: bool = False, **kwargs: Any) -> None:
        self.multiline = multiline
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """This will take text without control characters and half surrogates."""
        if isinstance(data, str):
            wrong = text_problem(
                data.strip() if self.trim_whitespace else data, multiline=self.multiline
            )
            if wrong:
                raise serializers.ValidationError(wrong, code="characters")
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class StrictBoolean(serializers.BooleanField):
    """A JSON boolean and nothing that merely looks like one."""

    def to_internal_value(self, data: Any) -> bool:
        """This will take true and false."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictInteger(serializers.IntegerField):
    """A JSON integer: no booleans, no numeric strings, no fractions."""

    def to_internal_value(self, data: Any) -> int:
        """This will take whole numbers."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


def is_storable(value: object, depth: int = 0) -> bool:
    """This will tell whether every database takes this JSON.

    No NUL, no half surrogates, nothing infinite or bottomless.
    """
    if depth > _DEEPEST:
        return False
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(
            is_storable(key, depth) and is_storable(inner, depth + 1)
            for key, inner in value.items()
        )
    if isinstance(value, list):
        return all(is_storable(inner, depth + 1) for inner in value)
    return True


class FreeObject(serializers.DictField):
    """A JSON object of any keys and values that can be stored."""

    default_error_messages = {"unstorable": "This cannot be stored."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """This will take objects that every database can keep."""
        found: dict[str, Any] = super().to_internal_value(data)
        if not is_storable(found):
            self.fail("unstorable")
        return found
