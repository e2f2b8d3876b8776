"""What a sandbox is asked for, and the one that gives nothing."""

import abc
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal


class Level(StrEnum):
    """How strongly agents are kept apart, strongest first."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "landlock"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Rlimits:
    """Runaway limits of one agent: file size in bytes, open files, niceness (0 to 19)."""

    file_bytes: int = 2 * 1024 * 1024 * 1024
    open_files: int = 4_096
    nice: int = 5


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What one process may see and change.

    `git_dir` is the common git directory of the worktree's repository; commits need parts of it.
    `readonly` is planning. `network` is `shared` (the host's) or `none`; `connect_ports` are TCP
    ports beside 443, 80 and 22 that a sandbox which can choose lets through.
    """

    worktree: Path
    home: Path
    git_dir: Path | None = None
    readonly: bool = False
    read_paths: tuple[Path, ...] = ()
    write_paths: tuple[Path, ...] = ()
    network: Literal["shared", "none"] = "shared"
    connect_ports: tuple[int, ...] = ()
    rlimits: Rlimits = field(default_factory=Rlimits)


class Sandbox(abc.ABC):
    """A way to start a program confined."""

    level: Level

    @abc.abstractmethod
    def wrap(self, command: Sequence[str], confinement: Confinement) -> list[str]:
        """This will be the command that starts `command` confined."""


class Nothing(Sandbox):
    """Limits on resources only: for one trusted person on their own machine."""

    level = Level.NONE

    def wrap(self, command: Sequence[str], confinement: Confinement) -> list[str]:
        """This will be the command with limits on resources and nothing else."""
        return limited(command, confinement.rlimits)


def limited(command: Sequence[str], rlimits: Rlimits) -> list[str]:
    """This will be a command that runs under limits on resources.

    A shell sets them: nothing runs between fork and exec in a process that has threads.
    """
    blocks = max(1, rlimits.file_bytes // 512)
    steps = [
        "ulimit -c 0",
        f"ulimit -f {blocks} 2>/dev/null",
        f"ulimit -n {rlimits.open_files} 2>/dev/null",
        f'exec nice -n {rlimits.nice} "$@"',
    ]
    return ["/bin/sh", "-c", "; ".join(steps), "kanbanai-agent", *command]


def as_shell(command: Sequence[str]) -> str:
    """This will be a command as one line to show people."""
    return shlex.join(command)
