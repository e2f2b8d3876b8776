"""What the supervisor and its children say: on the terminal, and in one log file for each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# A log file that has grown past this becomes the one old file that is kept.
OLD_LOG_BYTES = 20 * 1024 * 1024
TAIL_LINES = 5
NAME_WIDTH = 7


class Console:
    """Joins the children's lines on the terminal, each with its speaker's name."""

    def __init__(
        self,
        folder: Path,
        *,
        terminal: BinaryIO | None = None,
        keep: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        # Takes our own lines to where the other processes keep theirs.
        self.keep = keep
        self.terminal = terminal if terminal is not None else sys.stdout.buffer
        # Children whose lines go to their log files only.
        self.silent: set[str] = set()
        self.all_silent = False
        self._files: dict[str, BinaryIO] = {}
        self._partial: dict[str, bytes] = {}
        self._tails: dict[str, list[str]] = {}
        self._logs_fail = False

    def feed(self, name: str, data: bytes) -> None:
        """This will take what a child printed, whole lines or not."""
        self._log(name, data)
        *lines, rest = (self._partial.get(name, b"") + data).split(b"\n")
        self._partial[name] = rest
        if lines:
            tail = [line.decode("utf-8", "replace") for line in lines if line.strip()]
            self._tails[name] = (self._tails.get(name, []) + tail)[-TAIL_LINES:]
            if self.all_silent or name in self.silent:
                return
            prefix = f"{name:<{NAME_WIDTH}} | ".encode()
            self._write(b"".join(prefix + line + b"\n" for line in lines if line.strip()))

    def say(self, text: str) -> None:
        """This will print a line of the supervisor's own."""
        self._log("kanbanai", f"{text}\n".encode())
        if self.keep is not None:
            self.keep(text)
        self._write(f"{text}\n".encode())

    def tail(self, name: str) -> list[str]:
        """This will give the last lines of a child."""
        return self._tails.get(name, [])

    def _log(self, name: str, data: bytes) -> None:
        try:
            file = self._file(name)
            file.write(data)
            if file.tell() > OLD_LOG_BYTES:
                # The next line opens it anew, and that puts the old one aside.
                self._files.pop(name).close()
        except OSError as error:
            # A full disk is no reason to end everything: the terminal goes on.
            if not self._logs_fail:
                self._write(f"The log files cannot be written ({error.strerror}).\n".encode())
            self._logs_fail = True
        else:
            self._logs_fail = False

    def _file(self, name: str) -> BinaryIO:
        if name not in self._files:
            path = self.folder / f"{name}.log"
            if path.exists() and path.stat().st_size > OLD_LOG_BYTES:
                path.replace(path.with_suffix(".log.1"))
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._files[name] = os.fdopen(handle, "wb", buffering=0)
        return self._files[name]

    def _write(self, data: bytes) -> None:
        try:
            self.terminal.write(data)
            self.terminal.flush()
        except OSError:
            # The terminal was closed; the log files go on.
            return


def complain(text: str) -> None:
    """This will print one sentence on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
