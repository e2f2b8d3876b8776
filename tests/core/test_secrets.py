"""Secrets at rest: encrypted, unreadable without their key, moved on to a new one."""

from __future__ import annotations

import base64
import stat
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection

from apps.accounts.models import OidcConfiguration
from apps.core import secrets
from kanbanai.settings import env
from kanbanai.settings import secrets as own_keys

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_secret FROM accounts_oidcconfiguration")
        found: str = cursor.fetchone()[0]
    return found


@pytest.fixture
def row(db: None, settings: LazySettings) -> OidcConfiguration:
    settings.KANBANAI_ENCRYPTION_KEYS = (OLD,)
    return OidcConfiguration.objects.create(
        issuer_url="https://id.example.org", client_id="kanban", client_secret="häßlich ✓"
    )


def test_the_database_holds_nothing_readable(row: OidcConfiguration) -> None:
    assert OidcConfiguration.objects.get().client_secret == "häßlich ✓"
    assert Fernet(OLD).decrypt(stored()).decode() == "häßlich ✓"
    first = stored()
    row.save()
    assert stored() != first


def test_an_empty_text_stays_empty(row: OidcConfiguration) -> None:
    row.client_secret = ""
    row.save()

    assert stored() == ""
    assert OidcConfiguration.objects.get().client_secret == ""


def test_nobody_searches_for_a_secret(row: OidcConfiguration) -> None:
    with pytest.raises(FieldError):
        OidcConfiguration.objects.filter(client_secret="häßlich ✓").exists()


def test_without_its_key_it_is_lost(row: OidcConfiguration, settings: LazySettings) -> None:
    settings.KANBANAI_ENCRYPTION_KEYS = (NEW,)

    with pytest.raises(secrets.Unreadable) as caught:
        OidcConfiguration.objects.get()

    assert (caught.value.status, caught.value.code) == (503, "UNAVAILABLE")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rotate_keys")


def test_a_new_key_takes_over(row: OidcConfiguration, settings: LazySettings) -> None:
    settings.KANBANAI_ENCRYPTION_KEYS = (NEW, OLD)
    still_readable = OidcConfiguration.objects.get().client_secret
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    settings.KANBANAI_ENCRYPTION_KEYS = (NEW,)

    assert still_readable == "häßlich ✓"
    assert out.getvalue() == "Encrypted with the first key: 1.\n"
    assert OidcConfiguration.objects.get().client_secret == "häßlich ✓"


def test_every_encrypted_column_is_known() -> None:
    names = {f"{model.__name__}.{field.name}" for model, field in secrets.encrypted_fields()}

    assert "OidcConfiguration.client_secret" in names


def test_an_installation_makes_its_own_key_once(tmp_path: Path) -> None:
    first = own_keys.own_encryption_keys(tmp_path / "data")

    assert own_keys.own_encryption_keys(tmp_path / "data") == first
    assert len(base64.urlsafe_b64decode(first)) == 32
    mode = (tmp_path / "data" / "encryption-keys").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_file_may_hold_several_keys() -> None:
    assert env.fernet_keys(f"{NEW}\n{OLD}\n") == (NEW, OLD)
    assert env.fernet_keys(f"{NEW}, {OLD}") == (NEW, OLD)
