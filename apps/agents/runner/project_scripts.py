"""Runs one script of a project to its end: confined, timed, stoppable, its output told as it comes.

It runs in a thread of the worker. The row is the truth: it says when to stop, and the reaper ends
it when this worker gives no sign of life any more.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from apps.agents import processes, registry
from apps.agents.sandbox import base as sandboxes
from apps.agents.sandbox import choice
from apps.core import ids, problems, publishing
from apps.core.actors import Actor
from apps.projects import operations, outputs, queries
from apps.projects.operations import scripts as rows

if TYPE_CHECKING:
    from uuid import UUID

    from apps.projects.models import ScriptRun

log = structlog.get_logger(__name__)

ACTOR = Actor.system("scripts")
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "TERM", "TZ", "USER", "LOGNAME")
_READ = 64 * 1024
_TICK_SECONDS = 0.2
_LOOK_SECONDS = 0.4
_REPORT_SECONDS = 3.0
_TERMINATE_SECONDS = 2.0
_DRAIN_SECONDS = 1.0
_POLL_SECONDS = 0.02
# What is told live at once; a script that prints faster is told in parts.
_TOLD_CHARACTERS = 8 * 1024

_stopping = threading.Event()


def stop_all() -> None:
    """This will end the scripts of this worker, which is being stopped."""
    _stopping.set()


def run(run_id: UUID) -> None:
    """This will carry out a run, once; a run that is over, taken or gone is left alone."""
    claimed = operations.claim_run(actor=ACTOR, run_id=run_id, host=socket.gethostname())
    if claimed is None:
        return
    _Job(claimed).work()


class _Job:
    """One run: its process, what it printed, and when to look at what next."""

    def __init__(self, claimed: ScriptRun) -> None:
        self.run = claimed
        self.topic = outputs.topic(claimed.script.project_id)
        self.folder = Path(claimed.script.project.path)
        self.home = Path(settings.KANBANAI_DATA_DIR) / "scripts" / claimed.public_id
        self.kept = b""
        self.untold = b""
        self.why = ""

    def work(self) -> None:
        exit_code: int | None = None
        try:
            exit_code = self._carry_out()
        except (OSError, problems.Problem, choice.Unavailable) as error:
            self.why = str(error) or "The script could not be started."
        except BaseException:
            self.why = "Something went wrong on our side."
            raise
        finally:
            processes.kill_marked(self.run.public_id)
            shutil.rmtree(self.home, ignore_errors=True)
            operations.finish_run(
                actor=ACTOR,
                run_id=self.run.pk,
                output=self._text(self.kept),
                exit_code=None if self.why else exit_code,
                detail=self.why,
            )

    def _carry_out(self) -> int | None:
        process = self._start()
        try:
            self._watch(process)
            if self.why:
                self._stop(process)
        finally:
            # Nothing a script began outlives it: not in the background, not in other sessions.
            processes.kill_marked(self.run.public_id)
            self._drain(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_TERMINATE_SECONDS)
        return process.returncode

    def _start(self) -> subprocess.Popen[bytes]:
        if not self.folder.is_dir():
            message = "The project's folder is not there."
            raise problems.Conflict(message)
        registry.require_sandbox()
        (self.home / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
        shell = shutil.which("bash") or "/bin/sh"
        confinement = sandboxes.Confinement(worktree=self.folder, home=self.home)
        process = subprocess.Popen(
            registry.sandbox().wrap([shell, "-c", self.run.script.command], confinement),
            cwd=self.folder,
            env=self._environment(shell),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - it was asked for
        os.set_blocking(process.stdout.fileno(), False)
        return process

    def _environment(self, shell: str) -> dict[str, str]:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            **passed,
            "SHELL": shell,
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            processes.MARKER: self.run.public_id,
        }

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Until it ends by itself, or there is a reason (`why`) to end it."""
        begin = time.monotonic()
        look_at, report_at = begin, begin + _REPORT_SECONDS
        with selectors.DefaultSelector() as selector:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            selector.register(process.stdout, selectors.EVENT_READ)
            while process.poll() is None and not self.why:
                if selector.select(_TICK_SECONDS) and not self._read(process):
                    # It closed its output, and goes on.
                    time.sleep(_TICK_SECONDS)
                now = time.monotonic()
                if now >= look_at:
                    look_at = now + _LOOK_SECONDS
                    self._tell()
                    self.why = self._reason_to_end(now - begin)
                if now >= report_at and not self.why:
                    report_at = now + _REPORT_SECONDS
                    operations.report_run(
                        actor=ACTOR, run_id=self.run.pk, output=self._text(self.kept)
                    )

    def _reason_to_end(self, seconds: float) -> str:
        if seconds > settings.KANBANAI_SCRIPT_SECONDS:
            return f"It took longer than {settings.KANBANAI_SCRIPT_SECONDS} seconds."
        if _stopping.is_set():
            return "The worker was stopped."
        return "It was cancelled." if queries.is_cancelled(self.run.pk) else ""

    def _read(self, process: subprocess.Popen[bytes]) -> bool:
        """Take what is there; False at the end."""
        assert process.stdout is not None  # noqa: S101 - it was asked for
        data = process.stdout.read(_READ)
        if data:
            # In bytes, of which a character has four at most.
            self.kept = (self.kept + data)[-4 * rows.OUTPUT_CHARACTERS :]
            self.untold = (self.untold + data)[-_TOLD_CHARACTERS:]
        return data != b""

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        """What is left in the pipe; somebody we could not end may hold it open."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        before = None
        while time.monotonic() < deadline and self._read(process):
            if self.kept == before and process.poll() is not None:
                break
            before = self.kept
            time.sleep(_POLL_SECONDS)
        self._tell()
        if process.stdout is not None:
            process.stdout.close()

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_TERMINATE_SECONDS)
                return

    def _tell(self) -> None:
        if not self.untold:
            return
        text, self.untold = self._text(self.untold), b""
        data = {
            "scriptId": ids.encode("scr", self.run.script_id),
            "runId": self.run.public_id,
            "text": text,
        }
        try:
            publishing.send_ephemeral(topic=self.topic, kind="script.output", data=data)
        except Exception as error:  # noqa: BLE001 - noise may be lost; the row has it too
            log.warning("script_output_not_told", error=str(error))

    @staticmethod
    def _text(data: bytes) -> str:
        """As text that every database takes."""
        return data.decode(errors="replace").replace("\0", "\ufffd")[-rows.OUTPUT_CHARACTERS :]
