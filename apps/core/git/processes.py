"""One git process: prepared, heard, limited, ended."""

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from typing import IO

from apps.core.git.errors import (
    DiskFull,
    GitCancelled,
    GitMissing,
    GitTimeout,
    NotARepository,
    Unwritable,
    redact,
    shown,
)
from apps.core.git.places import Finished, Place, Watch

ERROR_LIMIT = 64 * 1024

_KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"),
    *("GIT_CONFIG_NOSYSTEM",),
)

_FIXED = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_PROXY_COMMAND": "",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
}

SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "core.warnAmbiguousRefs": "false",
    "color.ui": "false",
    "protocol.ext.allow": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "log.showSignature": "false",
    "merge.verifySignatures": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
}


def program() -> str:
    """Give the path of git; raise `GitMissing` without one."""
    found = shutil.which("git")
    if found is None:
        raise GitMissing("Git is not installed on the server.")
    return found


def environment(
    place: Place, values: list[tuple[str, str]], protocols: Collection[str]
) -> dict[str, str]:
    """Give the whole environment for git: a few variables of ours, nothing of the server's."""
    found = {name: os.environ[name] for name in _KEPT if name in os.environ}
    found |= _FIXED
    found.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    found["GIT_ALLOW_PROTOCOL"] = ":".join(protocols) or "none"
    found["GIT_CONFIG_COUNT"] = str(len(values))
    for number, (key, value) in enumerate(values):
        found[f"GIT_CONFIG_KEY_{number}"] = key
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found | place.environment()


def finish(
    command: list[str],
    place: Place,
    environment: dict[str, str],
    stdin: bytes,
    timeout: float,
    limit: int,
    watch: Watch | None,
) -> Finished:
    """Run one process to its end; `timeout` in seconds, `limit` in bytes of output."""
    with _source(stdin) as source:
        try:
            process = subprocess.Popen(
                command,
                cwd=place.directory,
                env=environment,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotARepository(f"There is no directory at {place.directory}.") from error
        except PermissionError as error:
            raise Unwritable(f"The directory {place.directory} cannot be entered.") from error
    pump = _Pump(process, limit, watch or Watch())
    try:
        pump.drain(time.monotonic() + timeout)
    except BaseException:
        _end(process)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return Finished(process.wait(), bytes(pump.output), redact(pump.errors()), pump.truncated)


@contextlib.contextmanager
def _source(stdin: bytes) -> Iterator[IO[bytes] | int]:
    # A file and not a pipe: git may take its input as late as it likes.
    if not stdin:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as source:
        try:
            source.write(stdin)
            source.seek(0)
        except OSError as error:
            folder = tempfile.gettempdir()
            raise DiskFull(f"There is no room left to write in {folder}.") from error
        yield source


class _Pump:
    """Carries a process's output and errors to memory within limits."""

    def __init__(self, process: subprocess.Popen[bytes], limit: int, watch: Watch) -> None:
        self.process = process
        self.limit = limit
        self.watch = watch
        self.output = bytearray()
        self.truncated = False
        self._errors = bytearray()
        self._line = bytearray()

    def errors(self) -> str:
        return shown(bytes(self._errors))

    def drain(self, deadline: float) -> None:
        ended_at: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(_stream(self.process.stdout), selectors.EVENT_READ, self._keep)
            selector.register(_stream(self.process.stderr), selectors.EVENT_READ, self._hear)
            while selector.get_map():
                for key, _ in selector.select(0.1):
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    else:
                        key.data(chunk)
                now = time.monotonic()
                if self.truncated:
                    _end(self.process)
                    return
                if self.watch.should_cancel is not None and self.watch.should_cancel():
                    raise GitCancelled("The work was cancelled.")
                if now > deadline:
                    raise GitTimeout("Git took too long and was ended.")
                if self.process.poll() is not None:
                    ended_at = ended_at or now
                    if now > ended_at + 1:  # a grandchild holds the pipes open
                        _end(self.process)
                        return
        self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        try:
            self.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired as error:
            raise GitTimeout("Git took too long and was ended.") from error

    def _keep(self, chunk: bytes) -> None:
        self.output += chunk
        if len(self.output) > self.limit:
            self.truncated = True
            del self.output[self.limit :]

    def _hear(self, chunk: bytes) -> None:
        self._errors += chunk
        del self._errors[:-ERROR_LIMIT]
        if self.watch.on_line is None:
            return
        self._line += chunk
        *lines, rest = re.split(rb"[\r\n]", bytes(self._line))
        self._line = bytearray(rest[-ERROR_LIMIT:])
        for line in lines:
            if line.strip():
                self.watch.on_line(redact(shown(line)).strip())


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started without pipes")
    return stream


def _end(process: subprocess.Popen[bytes]) -> None:
    # SIGTERM first: git then removes its own lock files.
    for number, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        if process.poll() is not None and number == signal.SIGKILL:
            return
