"""Ids: TypeIDs (`card_01j…`) outside, UUIDv7 inside (https://github.com/jetify-com/typeid)."""

from __future__ import annotations

import re
from typing import Any, ClassVar
from uuid import UUID

from django.urls import register_converter
from rest_framework import serializers
from typeid import TypeID, base32

from apps.core import problems

PREFIXES = (
    "user",
    "org",
    "proj",
    "board",
    "col",
    "card",
    "sess",
    "appr",
    "prof",
    "cred",
    "tpl",
    "att",
    "msg",
    "scr",
    "run",
    "pre",
    "inv",
    "tok",
    "ntf",
)
# A TypeID suffix: 26 characters of Crockford's base 32, the first at most 7 (128 bits).
SUFFIX = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_suffix = re.compile(SUFFIX)


def uuid7() -> UUID:
    """This will make a time-ordered UUID, the primary key of every entity."""
    return UUID(int=TypeID().uuid.int)


def encode(prefix: str, value: UUID) -> str:
    """This will write a UUID as the outside id, `card_01j…`."""
    return f"{prefix}_{base32.encode(value.bytes)}"


def encode_raw(prefix: str, value: UUID | str) -> str:
    """This will write what a database's driver gives for a UUID: itself, or its hex digits."""
    raw = bytes.fromhex(value) if isinstance(value, str) else value.bytes
    return f"{prefix}_{base32.encode(raw)}"


def decode(prefix: str, text: object) -> UUID:
    """This will read an outside id back; NotFound for whatever is no id of this kind."""
    head, _, suffix = str(text).rpartition("_")
    if head != prefix or not _suffix.fullmatch(suffix):
        raise problems.NotFound
    return UUID(bytes=base32.decode(suffix))


def topic(name: str, public_id: str) -> str:
    """This will name the journal topic of an object: `board.board_01j…`."""
    return f"{name}.{public_id}"


class IdField(serializers.Field[Any, Any, Any, Any]):
    """An outside id in an input; numbers are taken as strings. The value is the UUID.

    Whether anything has this id is not asked here: whoever looks it up answers that.
    """

    default_error_messages = {"invalid": "Not a valid id."}

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix

    def to_internal_value(self, data: object) -> UUID:
        """This will read the outside id as a UUID."""
        if isinstance(data, bool) or not isinstance(data, (str, int)):
            self.fail("invalid")
        try:
            return decode(self.prefix, data)
        except problems.NotFound:
            self.fail("invalid")

    def to_representation(self, value: UUID) -> str:
        """This will write a UUID as the outside id."""
        return encode(self.prefix, value)


class Converter:
    """A URL part that only matches ids of one kind, so literals beside it can never be shadowed."""

    prefix: ClassVar[str]
    regex: ClassVar[str]

    def to_python(self, value: str) -> UUID:
        """This will read the URL part; a ValueError makes the route not match."""
        try:
            return decode(self.prefix, value)
        except problems.NotFound as error:
            raise ValueError from error

    def to_url(self, value: UUID | str) -> str:
        """This will write a UUID, or an outside id as it is, into a URL."""
        return value if isinstance(value, str) else encode(self.prefix, value)


for _prefix in PREFIXES:
    register_converter(
        type(
            f"{_prefix.title()}IdConverter",
            (Converter,),
            {"prefix": _prefix, "regex": f"{_prefix}_{SUFFIX}"},
        ),
        f"{_prefix}_id",
    )
