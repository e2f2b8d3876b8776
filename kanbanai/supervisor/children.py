"""One child: how it is started, and when it is started again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from kanbanai.supervisor import processes

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A child that lived this long is taken to be well again.
HEALTHY_SECONDS = 30.0
# From this many early ends in a row on, the message says so.
WORRYING_ENDS = 3


@dataclass
class Child:
    """A process that is kept alive until the product is told to stop."""

    name: str
    command: list[str]
    environment: Mapping[str, str] | None = None
    pass_fds: tuple[int, ...] = ()
    # The others need it to end in order, so it is told to stop after them.
    needed_by_others: bool = False
    # What it prints goes to its log file only.
    quiet: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float | None = 0.0
    early_ends: int = 0
    output: int = -1
    # Why the last process ended, for messages.
    ended: str = field(default="")

    @property
    def running(self) -> bool:
        """True while the process has not been seen to end."""
        return self.process is not None

    def start(self, *, now: float) -> int:
        """This will start the process and give the readable end of its output."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_end, False)
        try:
            self.process = processes.start(
                self.command,
                output=write_end,
                environment=self.environment,
                pass_fds=self.pass_fds,
            )
        finally:
            os.close(write_end)
        self.started_at = now
        self.start_at = None
        self.output = read_end
        return read_end

    def has_ended(self, *, now: float) -> float:
        """This will note the end of the process and give the pause before the next start."""
        if self.process is None:
            message = f"{self.name} was not running"
            raise RuntimeError(message)
        code = self.process.returncode
        self.ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        self.process = None
        self.early_ends = 0 if now - self.started_at >= HEALTHY_SECONDS else self.early_ends + 1
        pause = pause_after(self.early_ends)
        self.start_at = now + pause
        return pause

    def message(self, pause: float, tail: list[str]) -> str:
        """This will say that it ended and what happens next."""
        text = f"{self.name} ended ({self.ended}); it is started again in {pause:g} s."
        if self.early_ends >= WORRYING_ENDS:
            text += f" It has ended {self.early_ends} times in a row."
            if tail:
                text += f" Its last words: {tail[-1].strip()}"
        return text


def pause_after(early_ends: int) -> float:
    """This will give the seconds to wait after so many early ends in a row: twice as long each."""
    if early_ends == 0:
        return FIRST_PAUSE_SECONDS
    return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (early_ends - 1)))
