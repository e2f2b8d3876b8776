"""The product's real processes on a scratch folder and free ports."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import machine
from kanbanai.supervisor import redis_server

PROJECT = Path(__file__).resolve().parents[1]
START_SECONDS = 120.0
STOP_SECONDS = 10.0

# The database of a new installation, once it was made.
_empty: list[bytes] = []


def free_port() -> int:
    """This will find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[Any]) -> None:
    """This will end a process we started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Product:
    """One installation: its folder, its database, its Redis, and whatever of it was started."""

    def __init__(self, *, database_url: str | None = None, **variables: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kanbanai-bench-"))
        self.port = free_port()
        self.processes: list[subprocess.Popen[Any]] = []
        self.web: list[subprocess.Popen[Any]] = []
        self.redis_socket = self.folder / "run" / "redis.sock"
        self.log = self.folder / "log.txt"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("KANBANAI_") and name not in {"DATABASE_URL", "REDIS_URL"}
        }
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environment = kept | {
            "DJANGO_SETTINGS_MODULE": "kanbanai.settings.embedded",
            "KANBANAI_DATA_DIR": str(self.folder),
            "KANBANAI_PORT": str(self.port),
            "KANBANAI_LOG_LEVEL": "warning",
            "DATABASE_URL": database_url or f"sqlite:///{self.folder / 'kanbanai.sqlite3'}",
            "MALLOC_ARENA_MAX": "2",
            "PYTHONPATH": str(PROJECT),
            **variables,
        }
        (self.folder / "logs").mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self.log.exists():
            sys.stderr.write(self.log.read_text(errors="replace")[-1500:])
        self.stop()

    def stop(self) -> None:
        """This will end everything and remove the folder."""
        for process in reversed(self.processes):
            end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- processes -------------------------------------------------------------------------------

    def start_redis(self) -> None:
        """This will start a private Redis, unless one runs already."""
        if "REDIS_URL" in self.environment:
            return
        process = redis_server.start(unix_socket=self.redis_socket, output=subprocess.DEVNULL)
        redis_server.wait(process, self.redis_socket)
        self.processes.append(process)
        self.environment["REDIS_URL"] = f"unix://{self.redis_socket}"

    def run(self, *arguments: str, cores: list[int] | None = None) -> subprocess.Popen[Any]:
        """This will start a Python program beside the product, in its environment."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        if cores is not None:
            machine.pin(process.pid, cores)
        return process

    def manage(self, *arguments: str) -> str:
        """This will run one of the product's commands to its end and give what it prints."""
        return self.python("manage.py", *arguments)

    def python(self, *arguments: str) -> str:
        """This will run a Python program to its end and give what it prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"{' '.join(arguments[:3])} failed:\n{done.stderr[-1500:]}"
            raise RuntimeError(message)
        return done.stdout

    def migrate(self) -> None:
        """This will make the tables; those of SQLite once, and copy them for the parts to come."""
        sqlite = self.folder / "kanbanai.sqlite3"
        ours = self.environment["DATABASE_URL"] == f"sqlite:///{sqlite}"
        if ours and _empty:
            sqlite.write_bytes(_empty[0])
            return
        self.environment["KANBANAI_DATABASE_POOL"] = "0"
        self.manage("migrate", "--no-input", "--verbosity", "0", "--skip-checks")
        del self.environment["KANBANAI_DATABASE_POOL"]
        # With its log beside it a file alone is not the whole database.
        if ours and not sqlite.with_name(f"{sqlite.name}-wal").exists():
            _empty.append(sqlite.read_bytes())

    def seed(self, what: str, **options: Any) -> Any:
        """This will fill tables; what it gives names what was made."""
        return json.loads(self.python("-m", "bench.seed", what, json.dumps(options)))

    def start_web(self, count: int = 1, *, cores: list[int] | None = None) -> None:
        """This will start web processes on the one port, and return when all of them answer."""
        for number in range(count):
            pinned = [cores[number % len(cores)]] if cores is not None else None
            arguments = ("manage.py", "serve", "--beside", "--port", str(self.port))
            self.web.append(self.run(*arguments, cores=pinned))
        deadline = time.monotonic() + START_SECONDS
        while self._listening() < len(self.web) or not self.answers():
            if time.monotonic() > deadline or any(one.poll() is not None for one in self.web):
                message = f"the web processes do not answer:\n{self.log.read_text()[-1500:]}"
                raise RuntimeError(message)
            time.sleep(0.05)

    def stop_web(self) -> None:
        """This will end the web processes only."""
        for process in self.web:
            end(process)
            self.processes.remove(process)
        self.web.clear()

    def _listening(self) -> int:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[1].endswith(f":{self.port:04X}") and row[3] == "0A" for row in rows)

    # --- asking ----------------------------------------------------------------------------------

    def answers(self) -> bool:
        """True when a web process answers."""
        try:
            return self.call("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, bytes]:
        """This will make one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            if body is not None:
                headers["Content-Type"] = "application/json"
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def web_cpu(self) -> float:
        """This will give the processor time the web processes have used."""
        return sum(machine.cpu_seconds(process.pid) for process in self.web)

    def web_memory_kb(self) -> int:
        """This will give the memory the web processes hold."""
        return sum(machine.resident_kb(process.pid) for process in self.web)
