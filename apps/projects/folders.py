"""Where repositories may lie on this server, and whether a folder can become a project."""

from __future__ import annotations

import itertools
from pathlib import Path

from django.conf import settings
from django.utils.text import slugify

from apps.core import git, problems
from apps.projects import repositories

SLUG_LENGTH = 60
PATH_LENGTH = 1000
# What one request may commit of a folder that becomes a repository.
ADOPTED_ENTRIES = 5_000
ADOPTED_BYTES = 100 * 1024 * 1024

# What is wrong with a folder, as a code that clients can branch on.
_CODES = {
    repositories.Kind.MISSING: "missing",
    repositories.Kind.NOT_A_DIRECTORY: "not_a_directory",
    repositories.Kind.UNREADABLE: "unreadable",
    repositories.Kind.NOT_OURS: "not_ours",
    repositories.Kind.NOT_A_REPOSITORY: "not_a_repository",
    repositories.Kind.SUBFOLDER: "subfolder",
    repositories.Kind.BARE: "bare",
    repositories.Kind.REPOSITORY: "no_commits",
}


def own_root() -> Path:
    """This will give the folder for repositories that are begun or cloned here."""
    return Path(settings.KANBANAI_DATA_DIR) / "repositories"


def roots() -> list[Path]:
    """This will give the folders under which repositories may lie, links resolved."""
    allowed = [Path(root).resolve() for root in settings.KANBANAI_PROJECT_ROOTS]
    return [*allowed, own_root().resolve()]


def resolve(text: str) -> Path:
    """This will turn what a person wrote into a real path within the allowed folders.

    Nothing is told about paths outside of them, not even whether they exist.
    """
    try:
        path = Path(text)
        if text.startswith("~"):
            path = path.expanduser()
        if not path.is_absolute():
            raise _refusal("not_absolute", "Give the folder's full path, beginning with /.")
        real = path.resolve()
        real_text = str(real)
        real_text.encode()
    except (OSError, RuntimeError, ValueError) as error:
        raise _refusal("invalid", "This is not a usable path.") from error
    if len(real_text) > PATH_LENGTH:
        raise _refusal("too_long", f"The path is longer than {PATH_LENGTH} characters.")
    own = own_root().resolve()
    data = Path(settings.KANBANAI_DATA_DIR).resolve()
    ours = real.is_relative_to(data) and not (real.is_relative_to(own) and real != own)
    if ours or data.is_relative_to(real):
        raise _refusal("data_folder", "This folder holds KanbanAI's own data.")
    if not any(real.is_relative_to(root) for root in roots()):
        shown = ", ".join(str(root) for root in roots())
        raise _refusal("outside", f"Projects may only lie under {shown}.")
    return real


def usable(path: Path) -> repositories.Inspection:
    """This will look at a folder that wants to be a project; ValidationFailed where it cannot."""
    try:
        found = repositories.inspect(path)
    except git.GitMissing as error:
        raise problems.Unavailable(error.message) from error
    except git.GitError as error:
        raise _refusal("unreadable", error.message) from error
    except OSError as error:
        raise _unreadable(error) from error
    if not found.usable:
        raise _refusal(_CODES[found.kind], found.problem or "This folder cannot be used.")
    if found.detached:
        detail = "The repository has no branch checked out (detached HEAD). Check one out first."
        raise _refusal("detached", detail)
    return found


def begin(path: Path, name: str) -> bool:
    """This will make a repository with a first commit where there is none; False if there was one.

    A missing or empty folder gets a README; a folder with files keeps them and has them committed,
    unless they are too many for one request or the folder is one that holds the projects.
    """
    try:
        if _is_begun(path):
            return False
        filled = path.is_dir() and any(path.iterdir())
        if filled:
            _require_adoptable(path)
        repositories.initialize(path, name, adopt=filled)
    except git.GitError as error:
        raise refusal_of(error) from error
    except OSError as error:
        raise _unreadable(error) from error
    return True


def _is_begun(path: Path) -> bool:
    """Whether there is a repository at the path; a place inside of one is refused."""
    if ".git" in path.parts:
        raise _refusal("not_a_repository", "This is the inside of a git directory.")
    nearest = next(place for place in (path, *path.parents) if place.exists())
    found = repositories.inspect(nearest)
    if found.kind in {repositories.Kind.NOT_A_REPOSITORY, repositories.Kind.NOT_A_DIRECTORY}:
        return False
    if nearest != path or found.kind is repositories.Kind.SUBFOLDER:
        inside = found.top_level or nearest
        raise _refusal("subfolder", f"This is inside the repository {inside}.")
    return True


def _require_adoptable(path: Path) -> None:
    if path in roots():
        raise _refusal("occupied", "Name a folder of its own for the project.")
    size = 0
    for count, entry in enumerate(path.rglob("*"), start=1):
        size += entry.lstat().st_size
        if count > ADOPTED_ENTRIES or size > ADOPTED_BYTES:
            detail = "This folder is too large to be committed here. Make it a repository first."
            raise _refusal("too_large", detail)


def require_vacant(path: Path) -> None:
    """This will raise ValidationFailed for a path where something is already."""
    try:
        vacant = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError as error:
        raise _unreadable(error) from error
    if not vacant:
        raise _refusal("occupied", f"There is already something at {path}.")


def begin_demo(path: Path) -> None:
    """This will make the demo project's repository in a missing or empty folder."""
    try:
        repositories.create_demo(path)
    except git.GitError as error:
        raise refusal_of(error) from error


def refusal_of(error: git.GitError) -> problems.Problem:
    """This will be the problem that a failure of git stands for."""
    if isinstance(error, (git.GitMissing, git.DiskFull, git.GitTimeout)):
        return problems.Unavailable(error.message)
    code = "occupied" if isinstance(error, git.PathOccupied) else "unusable"
    return _refusal(code, error.message)


def reserve(name: str) -> Path:
    """This will make an empty folder of our own for a project, named after it."""
    slug = slugify(name)[:SLUG_LENGTH].strip("-_") or "project"
    root = own_root()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in itertools.count(1):
            path = root / (slug if number == 1 else f"{slug}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path.resolve()
    except OSError as error:
        raise problems.Unavailable(f"The server cannot write in {root}.") from error
    raise AssertionError  # count() has no end


def release(path: Path) -> None:
    """This will remove a reserved folder that stayed empty; anything else is left as it is."""
    try:
        path.rmdir()
    except OSError:
        return


def is_repository(path: str) -> bool:
    """True while the folder looks like a checkout: asked for each row, so without running git."""
    return (Path(path) / ".git").exists()


def _unreadable(error: OSError) -> problems.ValidationFailed:
    return _refusal("unreadable", f"The server cannot use this folder: {error.strerror}.")


def _refusal(code: str, detail: str) -> problems.ValidationFailed:
    return problems.ValidationFailed.of("path", detail, code)
