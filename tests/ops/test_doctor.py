"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import io
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from apps.accounts import models as accounts
from apps.core import secrets
from kanbanai import doctor, heartbeats
from kanbanai.doctor import Finding

pytestmark = pytest.mark.django_db

NAMES = [
    "python",
    "git",
    "database",
    "redis",
    "worker-fast",
    "worker-agents",
    "beat",
    "data folder",
    "sandbox",
    "agents",
    "clock",
    "secret key",
    "stored secrets",
    "mail",
    "public origin",
    "static files",
]


@pytest.fixture(autouse=True)
def well(settings: Settings, tmp_path: Path) -> None:
    """An installation without a fault, but for what is not here: mail and agents."""
    settings.KANBANAI_REDIS_PREFIX = f"kanbanai.{tmp_path.name}"
    settings.KANBANAI_DATA_DIR = tmp_path
    settings.STATIC_ROOT = tmp_path / "static"
    tmp_path.chmod(0o700)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "staticfiles.json").touch()
    for part in heartbeats.PARTS:
        heartbeats.beat(part)


def of(name: str) -> Finding:
    [finding] = [finding for finding in doctor.examine() if finding.name == name]
    return finding


def run(*arguments: str) -> tuple[int, str]:
    output = io.StringIO()
    try:
        call_command("doctor", *arguments, stdout=output)
    except SystemExit as end:
        return int(end.code or 0), output.getvalue()
    return 0, output.getvalue()


def test_a_well_installation_has_no_problem() -> None:
    code, output = run("--json")
    shown = json.loads(output)

    assert [finding["name"] for finding in shown["findings"]] == NAMES
    assert [f for f in shown["findings"] if f["state"] == "problem"] == []
    assert (code, shown["ok"]) == (0, True)


def test_a_problem_ends_with_1_and_says_what_to_do(settings: Settings) -> None:
    settings.STATIC_ROOT = settings.KANBANAI_DATA_DIR / "nothing"
    code, output = run()

    assert code == 1
    assert "PROBLEM  static files: The files for browsers are not in" in output
    assert "         Run `make assets`." in output
    assert "ok       python: Python 3." in output


def test_every_finding_but_a_good_one_has_advice(settings: Settings) -> None:
    settings.KANBANAI_REDIS_URL = "unix:///nowhere/redis.sock"
    findings = doctor.examine()

    assert {f.name for f in findings if f.state == "problem"} >= {
        "redis",
        "workers and clock",
    }
    assert [f.name for f in findings if f.state != "ok" and not f.advice] == []


@pytest.mark.parametrize("part", heartbeats.PARTS)
def test_a_dead_part_is_named(part: str) -> None:
    heartbeats.client().delete(heartbeats._key(part))

    assert of(part).state == "problem"


def test_a_missing_migration_is_found() -> None:
    MigrationRecorder.Migration.objects.filter(app="dashboard").delete()
    newest = MigrationRecorder.Migration.objects.filter(app="accounts").order_by("-id").first()
    assert newest is not None
    newest.delete()

    assert of("database").state == "problem"
    assert "migrate" in of("database").advice


def test_a_folder_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    assert (of("data folder").state, of("data folder").advice) == (
        "warning",
        f"Run `chmod 700 {tmp_path}`.",
    )


def test_a_folder_that_is_not_there_is_a_problem(settings: Settings, tmp_path: Path) -> None:
    settings.KANBANAI_DATA_DIR = tmp_path / "nowhere"

    assert of("data folder").state == "problem"


@pytest.mark.parametrize(
    ("free", "state"), [(100 * 1024**2, "problem"), (1024**3, "warning"), (50 * 1024**3, "ok")]
)
def test_little_space_is_told(monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    usage = doctor.shutil.disk_usage("/")  # type: ignore[attr-defined]
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(free=free))

    assert of("data folder").state == state


def test_secrets_of_a_lost_key_are_found(settings: Settings) -> None:
    accounts.LogExport.objects.create(pk=1, headers="{}")
    assert "all 1 of them" in of("stored secrets").said
    settings.KANBANAI_ENCRYPTION_KEYS = ("YW5vdGhlciBrZXkgdGhhdCBvcGVucyBub3RoaW5nISE=",)

    assert of("stored secrets").state == "problem"
    with pytest.raises(secrets.Unreadable):
        secrets.decrypt("x")


def test_a_sandbox_that_does_not_work_is_a_problem(settings: Settings) -> None:
    settings.KANBANAI_SANDBOX = "moat"

    assert of("sandbox").state == "problem"


def test_an_open_origin_is_a_warning(settings: Settings) -> None:
    settings.KANBANAI_PUBLIC_ORIGIN = "http://kanban.example.org"
    assert of("public origin").state == "warning"
    settings.KANBANAI_PUBLIC_ORIGIN = "https://kanban.example.org"
    assert of("public origin").state == "ok"


def test_a_look_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(doctor, "LOOKS", (broken, doctor._python))
    code, output = run("--json")
    [first, second] = json.loads(output)["findings"]

    assert (code, first["state"], second["state"]) == (1, "problem", "ok")
    assert "hunter2" not in output


class MailServer(socketserver.StreamRequestHandler):
    """Greets, and lets in whom it knows."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line.split()[0].upper()
            if word == b"EHLO":
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif word == b"AUTH":
                good = line.split()[2] == b"AGEAYg=="
                self.wfile.write(b"235 welcome\r\n" if good else b"535 stay out\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 well\r\n")


@pytest.fixture
def mail_port() -> Iterator[int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), MailServer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield int(server.server_address[1])
        server.shutdown()


@pytest.mark.parametrize(("password", "state"), [("b", "ok"), ("wrong", "problem")])
def test_the_mail_server_is_asked(settings: Any, mail_port: int, password: str, state: str) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_port
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "a", password
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False

    found = of("mail")
    assert found.state == state, found.said
