"""The process behind an adapter: started confined and marked, its stderr always read."""

import asyncio
import collections
import os
import shutil
from collections.abc import Callable

from apps.agents import processes
from apps.agents.adapters import base
from apps.agents.adapters.failures import AdapterError

_READ = 64 * 1024
_KEPT = 64 * 1024
_LONGEST_LINE = 4_000

# What a program needs of the worker's own surroundings; everything else stays with the worker.
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "SHELL", "TERM", "TZ", "USER", "LOGNAME")


def environment(spec: base.SessionSpec) -> dict[str, str]:
    """This will be the whole environment of an agent: a few of ours, its home, the profile's."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    passed.setdefault("PATH", os.defpath)
    passed.setdefault("LANG", "C.UTF-8")
    return {**passed, "HOME": str(spec.home), **temporary(spec), **spec.env}


def temporary(spec: base.SessionSpec) -> dict[str, str]:
    """This will name a folder for temporary files where the sandbox has no private one."""
    if spec.sandbox.level == "bubblewrap":
        return {}
    return {"TMPDIR": str(spec.home / "tmp")}


async def start(
    spec: base.SessionSpec, command: tuple[str, ...], *, stderr_to_stdout: bool = False
) -> asyncio.subprocess.Process:
    """This will start a command for an attempt, confined.

    Raises:
        AdapterError: `agent_not_installed` or `worktree_failed`.
    """
    env = environment(spec)
    if not command or shutil.which(command[0], path=env["PATH"]) is None:
        name = command[0] if command else "no command"
        raise AdapterError("agent_not_installed", f"{name} was not found on this host")
    if not spec.cwd.is_dir():
        raise AdapterError("worktree_failed", "The worktree is not there")
    spec.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (spec.home / "tmp").mkdir(mode=0o700, exist_ok=True)
    try:
        return await processes.spawn(
            spec.sandbox.wrap(command, spec.confinement()),
            cwd=spec.cwd,
            env=env,
            attempt_id=spec.attempt_id,
            stderr_to_stdout=stderr_to_stdout,
            stdin=not stderr_to_stdout,
        )
    except OSError as error:
        raise AdapterError("agent_crashed", f"The agent did not start: {error}") from error


class Stderr:
    """Reads stderr to its end, whatever comes: a full pipe would stop the agent.

    Lines go to `on_line` until `most_lines`; the last 64 KiB are kept for error messages.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        *,
        most_lines: int,
        on_line: Callable[[str], None],
        on_bytes: Callable[[int], None],
    ) -> None:
        self._reader = reader
        self._most_lines = most_lines
        self._on_line = on_line
        self._on_bytes = on_bytes
        self._lines = 0
        self._kept: collections.deque[bytes] = collections.deque()
        self._kept_bytes = 0
        self.task = asyncio.create_task(self._read(), name="agent stderr")

    @property
    def tail(self) -> str:
        """This will be the end of what was written."""
        return b"".join(self._kept)[-_KEPT:].decode(errors="replace")

    async def _read(self) -> None:
        rest = b""
        while data := await self._reader.read(_READ):
            self._on_bytes(len(data))
            self._keep(data)
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-_LONGEST_LINE:]
            for line in lines:
                self._tell(line)
        self._tell(rest)

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._kept_bytes += len(data)
        while self._kept_bytes - len(self._kept[0]) > _KEPT:
            self._kept_bytes -= len(self._kept.popleft())

    def _tell(self, line: bytes) -> None:
        text = line[:_LONGEST_LINE].decode(errors="replace").rstrip()
        if not text or self._lines > self._most_lines:
            return
        self._lines += 1
        if self._lines > self._most_lines:
            text = "The agent writes more to stderr than is kept."
        self._on_line(text)
