"""Real repositories for tests, made with plain git."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "LC_ALL": "C",
}

# Starts a program when git looks at the repository, as a planted one would.
TRAP = "touch {mark}; echo"


def git(where: Path, *arguments: str) -> str:
    """Run plain git and give its output without the last line end."""
    done = subprocess.run(
        ["git", *arguments], cwd=where, env=ENVIRONMENT, check=True, capture_output=True
    )
    return done.stdout.decode().removesuffix("\n")


def write(where: Path, files: dict[str, str]) -> None:
    """Write files, with the directories they need."""
    for name, content in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(content, encoding="utf-8")


def commit(where: Path, files: dict[str, str], message: str = "change") -> str:
    """Write files, commit everything and give the commit."""
    write(where, files)
    git(where, "add", "--all")
    git(where, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(where, "rev-parse", "HEAD")


def repository(where: Path, files: dict[str, str] | None = None) -> Path:
    """Make a repository on main with one commit."""
    where.mkdir(parents=True)
    git(where, "init", "--quiet", "--initial-branch=main")
    commit(where, {"a.txt": "one\ntwo\nthree\n"} if files is None else files, "begin")
    return where


def trapped(where: Path, mark: Path) -> Path:
    """Make a repository that touches `mark` when git starts anything it names."""
    repository(where, {"inside.txt": "inside\n"})
    git(where, "config", "core.fsmonitor", TRAP.format(mark=mark))
    set_hook(where, "pre-commit", f"touch {mark}")
    set_hook(where, "post-checkout", f"touch {mark}")
    write(where, {"inside.txt": "changed inside\n"})
    return where


def set_hook(where: Path, name: str, script: str) -> None:
    """Write a hook of a repository."""
    hook = where / ".git" / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    hook.chmod(0o755)


def state(where: Path) -> tuple[str, str, str]:
    """Give what must not change in a person's checkout: branch, changes, stash."""
    return (
        git(where, "symbolic-ref", "HEAD"),
        git(where, "status", "--porcelain=v2"),
        git(where, "stash", "list"),
    )
