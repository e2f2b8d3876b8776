"""What is said in a conversation, made fit to be kept and told: storable, and not without end."""

from __future__ import annotations

from typing import Any

from apps.agents.runner.writer import clean

TEXT_CHARACTERS = 50_000
CUT = "\n\n[…]"


def bounded(value: Any) -> Any:
    """This will be a value with every text in it cleaned, and cut where it is too long."""
    return _cut(clean(value))


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > TEXT_CHARACTERS:
            return value[: TEXT_CHARACTERS - len(CUT)] + CUT
        return value
    if isinstance(value, dict):
        return {key: _cut(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cut(one) for one in value]
    return value
