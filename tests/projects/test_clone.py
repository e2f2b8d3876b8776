"""Clones from a real server on loopback, by the real task."""

from __future__ import annotations

import base64
import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.core import problems
from apps.core.actors import Actor
from apps.core.git import Login
from apps.core.models import Event
from apps.projects import logins, operations, repositories, tasks
from apps.projects.models import Project
from tests import git_world
from tests.people import ClientOf, actor_of
from tests.ports import free_port

USERNAME, PASSWORD = "ada", "pa:ss/w@rd"
CLONER = Actor.system("cloner")


class Host(ThreadingHTTPServer):
    """A web server with repositories; `locked` asks for a login, `stalled` never answers."""

    daemon_threads = True
    locked = False
    stalled = threading.Event()
    asked = threading.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(SimpleHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        self.server.asked.set()
        token = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if self.server.locked and self.headers.get("Authorization") != f"Basic {token}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.server.stalled.wait(30)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nobody reads this server's log."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Serves `engine.git` (two files) and `empty.git`, as files."""
    www = tmp_path / "www"
    source = git_world.repository(tmp_path / "source", {"a.txt": "a", "b/c.txt": "c"})
    www.mkdir()
    git_world.git(www, "clone", "--quiet", "--bare", str(source), "engine.git")
    git_world.git(www, "init", "--quiet", "--bare", "--initial-branch=main", "empty.git")
    for name in ("engine.git", "empty.git"):
        git_world.git(www / name, "update-server-info")
    server = Host(("127.0.0.1", 0), partial(Handler, directory=str(www)))
    server.stalled, server.asked = threading.Event(), threading.Event()
    server.stalled.set()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.stalled.set()
    server.shutdown()
    server.server_close()
    thread.join()


def start(user: User, url: str, **values: Any) -> Project:
    return operations.start_clone(actor=actor_of(user), url=url, **values)


def work(project: Project) -> Project:
    """What a worker does after the event."""
    event = Event.objects.filter(kind="project.clone_requested").latest("pk")
    tasks.clone_repository(event_id=event.pk)
    project.refresh_from_db()
    return project


def everything_stored() -> str:
    rows = [str(list(model.objects.values())) for model in (Project, Event)]
    return "\n".join(rows)


def test_a_repository_is_cloned_into_a_folder_of_our_own(
    ada: User, grounds: Path, host: Host
) -> None:
    project = start(ada, f"{host.origin}/engine.git")
    assert (project.name, project.state, project.clone_phase) == (
        "engine",
        "cloning",
        "Waiting for a worker",
    )
    work(project)
    assert (project.state, project.clone_percent, project.clone_phase) == ("ready", 100, "")
    assert (Path(project.path) / "b" / "c.txt").read_text() == "c"
    assert Path(project.path).parent.parent.name == "data"
    kinds = Event.objects.filter(topic__startswith="project.").order_by("version")
    assert list(kinds.values_list("kind", flat=True)) == [
        "project.created",
        "project.clone_requested",
        "project.updated",
        "project.updated",
    ]


def test_a_clone_is_begun_over_rest_by_the_reaction(
    ada: User,
    grounds: Path,
    host: Host,
    client_of: ClientOf,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.clone_repository, "delay", lambda **kwargs: sent.append(kwargs))
    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(ada).post(
            "/api/v1/projects",
            {
                "url": f"{host.origin}/engine.git",
                "path": str(grounds / "here"),
                "username": USERNAME,
                "password": PASSWORD,
            },
        )
    assert answer.status_code == 201
    shown = answer.json()["data"]
    assert (shown["state"], shown["isGitRepo"], shown["path"]) == (
        "cloning",
        False,
        str(grounds / "here"),
    )
    assert shown["clone"] == {
        "percent": 0,
        "phase": "Waiting for a worker",
        "cancellable": True,
    }
    event = Event.objects.get(kind="project.clone_requested")
    assert sent == [{"event_id": event.pk}]
    host.locked = True
    tasks.clone_repository(**sent[0])
    after = client_of(ada).get(f"/api/v1/projects/{shown['id']}").json()["data"]
    assert (after["state"], after["isGitRepo"], after["clone"]) == ("ready", True, None)


@pytest.mark.parametrize("in_address", [True, False])
def test_a_login_is_used_and_kept_nowhere(
    ada: User,
    grounds: Path,
    host: Host,
    caplog: pytest.LogCaptureFixture,
    *,
    in_address: bool,
) -> None:
    host.locked = True
    if in_address:
        url = f"http://{USERNAME}:pa%3Ass%2Fw%40rd@127.0.0.1:{host.server_port}/engine.git"
        project = start(ada, url)
    else:
        project = start(ada, f"{host.origin}/engine.git", login=Login(USERNAME, PASSWORD))
    assert project.repository_url == f"{host.origin}/engine.git"
    kept = cache.get(f"clone-login.{project.pk.hex}")
    assert PASSWORD not in kept
    assert "ada" not in kept
    work(project)
    assert project.state == "ready"
    assert cache.get(f"clone-login.{project.pk.hex}") is None
    assert logins.take(project.pk) is None
    told = everything_stored() + caplog.text
    told += (Path(project.path) / ".git" / "config").read_text()
    assert PASSWORD not in told
    assert "pa%3Ass" not in told


def test_without_a_login_the_clone_fails_and_can_be_repeated(
    ada: User, grounds: Path, host: Host, client_of: ClientOf
) -> None:
    host.locked = True
    project = work(start(ada, f"{host.origin}/engine.git"))
    assert (project.state, project.clone_phase) == (
        "clone_failed",
        "The remote did not accept the login, or asks for one.",
    )
    assert not Path(project.path).exists()
    url = f"/api/v1/projects/{project.public_id}/clone/retry"
    answer = client_of(ada).post(url, {"username": USERNAME, "password": PASSWORD})
    assert answer.json()["data"]["state"] == "cloning"
    assert work(project).state == "ready"
    assert client_of(ada).post(url, {}).status_code == 409


def test_an_empty_repository_is_no_project(ada: User, grounds: Path, host: Host) -> None:
    project = work(start(ada, f"{host.origin}/empty.git"))
    assert (project.state, project.clone_phase) == (
        "clone_failed",
        "This repository has no commits yet.",
    )
    assert not Path(project.path).exists()


def test_a_repository_that_is_not_there_fails(ada: User, grounds: Path, host: Host) -> None:
    project = work(start(ada, f"{host.origin}/nothing.git"))
    assert project.state == "clone_failed"
    assert project.clone_phase == "There is no repository at that address."


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x",
        "file:///etc",
        "/etc",
        "--upload-pack=touch /tmp/x",
        "ftp://example.org/a.git",
        "http://",
        "https://exa mple.org/a",
        "javascript://alert(1)",
    ],
)
def test_a_strange_address_is_refused(
    ada: User, grounds: Path, client_of: ClientOf, url: str
) -> None:
    answer = client_of(ada).post("/api/v1/projects", {"name": "Engine", "url": url})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "url"
    assert not Project.objects.exists()


def test_an_occupied_folder_is_refused(ada: User, grounds: Path) -> None:
    (grounds / "full").mkdir()
    (grounds / "full" / "notes.txt").write_text("mine")
    with pytest.raises(problems.ValidationFailed) as refusal:
        start(ada, "https://example.org/a.git", path=str(grounds / "full"))
    assert refusal.value.errors[0]["code"] == "occupied"


def test_a_clone_that_waits_is_cancelled_at_once(ada: User, grounds: Path, host: Host) -> None:
    project = start(ada, f"{host.origin}/engine.git")
    operations.cancel_clone(actor=actor_of(ada), project=project)
    assert work(project).state == "clone_cancelled"
    assert not host.asked.is_set()
    with pytest.raises(problems.Conflict):
        operations.cancel_clone(actor=actor_of(ada), project=project)


@pytest.mark.django_db(transaction=True)
def test_a_running_clone_is_cancelled(
    ada: User, grounds: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "REPORT_SECONDS", 0.05)
    host.stalled.clear()
    project = start(ada, f"{host.origin}/engine.git")
    event = Event.objects.get(kind="project.clone_requested")

    def run() -> None:
        try:
            tasks.clone_repository(event_id=event.pk)
        finally:
            connection.close()

    worker = threading.Thread(target=run)
    worker.start()
    assert host.asked.wait(20)
    operations.cancel_clone(actor=actor_of(ada), project=project)
    worker.join(20)
    assert not worker.is_alive()
    project.refresh_from_db()
    assert (project.state, project.clone_phase) == ("clone_cancelled", "Cancelled")
    assert not Path(project.path).exists()
    assert [entry.name for entry in Path(project.path).parent.iterdir()] == []


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    """The address of git's own server, with a repository of 2,000 files behind it."""
    files = {f"{number % 50}/{number}.txt": f"{number}\n" * 50 for number in range(2_000)}
    git_world.repository(tmp_path / "served" / "large", files)
    port = free_port()
    command = ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"]
    command += [f"--port={port}", f"--base-path={tmp_path / 'served'}", str(tmp_path / "served")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
        yield f"git://127.0.0.1:{port}/large"
    finally:
        process.terminate()
        process.wait(10)


def test_progress_is_told_as_it_rises(
    ada: User, grounds: Path, daemon: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "REPORT_SECONDS", 0)
    project = work(start(ada, daemon))
    assert (project.state, project.clone_percent) == ("ready", 100)
    told = [
        (event.data["project"]["clone"]["percent"], event.data["project"]["clone"]["phase"])
        for event in Event.objects.filter(kind="project.updated").order_by("version")
        if event.data["project"]["clone"]
    ]
    percents = [percent for percent, _phase in told]
    assert told[0] == (0, "Connecting")
    assert percents == sorted(percents)
    assert len(set(told)) == len(told)
    assert 0 < max(percents) < 100


def test_a_worker_that_hears_of_a_deletion_stops(ada: User, grounds: Path) -> None:
    project = start(ada, "https://example.org/a.git")
    operations.claim_clone(actor=CLONER, project_id=project.pk)
    assert operations.report_clone(actor=CLONER, project_id=project.pk, percent=1, phase="x")
    project_id = project.pk
    operations.delete_project(actor=actor_of(ada), project=project)
    assert not operations.report_clone(actor=CLONER, project_id=project_id, percent=2, phase="x")
    assert not operations.finish_clone(actor=CLONER, project_id=project_id)


@pytest.mark.parametrize("how", ["deleted", "cancelled"])
def test_what_arrives_too_late_is_thrown_away(
    ada: User, grounds: Path, host: Host, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    project = start(ada, f"{host.origin}/engine.git")
    event = Event.objects.get(kind="project.clone_requested")
    path = Path(project.path)

    def clone(*arguments: Any, **options: Any) -> Any:
        found = repositories.cloning.clone(*arguments, **options)
        if how == "deleted":
            operations.delete_project(actor=actor_of(ada), project=project)
        else:
            operations.cancel_clone(actor=actor_of(ada), project=project)
        return found

    monkeypatch.setattr(repositories, "clone", clone)
    tasks.clone_repository(event_id=event.pk)
    assert not path.exists()
    states = list(Project.objects.values_list("state", flat=True))
    assert states == ([] if how == "deleted" else ["clone_cancelled"])


def test_a_mistake_of_ours_ends_the_clone_too(
    ada: User, grounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = start(ada, "https://example.org/a.git")
    monkeypatch.setattr(repositories, "clone", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        work(project)
    project.refresh_from_db()
    assert (project.state, project.clone_phase) == (
        "clone_failed",
        "Something went wrong on our side while cloning.",
    )
    tasks.clone_repository(event_id=0)
    tasks.end_lost_clones()


def test_a_second_worker_finds_nothing_to_do(ada: User, grounds: Path) -> None:
    project = start(ada, "https://example.org/a.git")
    assert operations.claim_clone(actor=CLONER, project_id=project.pk) is not None
    assert operations.claim_clone(actor=CLONER, project_id=project.pk) is None


def test_a_clone_whose_worker_died_fails(ada: User, grounds: Path) -> None:
    lost = start(ada, "https://example.org/a.git")
    operations.claim_clone(actor=CLONER, project_id=lost.pk)
    waiting = start(ada, "https://example.org/b.git")
    now = timezone.now()
    sweep = operations.fail_lost_clones
    assert sweep(actor=CLONER, now=now) == 0
    assert sweep(actor=CLONER, now=now + timedelta(minutes=3)) == 1
    lost.refresh_from_db()
    assert (lost.state, lost.clone_phase) == (
        "clone_failed",
        "The worker that cloned this ended unexpectedly. Try again.",
    )
    assert sweep(actor=CLONER, now=now + timedelta(minutes=40)) == 1
    waiting.refresh_from_db()
    assert waiting.state == "clone_failed"


def test_only_workers_report(ada: User, grounds: Path) -> None:
    project = start(ada, "https://example.org/a.git")
    actor = actor_of(ada)
    for report in (
        lambda: operations.claim_clone(actor=actor, project_id=project.pk),
        lambda: operations.report_clone(actor=actor, project_id=project.pk, percent=1, phase=""),
        lambda: operations.finish_clone(actor=actor, project_id=project.pk),
        lambda: operations.fail_clone(actor=actor, project_id=project.pk, reason="x"),
        lambda: operations.fail_lost_clones(actor=actor, now=timezone.now()),
    ):
        with pytest.raises(problems.Forbidden):
            report()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/team/engine.git", "engine"),
        ("https://example.org/team/engine/", "engine"),
        ("git@example.org:team/my%20engine.git", "my engine"),
        ("https://example.org", "Repository"),
        ("https://example.org/%00%07", "Repository"),
        ("https://example.org/" + "e" * 80, "e" * 50),
    ],
)
def test_a_clone_is_named_after_its_address(url: str, name: str) -> None:
    assert operations.clones.name_of(url) == name
