"""What must be true before anything is started; each failure is one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

MINIMUM_GIT = (2, 38)
GIT_SECONDS = 10


class NotReady(Exception):
    """Something is missing; the text says what, in one sentence for a person."""


def require_git() -> None:
    """This will raise NotReady unless a git of at least MINIMUM_GIT is installed."""
    wanted = ".".join(map(str, MINIMUM_GIT))
    git = shutil.which("git")
    if git is None:
        message = f"git is not installed; KanbanAI needs git {wanted} or newer."
        raise NotReady(message)
    try:
        said = subprocess.run(
            [git, "version"], capture_output=True, text=True, check=False, timeout=GIT_SECONDS
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None:
        message = f"{git} does not say its version; KanbanAI needs git {wanted} or newer."
        raise NotReady(message)
    if (int(found[1]), int(found[2])) < MINIMUM_GIT:
        message = f"git {found[0]} is too old; KanbanAI needs git {wanted} or newer."
        raise NotReady(message)


def require_data_dir(path: Path) -> None:
    """This will make the data folder, for its owner alone, or raise NotReady."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
        for name in ("logs", "run"):
            (path / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        message = (
            f"The data folder {path} cannot be written ({error.strerror}); "
            "set KANBANAI_DATA_DIR to one that can."
        )
        raise NotReady(message) from error


def lock_data_dir(path: Path) -> int:
    """This will keep other instances out of the data folder while the returned file is open."""
    handle = os.open(path / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        message = f"KanbanAI is already running with the data folder {path} (process {holder})."
        raise NotReady(message) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


def require_assets(static_root: Path) -> None:
    """This will raise NotReady unless `make assets` has put the browsers' files in place."""
    if not (static_root / "staticfiles.json").is_file():
        message = f"The files for browsers are not in {static_root}; run `make assets` first."
        raise NotReady(message)


def open_port(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """This will listen on the port, so that nobody else can take it, or raise NotReady.

    Where it is `shared`, processes of the same person may listen beside it from now on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if shared:
            # Only now: a port that others share among themselves is in use, too.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            message = f"Port {port} on {host} is in use; set KANBANAI_PORT to a free one."
        else:
            message = f"Cannot listen on {host}:{port} ({error.strerror})."
        raise NotReady(message) from error
    return listener
