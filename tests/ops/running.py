"""A real installation for a test: its own folder, port, processes."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 200
STOP_SECONDS = 40


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The variables of an installation that shares nothing with the one that runs the tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("KANBANAI_") and name not in {"DATABASE_URL", "REDIS_URL"}
    }
    static = folder.parent / "static"
    static.mkdir(exist_ok=True)
    (static / "staticfiles.json").write_text("{}")
    return kept | {
        "DJANGO_SETTINGS_MODULE": "kanbanai.settings.test",
        "KANBANAI_DATA_DIR": str(folder),
        "KANBANAI_PORT": str(free_port()),
        "KANBANAI_STATIC_ROOT": str(static),
        "KANBANAI_AGENT_SLOTS": "1",
        **more,
    }


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(PROJECT / "manage.py"), *arguments]


class Installation:
    """`manage.py up`, and what can be seen of it from outside."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = dict(variables)
        self.folder = Path(variables["KANBANAI_DATA_DIR"])
        self.port = int(variables["KANBANAI_PORT"])
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.output = self.folder.parent / f"output-{self.port}.txt"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                manage("up"), env=self.variables, stdout=file, stderr=subprocess.STDOUT
            )

    def said(self) -> str:
        return self.output.read_text()

    def until(self, condition: Callable[[], object], *, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def until_it_runs(self) -> None:
        self.until(lambda: "KanbanAI is running" in self.said())

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            # Before there is any account, signing in leads to making one.
            return self.get("/accounts/login/") in {200, 302}
        except OSError:
            return False

    def children(self) -> dict[int, str]:
        """Everything below the supervisor: command lines by process id."""
        return {pid: command_line(pid) for pid in below(self.process.pid)}

    def child(self, pattern: str) -> int:
        """The one child of the supervisor itself whose command line matches."""
        (found,) = [
            pid
            for pid in parents().get(self.process.pid, [])
            if re.search(pattern, command_line(pid))
        ]
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def clean_up(self) -> None:
        left = list(below(self.process.pid))
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def parents() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(stat.parent.name))
    return found


def below(pid: int) -> list[int]:
    tree = parents()
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in tree.get(parent, [])]
        found += level
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pids: list[int], *, seconds: float = STOP_SECONDS) -> list[int]:
    """The processes that are still there when the time is up: none, one hopes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(alive(pid) for pid in pids):
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]
