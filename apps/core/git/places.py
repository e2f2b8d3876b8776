"""Where git works, as whom, with which login, and what it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where git works.

    `directory` is the working directory. With `git_directory` nothing is discovered, `directory`
    is the work tree, and `common_directory` says where the shared part of the repository is.
    `index` replaces the checkout's own index. `climb` lets git look for a repository further up.
    """

    directory: Path
    git_directory: Path | None = None
    common_directory: Path | None = None
    index: Path | None = None
    climb: bool = False

    def with_index(self, index: Path) -> "Place":
        """Give the same place with another index file."""
        return replace(self, index=index)

    def environment(self) -> dict[str, str]:
        """Give the variables that tell git about this place."""
        found: dict[str, str] = {}
        if self.git_directory is not None:
            found["GIT_DIR"] = str(self.git_directory)
            found["GIT_WORK_TREE"] = str(self.directory)
        elif not self.climb:
            found["GIT_CEILING_DIRECTORIES"] = str(self.directory.resolve().parent)
        if self.common_directory is not None:
            found["GIT_COMMON_DIR"] = str(self.common_directory)
        if self.index is not None:
            found["GIT_INDEX_FILE"] = str(self.index)
        return found


@dataclass(frozen=True, slots=True)
class Finished:
    """What a git process left: exit code, output (maybe cut at the limit) and redacted errors."""

    code: int
    stdout: bytes
    stderr: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on: `on_line` gets each progress line, `should_cancel` is asked often."""

    on_line: Callable[[str], None] | None = None
    should_cancel: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A name and an address for commits."""

    name: str
    email: str

    def environment(self) -> dict[str, str]:
        """Give the variables that make this the author and the committer."""
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
        }


@dataclass(frozen=True, slots=True)
class Login:
    """Name and secret for a remote; they reach git by its environment and nothing else."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Keep the secret out of logs and traces."""
        return f"Login({self.username!r}, ***)"

    def settings(self) -> list[tuple[str, str]]:
        """Give the settings that make git use this login and no stored one."""
        answer = (
            '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n"'
            ' "$KANBANAI_GIT_USERNAME" "$KANBANAI_GIT_PASSWORD"; }; f'
        )
        return [("credential.helper", ""), ("credential.helper", answer)]

    def environment(self) -> dict[str, str]:
        """Give the variables the settings read from."""
        return {
            "KANBANAI_GIT_USERNAME": self.username,
            "KANBANAI_GIT_PASSWORD": self.password,
        }


DEFAULT_IDENTITY = Identity("KanbanAI", "kanbanai@localhost")
