"""`manage.py up`, with real processes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ops import running
from tests.ports import free_port

Start = Callable[..., running.Installation]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[running.Installation] = []

    def begin(name: str = "data", **variables: str) -> running.Installation:
        (tmp_path / name).mkdir(exist_ok=True)
        installation = running.Installation(
            running.environment(tmp_path / name / "data", **variables)
        )
        started.append(installation)
        return installation

    yield begin
    for installation in started:
        installation.clean_up()


def refused(variables: dict[str, str]) -> str:
    """What a start that cannot succeed says: one line, exit code 1."""
    done = subprocess.run(
        running.manage("up"), env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr.strip()


def test_it_runs_everything_and_leaves_nothing_behind(start: Start) -> None:
    installation = start()
    installation.until_it_runs()

    assert installation.answers()
    assert f"http://127.0.0.1:{installation.port}" in installation.said()
    commands = " ".join(installation.children().values())
    for part in ("redis-server", "serve --fd", "-Q agents", "-Q fast", " beat "):
        assert part in commands
    run = installation.folder / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert stat.S_IMODE(installation.folder.stat().st_mode) == 0o700
    everything = list(installation.children())

    assert installation.stop() == 0

    assert running.wait_until_gone(everything) == []
    assert not (run / "redis.sock").exists()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", installation.port))


def test_a_killed_child_is_started_again(start: Start) -> None:
    installation = start()
    installation.until_it_runs()
    first = installation.child("serve --fd")

    os.kill(first, signal.SIGKILL)

    installation.until(lambda: "web ended (signal 9); it is started again" in installation.said())
    installation.until(installation.answers)
    assert installation.child("serve --fd") != first


def test_a_killed_supervisor_takes_its_children_along(start: Start) -> None:
    installation = start()
    installation.until_it_runs()
    installation.until(lambda: len(installation.children()) == 6)
    everything = list(installation.children())

    installation.process.kill()
    installation.process.wait()

    assert running.wait_until_gone(everything) == []


def test_a_second_instance_runs_beside_the_first_but_not_in_its_folder(start: Start) -> None:
    first, second = start("first"), start("second")
    first.until_it_runs()
    second.until_it_runs()

    assert first.answers()
    assert second.answers()
    said = refused(first.variables | {"KANBANAI_PORT": str(free_port())})
    assert said == (
        f"KanbanAI is already running with the data folder {first.folder} "
        f"(process {first.process.pid})."
    )
    said = refused(second.variables | {"KANBANAI_DATA_DIR": str(second.folder.parent / "third")})
    assert said == (f"Port {second.port} on 127.0.0.1 is in use; set KANBANAI_PORT to a free one.")


def test_tokens_in_addresses_are_written_nowhere(start: Start) -> None:
    installation = start()
    installation.until_it_runs()
    secret = "a-token-that-nobody-may-read"

    for path in ("/api/v1/sse", "/api/sse", "/api/v1/ws", "/nowhere"):
        installation.get(f"{path}?token={secret}")
        with socket.create_connection(("127.0.0.1", installation.port)) as client:
            client.sendall(
                f"GET {path}?token={secret} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            client.recv(1)

    installation.until(lambda: "path=/nowhere" in installation.said())
    installation.stop()
    assert secret not in installation.said()
    for log in (installation.folder / "logs").iterdir():
        assert secret not in log.read_text()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    variables = running.environment(tmp_path / "data") | {"KANBANAI_DATA_DIR": str(folder)}

    assert refused(variables) == (
        f"The data folder {folder} cannot be written (Not a directory); "
        "set KANBANAI_DATA_DIR to one that can."
    )


def test_missing_files_for_browsers_are_said(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    variables = running.environment(tmp_path / "data", KANBANAI_STATIC_ROOT=str(nowhere))

    said = f"The files for browsers are not in {nowhere}; run `make assets` first."
    assert refused(variables) == said


@pytest.mark.parametrize(
    ("git", "said"),
    [
        (None, "git is not installed; KanbanAI needs git 2.38 or newer."),
        ("git version 2.37.4", "git 2.37 is too old; KanbanAI needs git 2.38 or newer."),
        ("broken", "{bin}/git does not say its version; KanbanAI needs git 2.38 or newer."),
    ],
)
def test_a_missing_or_old_git_is_said(tmp_path: Path, git: str | None, said: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    if git is not None:
        (tools / "git").write_text(f"#!/bin/sh\necho {git}\n")
        (tools / "git").chmod(0o755)
    variables = running.environment(tmp_path / "data")
    # Only shells and the like are kept: the real git lies beside them.
    for name in ("sh", "env"):
        (tools / name).symlink_to(Path("/bin") / name)

    assert refused(variables | {"PATH": str(tools)}) == said.format(bin=tools)


def test_a_database_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    variables = running.environment(tmp_path / "data")
    address = f"postgres://nobody@127.0.0.1:{free_port()}/nothing"

    said = refused(variables | {"DATABASE_URL": address})

    assert said.startswith("The database could not be brought up to date: ")
    assert "connection failed" in said


def test_a_setting_that_cannot_be_right_is_said(tmp_path: Path) -> None:
    variables = running.environment(tmp_path / "data") | {"KANBANAI_PORT": "many"}

    said = "KANBANAI_PORT must be a port between 1 and 65535, not 'many'."
    assert refused(variables) == said
