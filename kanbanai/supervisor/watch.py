"""The supervisor's loop: start, listen to, restart and stop the children."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kanbanai.supervisor import processes
from kanbanai.supervisor.children import Child
from kanbanai.supervisor.console import Console

PR_SET_CHILD_SUBREAPER = 36
# After SIGTERM; what is left then is killed. Together well below ten seconds.
STOP_SECONDS = 6.0
STEP_SECONDS = 1.0
KILL_SECONDS = 2.0
TICK_SECONDS = 0.25
READ_BYTES = 65536


class Watch:
    """Keeps children alive until a signal comes, then ends them and everything they started."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.children: list[Child] = []
        self.stopping = False
        self._passing: Child | None = None
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        _adopt_orphans()

    def take_signals(self) -> None:
        """This will make SIGTERM, SIGINT and SIGHUP stop everything, and note ends of children."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def add(self, child: Child) -> Child:
        """This will start a child now and keep it alive from now on."""
        self.children.append(child)
        self._start(child)
        return child

    def _start(self, child: Child) -> None:
        try:
            output = child.start(now=time.monotonic())
        except OSError as error:
            self.console.say(f"{child.name} cannot be started: {error.strerror}.")
            child.start_at = time.monotonic() + child.early_ends + 1
            child.early_ends += 1
            return
        if child.quiet:
            self.console.silent.add(child.name)
        self._selector.register(output, selectors.EVENT_READ, child.name)

    def run_until(self, done: Callable[[], bool], *, every: float = TICK_SECONDS) -> None:
        """This will look after the children until `done` or a signal to stop."""
        while not self.stopping and not done():
            self._turn(every)
            self._restart_due()

    def run_once(self, child: Child) -> int:
        """This will run a child to its end, and give its exit code; negative when stopped first."""
        self._start(child)
        process = child.process
        if process is None:
            return 1
        self._passing = child
        while process.poll() is None:
            if self.stopping:
                processes.signal_group(process, signal.SIGTERM)
                process.wait()
                return -signal.SIGTERM
            self._turn(0.02)
        self._drain()
        self._passing = None
        return process.returncode

    def _turn(self, timeout: float) -> None:
        for key, _events in self._selector.select(timeout):
            if key.data is None:
                os.read(self._wake_read, READ_BYTES)
            else:
                self._read(key.fd, key.data)
        self._reap()

    def _read(self, handle: int, name: str) -> bool:
        try:
            data = os.read(handle, READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self.console.feed(name, data)
            return True
        self._selector.unregister(handle)
        os.close(handle)
        return False

    def _drain(self) -> None:
        """This will read what ended children have left in their pipes."""
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                while self._read(key.fd, key.data):
                    pass

    def _reap(self) -> None:
        for child in self.children:
            if child.process is None or child.process.poll() is None:
                continue
            processes.signal_group(child.process, signal.SIGKILL)
            self._drain()
            pause = child.has_ended(now=time.monotonic())
            if not self.stopping:
                self.console.say(child.message(pause, self.console.tail(child.name)))
        self._bury_orphans()

    def _bury_orphans(self) -> None:
        """This will collect adopted processes that have ended; our own are left to their Popen."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid in self._ours():
                return
            os.waitpid(ended.si_pid, 0)

    def _ours(self) -> set[int]:
        return {child.process.pid for child in self._known() if child.process is not None}

    def _known(self) -> list[Child]:
        return [*self.children, *([self._passing] if self._passing is not None else [])]

    def _restart_due(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if not child.running and child.start_at is not None and now >= child.start_at:
                self._start(child)

    def stop(self) -> None:
        """This will end every child and whatever they have left behind."""
        self.stopping = True
        # What processes print while they end is of interest in their logs only.
        self.console.all_silent = True
        deadline = time.monotonic() + STOP_SECONDS
        first = [child for child in self.children if not child.needed_by_others]
        self._end(first, deadline)
        self._end(self.children, deadline + STEP_SECONDS)
        for child in self.children:
            if child.process is not None:
                self.console.say(f"{child.name} did not stop in time and is killed.")
                processes.signal_group(child.process, signal.SIGKILL)
        deadline = time.monotonic() + KILL_SECONDS
        self._wait_for_ends(self.children, deadline)
        end_descendants(deadline)

    def _end(self, children: list[Child], deadline: float) -> None:
        for child in children:
            if child.process is not None:
                processes.signal_group(child.process, signal.SIGTERM)
        self._wait_for_ends(children, deadline)

    def _wait_for_ends(self, children: list[Child], deadline: float) -> None:
        while any(child.running for child in children) and time.monotonic() < deadline:
            self._turn(0.02)


def _adopt_orphans() -> None:
    """Processes whose parents are gone become ours, so that none is lost sight of."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[int]:
    """This will list the processes below this one, nearest first; Linux only, else empty."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = entry.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # The name may hold anything, brackets too; what follows the last one is plain.
        state, parent = text.rpartition(")")[2].split()[:2]
        if state != "Z":
            parents.setdefault(int(parent), []).append(int(entry.parent.name))
    found: list[int] = []
    level: Sequence[int] = [os.getpid()]
    while level:
        level = [pid for parent in level for pid in parents.get(parent, [])]
        found += level
    return found


def end_descendants(deadline: float) -> None:
    """This will kill what children left running, such as an agent that ignored its worker's end."""
    while True:
        left = descendants()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _collect_zombies()
        if not left or time.monotonic() > deadline:
            return
        time.sleep(0.02)


def _collect_zombies() -> None:
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
