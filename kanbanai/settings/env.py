"""Typed readers of the environment that fail loudly, and the list of everything they read."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
KEY_BYTES = 32

# Values that a settings module lays beneath the environment before it imports `base`.
_defaults: dict[str, str] = {}


def lay_defaults(values: Mapping[str, str]) -> None:
    """This will answer for variables that the environment does not set."""
    _defaults.update(values)


def raw(name: str) -> str | None:
    """This will give a variable's text, or None when neither it nor its `_FILE` is set."""
    value = os.environ.get(name)
    path = os.environ.get(f"{name}_FILE")
    if value is not None and path is not None:
        message = f"Set {name} or {name}_FILE, not both."
        raise ImproperlyConfigured(message)
    if path is not None:
        return _contents(name, path)
    if value is not None:
        return value
    return _defaults.get(name)


def _contents(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        message = f"{name}_FILE names {path}, which cannot be read: {error.strerror}."
        raise ImproperlyConfigured(message) from error


@dataclass(frozen=True)
class Variable(Generic[T]):
    """One environment variable: how it is read and what the reference says of it."""

    name: str
    parse: Callable[[str], T]
    kind: str
    help: str
    default: T | None = None
    shown_default: str | None = None
    embedded: str | None = None
    secret: bool = False
    required: bool = False
    choices: tuple[str, ...] = field(default=())

    def read(self) -> T:
        """This will give the value, or raise ImproperlyConfigured with one sentence."""
        text = raw(self.name)
        if text is None or (text == "" and self.default is not None):
            if self.default is None:
                message = f"{self.name} must be set: {self.help[0].lower()}{self.help[1:]}"
                raise ImproperlyConfigured(message)
            return self.default
        try:
            value = self.parse(text)
        except ValueError as error:
            shown = "that value" if self.secret else repr(text)
            message = f"{self.name} must be {self.kind}, not {shown}."
            raise ImproperlyConfigured(message) from error
        if self.choices and value not in self.choices:
            message = f"{self.name} must be one of {', '.join(self.choices)}, not {text!r}."
            raise ImproperlyConfigured(message)
        return value


def boolean(text: str) -> bool:
    """This will read on/off, true/false, yes/no, 1/0; ValueError for anything else."""
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError(text)


def whole(*, at_least: int, at_most: int) -> Callable[[str], int]:
    """This will make a reader of whole numbers within two bounds, both included."""

    def parse(text: str) -> int:
        number = int(text)
        if not at_least <= number <= at_most:
            raise ValueError(text)
        return number

    return parse


def words(text: str) -> tuple[str, ...]:
    """This will split a comma-separated list and drop what is empty."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def json_object(text: str) -> dict[str, object]:
    """This will read a JSON object; ValueError else."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(text)  # noqa: TRY004 - a value like any other that cannot be read
    return found


def fernet_keys(text: str) -> tuple[str, ...]:
    """This will read keys of 32 bytes in base64, apart by commas or lines; ValueError else."""
    keys = tuple(key for key in text.replace(",", " ").split() if key)
    if not keys or any(len(base64.b64decode(key, altchars=b"-_")) != KEY_BYTES for key in keys):
        raise ValueError(text)
    return keys


def origin(text: str) -> str:
    """This will read an origin such as https://kanban.example.org, without a path."""
    text = text.rstrip("/")
    scheme, separator, host = text.partition("://")
    if not separator or scheme not in {"http", "https"} or not host or "/" in host:
        raise ValueError(text)
    return text


def directory(text: str) -> Path:
    """This will read a folder's path, with ~ expanded and made absolute."""
    if not text.strip():
        raise ValueError(text)
    return Path(text).expanduser().absolute()


def directories(text: str) -> tuple[Path, ...]:
    """This will read a comma-separated list of folders, each made absolute."""
    return tuple(directory(part) for part in words(text))
