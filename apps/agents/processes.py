"""Processes of agents: found by a marker in their environment, known by their start time.

Agents give their shell commands sessions of their own, so killing a process group leaves some
behind. Everything an attempt starts carries `KANBANAI_ATTEMPT` instead, and is found in /proc.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARKER = "KANBANAI_ATTEMPT"

_PROC = Path("/proc")
_POLL = 0.02
_ROUNDS = 50


@dataclass(frozen=True, order=True)
class Identity:
    """A process beyond doubt: process numbers are used again, number and start time are not.

    `started` is in clock ticks since the machine started.
    """

    pid: int
    started: int


def identity(pid: int) -> Identity | None:
    """This will be the identity of a running process, None when it is gone or a zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name in brackets may itself hold brackets and spaces.
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) < 20 or fields[0] in {b"Z", b"X"}:  # noqa: PLR2004
        return None
    return Identity(pid=pid, started=int(fields[19]))


def is_alive(known: Identity) -> bool:
    """This will be true while that very process runs."""
    return identity(known.pid) == known


def find_marked() -> dict[str, list[Identity]]:
    """This will map attempt ids to their running processes, for all this account may see."""
    found: dict[str, list[Identity]] = {}
    for pid in _pids():
        attempt = _marker(pid)
        if attempt and (known := identity(pid)):
            found.setdefault(attempt, []).append(known)
    return found


def find_under(folder: Path) -> list[Identity]:
    """This will list the running processes that work in a folder or below it."""
    root = os.path.realpath(folder)
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            cwd = str((_PROC / str(pid) / "cwd").readlink()).removesuffix(" (deleted)")
            inside = cwd == root or cwd.startswith(root + "/")
            if inside and pid != os.getpid() and (known := identity(pid)):
                found.append(known)
    return found


def kill_marked(attempt_id: str) -> int:
    """This will kill every process of an attempt and tell how many there were."""
    return _kill_all(lambda: find_marked().get(attempt_id, []))


def kill_under(folder: Path) -> int:
    """This will kill every process that works in a folder, before the folder goes."""
    return _kill_all(lambda: find_under(folder))


def kill(known: Identity) -> bool:
    """This will kill that very process; False when it was gone already."""
    if not is_alive(known):
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(known.pid, signal.SIGKILL)
        return True
    return False


async def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    attempt_id: str,
    stderr_to_stdout: bool = False,
    stdin: bool = True,
) -> asyncio.subprocess.Process:
    """This will start a program in a session of its own, marked, with pipes on all three ends.

    Raises:
        OSError: when the program cannot be started.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**env, MARKER: attempt_id},
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if stderr_to_stdout else asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=1024 * 1024,
    )


async def wait(process: asyncio.subprocess.Process, *, timeout: float) -> bool:
    """This will wait for the exit of a process; False when it still runs after `timeout` seconds.

    Asked of the exit code: waiting on asyncio's own future may hang while a grandchild holds on to
    a pipe.
    """
    deadline = time.monotonic() + timeout
    while process.returncode is None:
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL)
    return True


async def stop(
    process: asyncio.subprocess.Process,
    *,
    attempt_id: str,
    eof: float = 3.0,
    terminate: float = 3.0,
    force: bool = False,
) -> int | None:
    """This will end a process and all it started, and give its exit code.

    End of input first, then SIGTERM to its group, then SIGKILL to its group, and at last SIGKILL
    to whatever carries the attempt's marker. `eof` and `terminate` are patience in seconds;
    `force` has none.
    """
    if process.stdin is not None:
        process.stdin.close()
    if not force and not await wait(process, timeout=eof):
        _signal_group(process, signal.SIGTERM)
        await wait(process, timeout=terminate)
    if process.returncode is None:
        _signal_group(process, signal.SIGKILL)
        await wait(process, timeout=terminate)
    # Reading all of /proc takes a moment on a busy host; the loop has others to serve.
    await asyncio.to_thread(kill_marked, attempt_id)
    return process.returncode


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _pids() -> Iterator[int]:
    for name in os.listdir(_PROC):  # noqa: PTH208
        if name.isdigit():
            yield int(name)


def _marker(pid: int) -> str:
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ""
    wanted = f"{MARKER}=".encode()
    for entry in environ.split(b"\0"):
        if entry.startswith(wanted):
            return entry[len(wanted) :].decode(errors="replace")
    return ""


def _kill_all(find: Callable[[], list[Identity]]) -> int:
    killed: set[Identity] = set()
    # A process may start another between our look and our kill: look until nothing is new.
    for _ in range(_ROUNDS):
        found = [known for known in find() if known.pid != os.getpid()]
        if not found:
            break
        for known in found:
            if kill(known):
                killed.add(known)
        time.sleep(0.005)
    return len(killed)
