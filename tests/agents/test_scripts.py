"""Scripts of projects: kept in order, run confined, stopped with everything they began."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents import operations, processes
from apps.agents.runner import project_scripts
from apps.core import ids
from apps.core.actors import Actor
from apps.core.models import Event
from apps.projects import operations as project_operations
from apps.projects.models import Project, Script, ScriptRun
from tests.people import ClientOf, actor_of

WAIT_SECONDS = 30.0


def address_of(project: Project, *parts: str) -> str:
    return "/".join((f"/api/v1/projects/{project.public_id}/scripts", *parts))


def make(project: Project, command: str = "true", name: str = "Check") -> Script:
    return project_operations.create_script(
        actor=actor_of(project.owner), project=project, name=name, command=command
    )


def start(script: Script) -> ScriptRun:
    return operations.run_script(actor=actor_of(script.project.owner), script=script)


def ran(script: Script) -> ScriptRun:
    """A run, carried out as the worker does."""
    run = start(script)
    project_scripts.run(run.pk)
    run.refresh_from_db()
    return run


def wait_until(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not come to this"
        time.sleep(0.05)


def beside(run: ScriptRun) -> threading.Thread:
    """The worker's thread for a run."""

    def work() -> None:
        try:
            project_scripts.run(run.pk)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# --- definitions ---------------------------------------------------------------------------------


def test_scripts_are_kept_in_order(client_of: ClientOf, bob: User, project: Project) -> None:
    client = client_of(bob)
    made = [
        client.post(address_of(project), {"name": name, "command": f"echo {name}"}).json()["data"]
        for name in ("a", "b", "c")
    ]
    assert [script["position"] for script in made] == [0, 1, 2]
    assert set(made[0]) == {"id", "name", "command", "position"}

    order = [made[2]["id"], made[0]["id"], made[1]["id"]]
    moved = client.put(address_of(project, "reorder"), {"ids": order})
    assert moved.status_code == 200
    assert [script["name"] for script in moved.json()["data"]] == ["c", "a", "b"]
    assert client.get(address_of(project)).json()["data"] == moved.json()["data"]

    changed = client.put(address_of(project, made[0]["id"]), {"command": "make\n\ttest\n"})
    assert changed.json()["data"] == {
        "id": made[0]["id"],
        "name": "a",
        "command": "make\n\ttest\n",
        "position": 1,
    }
    assert client.delete(address_of(project, made[2]["id"])).status_code == 204
    left = client.get(address_of(project)).json()["data"]
    assert [(script["name"], script["position"]) for script in left] == [("a", 0), ("b", 1)]
    kinds = Event.objects.filter(topic=f"project.{project.public_id}").order_by("version")
    assert [event.kind for event in kinds] == [
        "script.created",
        "script.created",
        "script.created",
        "script.reordered",
        "script.updated",
        "script.deleted",
    ]
    assert kinds.reverse()[0].data["scripts"] == left


@pytest.mark.parametrize("wrong", ["missing", "twice", "foreign", "none"])
def test_a_wrong_order_changes_nothing(
    client_of: ClientOf, bob: User, project: Project, wrong: str
) -> None:
    first, second = make(project, name="a").public_id, make(project, name="b").public_id
    order = {
        "missing": [first],
        "twice": [first, first],
        "foreign": [first, second, ids.encode("scr", ids.uuid7())],
        "none": [],
    }[wrong]

    answer = client_of(bob).put(address_of(project, "reorder"), {"ids": order})

    assert answer.status_code == 400
    listed = client_of(bob).get(address_of(project)).json()["data"]
    assert [script["id"] for script in listed] == [first, second]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "a"},
        {"name": "", "command": "x"},
        {"name": "a", "command": ""},
        {"name": "a" * 101, "command": "x"},
        {"name": "a", "command": "x" * 64_001},
        {"name": "a\n", "command": "x\0"},
        {"name": None, "command": 7},
    ],
)
def test_wrong_scripts_are_refused(
    client_of: ClientOf, bob: User, project: Project, body: dict[str, Any]
) -> None:
    assert client_of(bob).post(address_of(project), body).status_code == 400
    assert not Script.objects.exists()


@pytest.mark.parametrize(
    ("method", "parts", "body", "member"),
    [
        ("get", (), None, 200),
        ("post", (), {"name": "b", "command": "true"}, 201),
        ("put", ("reorder",), {"ids": ["{script}"]}, 200),
        ("get", ("status",), None, 200),
        ("put", ("{script}",), {"name": "b"}, 200),
        ("get", ("{script}", "runs"), None, 200),
        ("post", ("{script}", "cancel"), None, 204),
        ("post", ("{script}", "run"), None, 201),
        ("delete", ("{script}",), None, 204),
    ],
)
@pytest.mark.parametrize("who", ["nobody", "ada", "bob", "eve", "root"])
def test_scripts_belong_to_the_people_of_the_project(
    callers: dict[str, APIClient],
    project: Project,
    method: str,
    parts: tuple[str, ...],
    body: dict[str, Any] | None,
    member: int,
    who: str,
) -> None:
    script = make(project)
    before = (list(Script.objects.values()), ScriptRun.objects.count(), Event.objects.count())
    path = address_of(project, *parts).replace("{script}", script.public_id)
    raw = json.dumps(body).replace("{script}", script.public_id)

    answer = getattr(callers[who], method)(
        path, raw if body is not None else None, content_type="application/json"
    )

    expected = {"nobody": 401, "eve": 404}.get(who, member)
    assert answer.status_code == expected, answer.content
    if expected >= 400:
        after = (list(Script.objects.values()), ScriptRun.objects.count(), Event.objects.count())
        assert after == before


def test_a_script_of_another_project_is_not_here(
    client_of: ClientOf, root: User, project: Project
) -> None:
    other = make(Project.objects.create(name="x", path="/nowhere/x", owner=root))

    answer = client_of(root).post(address_of(project, other.public_id, "run"))

    assert answer.status_code == 404


@pytest.mark.parametrize("count", [1, 20])
def test_the_status_costs_the_same_for_many(
    client_of: ClientOf,
    bob: User,
    project: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    for number in range(count):
        script = make(project, name=str(number))
        for _ in range(2):
            ScriptRun.objects.create(script=script, status="failed")
    client = client_of(bob)

    with django_assert_num_queries(4):
        assert len(client.get(address_of(project, "status")).json()["data"]) == count


# --- running -------------------------------------------------------------------------------------


def test_a_run_is_told_from_its_start_to_its_end(
    client_of: ClientOf, bob: User, real_project: Project, transactional_db: None
) -> None:
    script = make(real_project, "echo out; echo err >&2; pwd; cat README.md; exit 3")
    client = client_of(bob)
    status = client.get(address_of(real_project, "status")).json()["data"]
    assert status[0]["status"] == "idle"

    begun = client.post(address_of(real_project, script.public_id, "run"))
    assert begun.status_code == 201
    assert set(begun.json()["data"]) == {"runId", "scriptId", "status", "startedAt"}
    assert begun.json()["data"]["status"] == "running"
    again = client.post(address_of(real_project, script.public_id, "run"))
    assert again.status_code == 409
    assert client.delete(address_of(real_project, script.public_id)).status_code == 409
    project_scripts.run(ids.decode("run", begun.json()["data"]["runId"]))

    (status,) = client.get(address_of(real_project, "status")).json()["data"]
    assert status == {
        "scriptId": script.public_id,
        "runId": begun.json()["data"]["runId"],
        "status": "failed",
        "exitCode": 3,
        "detail": None,
        "startedAt": begun.json()["data"]["startedAt"],
        "finishedAt": status["finishedAt"],
        "output": f"out\nerr\n{real_project.path}\n# Engine\n",
    }
    assert status["finishedAt"] > status["startedAt"]
    started, finished = Event.objects.filter(kind__in=["script.started", "script.finished"])
    assert started.data["run"]["status"] == "running"
    assert finished.data["run"] | {"output": status["output"]} == status
    assert started.actor["userId"] == bob.public_id


def test_a_run_may_change_the_project_and_nothing_else(
    real_project: Project, tmp_path: Path, transactional_db: None
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    script = make(
        real_project,
        f"echo made > made.txt; cat {outside}; echo x > {outside}; echo x > .git/hooks/pre-commit;"
        " git add . && git -c user.name=A -c user.email=a@b commit -qm Done && echo committed;"
        ' echo "home $HOME"; env | grep -c KANBANAI_SECRET_KEY',
    )

    run = ran(script)

    assert (Path(real_project.path) / "made.txt").read_text() == "made\n"
    assert outside.read_text() == "secret"
    assert "secret" not in run.output
    assert "committed" in run.output
    assert run.output.endswith("0\n")
    assert not (Path(real_project.path) / ".git/hooks/pre-commit").exists()
    assert not (tmp_path / "data" / "scripts" / run.public_id).exists()


def test_what_a_script_leaves_behind_is_ended(
    real_project: Project, transactional_db: None
) -> None:
    script = make(real_project, "setsid sleep 300 & setsid nohup sleep 301 >/dev/null & echo done")

    begin = time.monotonic()
    run = ran(script)

    assert (run.status, run.exit_code, run.output) == ("success", 0, "done\n")
    assert time.monotonic() - begin < 60
    assert processes.find_marked().get(run.public_id) is None


def test_a_cancelled_run_ends_with_its_whole_tree(
    client_of: ClientOf, bob: User, real_project: Project, transactional_db: None
) -> None:
    script = make(
        real_project, "trap '' TERM; setsid sleep 300 & (trap '' TERM; sleep 301) & echo up; wait"
    )
    run = start(script)
    thread = beside(run)
    wait_until(lambda: len(processes.find_marked().get(run.public_id, [])) >= 3)

    answer = client_of(bob).post(address_of(real_project, script.public_id, "cancel"))
    assert answer.status_code == 204
    thread.join(WAIT_SECONDS)

    run.refresh_from_db()
    assert (run.status, run.exit_code, run.output) == ("cancelled", None, "up\n")
    assert processes.find_marked().get(run.public_id) is None
    again = client_of(bob).post(address_of(real_project, script.public_id, "cancel"))
    assert again.status_code == 204
    assert Event.objects.filter(kind="script.finished").count() == 1


def test_a_run_nobody_took_is_cancelled_at_once(project: Project) -> None:
    script = make(project)
    run = start(script)

    project_operations.cancel_script(actor=actor_of(project.owner), script=script)

    run.refresh_from_db()
    assert run.status == "cancelled"
    project_scripts.run(run.pk)
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_several_scripts_run_at_once_but_not_too_many(
    real_project: Project, settings: Settings, transactional_db: None
) -> None:
    settings.KANBANAI_SCRIPT_SLOTS = 2
    flags = [Path(real_project.path) / name for name in ("a", "b")]
    scripts = [
        make(real_project, f"touch {one}; until [ -e {other} ]; do sleep 0.05; done")
        for one, other in (flags, reversed(flags))
    ]
    runs = [start(script) for script in scripts]
    refused = make(real_project)
    with pytest.raises(Exception, match="Too many scripts"):
        start(refused)

    for thread in [beside(run) for run in runs]:
        thread.join(WAIT_SECONDS)

    assert set(ScriptRun.objects.values_list("status", flat=True)) == {"success"}


def test_a_run_has_a_time_limit(
    real_project: Project, settings: Settings, transactional_db: None
) -> None:
    settings.KANBANAI_SCRIPT_SECONDS = 1
    run = ran(make(real_project, "echo on; sleep 300"))

    assert (run.status, run.exit_code) == ("failed", None)
    assert run.detail == "It took longer than 1 seconds."
    assert run.output == "on\n"


def test_a_flood_is_kept_to_its_end(real_project: Project, transactional_db: None) -> None:
    run = ran(make(real_project, "yes 0123456789 | head -c 5000000; printf 'caf\\351 \\0 end'"))

    assert run.status == "success"
    assert len(run.output) == 64 * 1024
    assert run.output.endswith("0123456caf\ufffd \ufffd end".removeprefix("0123456"))


def test_a_script_without_its_folder_fails(project: Project, transactional_db: None) -> None:
    run = ran(make(project))

    assert (run.status, run.detail) == ("failed", "The project's folder is not there.")


def test_a_script_that_closes_its_output_still_ends(
    real_project: Project, transactional_db: None
) -> None:
    run = ran(make(real_project, "exec >/dev/null 2>&1; sleep 0.5; exit 4"))

    assert (run.status, run.exit_code) == ("failed", 4)


def test_the_last_twenty_runs_are_kept(client_of: ClientOf, bob: User, project: Project) -> None:
    script = make(project)
    ScriptRun.objects.bulk_create(ScriptRun(script=script, status="success") for _ in range(25))
    run = start(script)

    shown = client_of(bob).get(address_of(project, script.public_id, "runs")).json()["data"]

    assert len(shown) == 20
    assert shown[0]["runId"] == run.public_id


def test_a_lost_worker_leaves_no_process_and_no_running_row(
    real_project: Project, transactional_db: None
) -> None:
    run = start(make(real_project, "sleep 300"))
    project_operations.claim_run(
        actor=Actor.system("tests"), run_id=run.pk, host=os.uname().nodename
    )
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(300)"],
        env={**os.environ, processes.MARKER: run.public_id},
    )
    assert operations.reap_scripts(actor=Actor.system("reaper")) == 0
    ScriptRun.objects.update(beat_at=timezone.now() - timedelta(seconds=31))

    assert operations.reap_scripts(actor=Actor.system("reaper")) == 1

    assert stray.wait(WAIT_SECONDS) == -signal.SIGKILL
    run.refresh_from_db()
    assert (run.status, run.detail) == ("failed", "The worker that ran it went away.")
    assert Event.objects.filter(kind="script.finished").count() == 1


def test_a_run_no_worker_takes_ends(project: Project) -> None:
    run = start(make(project))
    ScriptRun.objects.update(created_at=timezone.now() - timedelta(seconds=121))

    assert operations.reap_scripts(actor=Actor.system("reaper")) == 1
    run.refresh_from_db()
    assert (run.status, run.detail) == ("failed", "No worker began with it.")


def test_a_project_that_goes_takes_its_run_along(
    real_project: Project, transactional_db: None
) -> None:
    run = start(make(real_project, "echo up; sleep 300"))
    thread = beside(run)
    wait_until(lambda: processes.find_marked().get(run.public_id))

    operations.delete_project(actor=actor_of(real_project.owner), project=real_project)
    thread.join(WAIT_SECONDS)

    assert not thread.is_alive()
    assert processes.find_marked().get(run.public_id) is None
