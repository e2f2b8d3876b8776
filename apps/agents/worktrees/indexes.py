"""Indexes: a temporary one to look or save with, and everything of a worktree staged safely.

`git add` walks into populated submodules with the settings found there, and an agent can plant
one. So directories that hold a repository are kept out of the command; submodules that are
registered are then updated by `git update-index`, which only reads where their HEAD is.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.agents.worktrees.trees import Tree
from apps.core import git

STAGE_TIMEOUT = 600.0
_GITLINK = b"160000 "


@dataclass(frozen=True, slots=True)
class Untracked:
    """What git does not know yet: files, and directories that hold repositories (with a slash)."""

    files: tuple[bytes, ...]
    nested: tuple[bytes, ...]


@contextlib.contextmanager
def temporary(tree: Tree) -> Iterator[git.Place]:
    """Give the worktree's place with a copy of its index, which is thrown away at the end."""
    with tempfile.TemporaryDirectory(prefix="kanbanai-index-") as folder:
        copy = Path(folder) / "index"
        place = tree.place.with_index(copy)
        try:
            # With its time: git takes files as new as the index for possibly changed.
            shutil.copy2(tree.git_directory / "index", copy)
        except FileNotFoundError:
            pass  # a worktree where nothing was ever staged
        except OSError as error:
            raise git.DiskFull(f"There is no room left to write in {folder}.") from error
        try:
            git.run("ls-files", "-z", "--", ":(top,literal).git", at=place)
        except git.GitError:  # a damaged index: begin from the last commit
            copy.unlink(missing_ok=True)
            git.run("read-tree", "HEAD", at=place)
        yield place


def untracked(place: git.Place) -> Untracked:
    """List what is neither tracked nor ignored."""
    found = git.records("ls-files", "-z", "--others", "--exclude-standard", at=place)
    return Untracked(
        tuple(name for name in found if not name.endswith(b"/")),
        tuple(name for name in found if name.endswith(b"/")),
    )


def submodules(place: git.Place) -> dict[bytes, str]:
    """Give the registered submodules that are populated: path and recorded commit."""
    found: dict[bytes, str] = {}
    finished = git.run("ls-files", "-z", "--stage", at=place, limit=256 * 1024 * 1024)
    for record in finished.stdout.split(b"\0")[:-1]:
        if record.startswith(_GITLINK):
            facts, _, name = record.partition(b"\t")
            if os.path.lexists(place.directory / os.fsdecode(name) / ".git"):
                found[name] = facts.split()[1].decode("ascii")
    return found


def stage_all(place: git.Place) -> Untracked:
    """Stage everything that is not ignored; repositories inside, unless registered, stay out.

    Gives what was untracked before.
    """
    new = untracked(place)
    known = submodules(place)
    apart = {name.rstrip(b"/") for name in new.nested} | set(known)
    _add(place, "--all", [b":(top)"], apart)
    if known:
        git.run(
            *("update-index", "-z", "--stdin"),
            at=place,
            stdin=b"".join(name + b"\0" for name in known),
            patient=True,
        )
    return new


def intend(place: git.Place, new: Untracked) -> None:
    """Make untracked files known to a temporary index without reading them."""
    if not new.files:
        return
    listed = git.records(
        *("ls-files", "-z", "--others", "--exclude-standard", "--directory"),
        "--no-empty-directory",
        at=place,
    )
    nested = {name.rstrip(b"/") for name in new.nested}
    wanted = [b":(top,literal)" + name for name in listed if name.rstrip(b"/") not in nested]
    _add(place, "--intent-to-add", wanted, nested)


def _add(place: git.Place, how: str, wanted: list[bytes], apart: set[bytes]) -> None:
    specs = [*wanted, *(b":(top,exclude,literal)" + name for name in sorted(apart))]
    git.run(
        *("add", "--sparse", how, "--pathspec-from-file=-", "--pathspec-file-nul"),
        at=place,
        stdin=b"".join(spec + b"\0" for spec in specs),
        timeout=STAGE_TIMEOUT,
        patient=True,
    )
