"""Secrets at rest: a text field that is encrypted in the database, and its keys.

The keys are `settings.KANBANAI_ENCRYPTION_KEYS`: the first encrypts, all decrypt. After a new key
was put first, `manage.py rotate_keys` encrypts everything anew and the old key can go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django import forms
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from typing_extensions import override

from apps.core import problems

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

MASK = "****"
_SECRET = re.compile(r"key|token|secret|passw|credential|authorization", re.IGNORECASE)
# Rows that are encrypted anew in one transaction.
BATCH = 200


class Unreadable(problems.Unavailable):
    """503: a stored secret was encrypted with a key that this server does not have."""

    default_detail = (
        "A stored secret cannot be read: its encryption key is not among the server's keys."
    )


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """This will give the cipher of the server's keys."""
    return _cipher(tuple(settings.KANBANAI_ENCRYPTION_KEYS))


def encrypt(text: str) -> str:
    """This will encrypt a text with the first key."""
    return cipher().encrypt(text.encode()).decode("ascii")


def decrypt(stored: str) -> str:
    """This will decrypt what `encrypt` made; Unreadable where no key fits."""
    try:
        return cipher().decrypt(stored).decode()
    except InvalidToken as error:
        raise Unreadable from error


class EncryptedText(models.TextField[str, str]):
    """Text that only this server can read. It cannot be searched for: each writing differs."""

    description = "Encrypted text"

    @override
    def get_prep_value(self, value: Any) -> Any:
        """This will encrypt on the way to the database; the empty text stays empty."""
        plain = super().get_prep_value(value)
        return encrypt(plain) if plain else plain

    def from_db_value(
        self, value: str | None, expression: object, connection: BaseDatabaseWrapper
    ) -> str | None:
        """This will decrypt on the way from the database; Unreadable where no key fits."""
        del expression, connection
        return decrypt(value) if value else value

    @override
    def get_lookup(self, lookup_name: str) -> Any:
        """This will refuse every search but the one for NULL."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


class EncryptedJson(EncryptedText):
    """Any JSON, all of it encrypted: for settings among which secrets may be."""

    description = "Encrypted JSON"

    @override
    def get_prep_value(self, value: Any) -> Any:
        """This will write JSON and encrypt it."""
        return None if value is None else super().get_prep_value(json.dumps(value))

    @override
    def from_db_value(
        self, value: str | None, expression: object, connection: BaseDatabaseWrapper
    ) -> Any:
        """This will decrypt and read the JSON; Unreadable where no key fits."""
        plain = super().from_db_value(value, expression, connection)
        return json.loads(plain) if plain else None

    @override
    def to_python(self, value: Any) -> Any:
        """This will leave a value as it is: it is JSON's own."""
        return value

    @override
    def formfield(self, **options: Any) -> Any:
        """This will be edited as JSON."""
        return super().formfield(**{"form_class": forms.JSONField, "widget": None, **options})


def masked(value: Any) -> Any:
    """This will hide every text in JSON that stands under a name that tells of a secret."""
    if isinstance(value, dict):
        return {
            name: MASK if one and isinstance(one, str) and _SECRET.search(name) else masked(one)
            for name, one in value.items()
        }
    return [masked(one) for one in value] if isinstance(value, list) else value


def unmasked(value: Any, before: Any) -> Any:
    """This will put back what `masked` hid, from the same place in the value before."""
    if isinstance(value, dict):
        known = before if isinstance(before, dict) else {}
        return {
            name: known.get(name, "") if one == MASK else unmasked(one, known.get(name))
            for name, one in value.items()
        }
    return value


def encrypted_fields() -> Iterator[tuple[type[models.Model], EncryptedText]]:
    """This will list every encrypted column of every table."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:  # noqa: SLF001 - Django's documented API
            if isinstance(field, EncryptedText):
                yield model, field


def rotate() -> int:
    """This will encrypt every stored secret with the first key; it gives how many there were.

    Unreadable where no key fits; what was done before stays done, and it may be run again.
    """
    return sum(_rotate(model, field) for model, field in encrypted_fields())


def _rotate(model: type[models.Model], field: EncryptedText) -> int:
    rows = model._default_manager  # noqa: SLF001 - as every model has it
    # The keys first: reading a row decrypts it, and each batch is a transaction of its own.
    found = list(rows.order_by("pk").values_list("pk", flat=True))
    done = 0
    for start in range(0, len(found), BATCH):
        with transaction.atomic():
            for row in rows.select_for_update().filter(pk__in=found[start : start + BATCH]):
                if getattr(row, field.attname):
                    row.save(update_fields=[field.attname])
                    done += 1
    return done
