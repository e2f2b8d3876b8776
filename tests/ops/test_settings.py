"""Settings: production refuses what is unsafe, the reference tells the truth."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from kanbanai.settings import databases, env, reference, secrets, variables
from tests.ops import running

SAFE = {
    "DJANGO_SETTINGS_MODULE": "kanbanai.settings.base",
    "KANBANAI_SECRET_KEY": "x7Rk2mQ9vT4wYb8nLp3sDf6gHj1zKc5aVeU0iOqWtXrE-long-enough",
    "KANBANAI_ENCRYPTION_KEYS": "c29tZSBieXRlcyB0aGF0IGFyZSBmb3IgdGVzdHMgISE=",
    "KANBANAI_PUBLIC_ORIGIN": "https://kanban.example.org",
    "DATABASE_URL": "postgres://kanbanai@127.0.0.1/kanbanai",
    "REDIS_URL": "redis://127.0.0.1/0",
}


def check(folder: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    variables_ = running.environment(folder / "data") | SAFE
    for name, value in changes.items():
        if value is None:
            variables_.pop(name)
        else:
            variables_[name] = value
    return subprocess.run(
        running.manage("check", "--deploy", "--tag", "security", "--fail-level", "WARNING"),
        env=variables_,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_production_passes_the_deployment_check(tmp_path: Path) -> None:
    done = check(tmp_path)

    assert done.stderr == ""
    assert done.stdout == "System check identified no issues (0 silenced).\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KANBANAI_SECRET_KEY", None, "KANBANAI_SECRET_KEY must be set"),
        ("KANBANAI_SECRET_KEY", "changeme", "at least 50 characters"),
        ("KANBANAI_SECRET_KEY", "x" * 60, "at least 50 characters"),
        ("KANBANAI_ENCRYPTION_KEYS", None, "KANBANAI_ENCRYPTION_KEYS must be set"),
        ("KANBANAI_ENCRYPTION_KEYS", "c2hvcnQ=", "32 random bytes in base64, not that value"),
        ("KANBANAI_PUBLIC_ORIGIN", None, "KANBANAI_PUBLIC_ORIGIN must be set"),
        ("KANBANAI_PUBLIC_ORIGIN", "http://kanban.example.org", "must begin with https://"),
        ("KANBANAI_PUBLIC_ORIGIN", "kanban.example.org", "must be an origin such as"),
        ("DATABASE_URL", None, "DATABASE_URL must be set"),
        ("DATABASE_URL", "mysql://localhost/kanbanai", "must begin with postgres://"),
        ("REDIS_URL", None, "REDIS_URL must be set"),
        ("KANBANAI_REGISTRATION", "maybe", "must be one of open, invite, closed"),
    ],
)
def test_production_refuses_what_is_missing_or_weak(
    tmp_path: Path, name: str, value: str | None, said: str
) -> None:
    done = check(tmp_path, **{name: value})

    assert done.returncode != 0
    assert said in done.stderr


def test_the_reference_is_current() -> None:
    stored = running.PROJECT / "docs" / "reference" / "settings.md"
    assert stored.read_text() == reference.page(), "run `make docs`"


def test_every_variable_is_in_the_reference_once() -> None:
    names = [variable.name for variable in variables.ALL]
    assert len(names) == len(set(names))


def test_a_secret_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("A_SECRET_FILE", str(tmp_path / "key"))
    assert env.raw("A_SECRET") == "from a file"

    monkeypatch.setenv("A_SECRET", "directly")
    with pytest.raises(ImproperlyConfigured, match="Set A_SECRET or A_SECRET_FILE, not both"):
        env.raw("A_SECRET")


def test_a_secret_file_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_FILE", "/nowhere/key")
    with pytest.raises(ImproperlyConfigured, match="/nowhere/key, which cannot be read"):
        env.raw("A_SECRET")


def test_a_secret_is_never_repeated_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    variable = env.Variable("A_SECRET", int, "a number", "A secret number.", secret=True)
    monkeypatch.setenv("A_SECRET", "hunter2")
    with pytest.raises(ImproperlyConfigured) as raised:
        variable.read()
    assert str(raised.value) == "A_SECRET must be a number, not that value."


def test_the_own_secret_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    first = secrets.own_secret_key(tmp_path / "data")

    assert secrets.own_secret_key(tmp_path / "data") == first
    assert len(first) == 64
    assert (tmp_path / "data" / "secret-key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret-key"]


def test_postgres_addresses_are_read_whole() -> None:
    url = "postgres://ada:p%40ss@db.example.org:6543/kanban?sslmode=require"
    found = databases.database(url, pool=20)

    assert found == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "kanban",
        "USER": "ada",
        "PASSWORD": "p@ss",
        "HOST": "db.example.org",
        "PORT": "6543",
        "OPTIONS": {
            "sslmode": "require",
            "pool": {"min_size": 1, "max_size": 20, "timeout": 10, "max_idle": 300},
        },
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
    }


def test_a_postgres_socket_folder_may_be_named() -> None:
    found = databases.database("postgres:///kanban?host=/run/postgresql", pool=0)

    assert found["HOST"] == "/run/postgresql"
    assert found["OPTIONS"] == {}
    assert found["CONN_MAX_AGE"] == 300
