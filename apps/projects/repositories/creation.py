"""New repositories with a first commit."""

import shutil
from pathlib import Path

from apps.core import git
from apps.projects.repositories import inspection

DEFAULT_BRANCH = "main"


def initialize(
    path: Path, name: str, *, author: git.Identity | None = None, adopt: bool = False
) -> inspection.Inspection:
    """Make a repository on the branch ``main`` with a first commit.

    A missing or empty directory gets a README that holds `name`. A directory with files is refused
    with `git.PathOccupied` unless `adopt`, which commits the files as they are. After a failure the
    path is as it was before.
    """
    existed = path.exists()
    if path.is_symlink() or (existed and not path.is_dir()):
        raise git.PathOccupied(f"There is already something at {path}.")
    filled = existed and any(path.iterdir())
    if filled and not adopt:
        raise git.PathOccupied(f"The directory {path} is not empty.")
    if existed and (path / ".git").exists():
        raise git.PathOccupied(f"There is already a repository at {path}.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise git.Unwritable(f"The directory {path} cannot be made: {error.strerror}.") from error
    try:
        begin(path)
        if not filled:
            title = " ".join(name.split()) or path.name
            (path / "README.md").write_text(f"# {title}\n", encoding="utf-8")
        commit(path, "Initial commit", author=author)
    except BaseException:
        if existed:
            shutil.rmtree(path / ".git", ignore_errors=True)
            if not filled:
                (path / "README.md").unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)
        raise
    return inspection.inspect(path)


def begin(path: Path) -> None:
    """Make an empty repository in an existing directory, without template files or hooks."""
    git.run("init", "--quiet", "--template=", f"--initial-branch={DEFAULT_BRANCH}", at=path)


def commit(
    path: Path, message: str, *, author: git.Identity | None = None, when: str | None = None
) -> None:
    """Commit everything in a repository that we made; `when` is git's date, default now."""
    git.run("add", "--all", at=path)
    environment = git.identity(path, author).environment()
    if when is not None:
        environment |= {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    git.run(
        "commit",
        "--quiet",
        "--allow-empty",
        "--no-verify",
        "--no-gpg-sign",
        "--file=-",
        at=path,
        stdin=message.encode(),
        environment=environment,
    )
