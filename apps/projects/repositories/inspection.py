"""What a folder is, as far as git is concerned."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from apps.core import git

USUAL_DEFAULTS = ("main", "master", "trunk", "develop")


class Kind(StrEnum):
    """What was found at a path."""

    MISSING = "missing"
    NOT_A_DIRECTORY = "not_a_directory"
    UNREADABLE = "unreadable"
    NOT_OURS = "not_ours"
    NOT_A_REPOSITORY = "not_a_repository"
    SUBFOLDER = "subfolder"
    BARE = "bare"
    REPOSITORY = "repository"


class Branch(TypedDict):
    """A branch as it is shown."""

    name: str
    displayName: str
    kind: Literal["local", "remote"]
    remote: NotRequired[str]
    isCurrent: bool


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything about a folder that decides whether a project can use it.

    `problem` is one sentence when it cannot be used as it is, else None. `top_level` is the
    checkout's root, also for a subfolder. Addresses of `remotes` hold no secrets.
    """

    path: Path
    kind: Kind
    problem: str | None = None
    top_level: Path | None = None
    has_commits: bool = False
    detached: bool = False
    current_branch: str | None = None
    default_branch: str | None = None
    branches: tuple[str, ...] = ()
    dirty: bool = False
    shallow: bool = False
    submodules: tuple[str, ...] = ()
    remotes: dict[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Say whether agents can work on it: a repository of its own with a commit."""
        return self.kind is Kind.REPOSITORY and self.has_commits


def inspect(path: Path) -> Inspection:  # noqa: PLR0911 - one answer for each kind
    """Look at a folder; never raises for what a folder can be, only when git itself fails."""
    unreadable = Inspection(path, Kind.UNREADABLE, "The server may not read this directory.")
    try:
        if not path.is_dir():
            if path.exists():
                return Inspection(path, Kind.NOT_A_DIRECTORY, "This path is not a directory.")
            return Inspection(path, Kind.MISSING, "There is nothing at this path.")
    except PermissionError:
        return unreadable
    place = git.Place(path, climb=True)
    try:
        bare = git.text("rev-parse", "--is-bare-repository", at=place) == "true"
        inside = git.text("rev-parse", "--is-inside-work-tree", at=place) == "true"
    except git.NotARepository:
        problem = "This directory is not a git repository."
        return Inspection(path, Kind.NOT_A_REPOSITORY, problem)
    except git.NotOurs as error:
        return Inspection(path, Kind.NOT_OURS, error.message)
    except git.Unwritable:
        return unreadable
    if inside:
        return _checkout(path, place)
    if bare:
        problem = "This is a bare repository; agents need one with files."
        return _described(Inspection(path, Kind.BARE, problem), place)
    problem = "This is the inside of a git directory, not a repository."
    return Inspection(path, Kind.NOT_A_REPOSITORY, problem)


def _checkout(path: Path, place: git.Place) -> Inspection:
    top_level = Path(git.text("rev-parse", "--show-toplevel", at=place))
    if top_level != path.resolve():
        problem = f"This is a folder inside the repository {top_level}."
        found = Inspection(path, Kind.SUBFOLDER, problem, top_level=top_level)
        return _described(found, git.Place(top_level))
    found = _described(Inspection(path, Kind.REPOSITORY, top_level=top_level), git.Place(path))
    if not found.has_commits:
        return replace(found, problem="This repository has no commits yet.")
    return found


def branches(path: Path) -> list[Branch]:
    """List the branches of a repository: the current one first, then local, then remote ones."""
    place = git.Place(path)
    current = git.find_text("symbolic-ref", "--quiet", "--short", "HEAD", at=place)
    remotes = sorted(_remotes(place), key=len, reverse=True)
    found: list[Branch] = []
    for ref in _refs(place, "refs/heads/", "refs/remotes/"):
        if ref.startswith("refs/heads/"):
            name = ref.removeprefix("refs/heads/")
            found.append(
                {"name": name, "displayName": name, "kind": "local", "isCurrent": name == current}
            )
            continue
        name = ref.removeprefix("refs/remotes/")
        known = (remote for remote in remotes if name.startswith(f"{remote}/"))
        remote = next(known, name.split("/", 1)[0])
        found.append(
            {
                "name": name,
                "displayName": name.removeprefix(f"{remote}/"),
                "kind": "remote",
                "remote": remote,
                "isCurrent": False,
            }
        )
    return sorted(found, key=lambda one: (not one["isCurrent"], one["kind"], one["name"]))


def default_branch(path: Path) -> str | None:
    """Guess the branch that work is merged into; None when there is no branch at all."""
    return _default_branch(git.Place(path), tuple(_heads(git.Place(path))))


def files(path: Path, *, limit: int = 20_000) -> list[str]:
    """List the tracked paths of a repository, at most `limit`, in git's order."""
    finished = git.run("ls-files", "-z", at=path, limit=8 * 1024 * 1024, truncate=True)
    return [git.shown(name) for name in finished.stdout.split(b"\0")[:-1]][:limit]


def _described(found: Inspection, place: git.Place) -> Inspection:
    heads = tuple(_heads(place))
    current = git.find_text("symbolic-ref", "--quiet", "--short", "HEAD", at=place)
    head = git.find_text("rev-parse", "--verify", "--quiet", "HEAD^{commit}", at=place)
    bare = found.kind is Kind.BARE
    return replace(
        found,
        has_commits=head is not None or bool(heads),
        detached=current is None,
        current_branch=current,
        default_branch=_default_branch(place, heads),
        branches=heads,
        dirty=not bare and _is_dirty(place),
        shallow=git.text("rev-parse", "--is-shallow-repository", at=place) == "true",
        submodules=() if bare else _submodules(place),
        remotes=_remotes(place),
    )


def _refs(place: git.Place, *prefixes: str) -> list[str]:
    lines = git.text("for-each-ref", "--format=%(refname) %(symref)", *prefixes, at=place)
    found = (line.partition(" ") for line in lines.splitlines())
    return [name for name, _, symbolic in found if not symbolic]


def _heads(place: git.Place) -> list[str]:
    return [ref.removeprefix("refs/heads/") for ref in _refs(place, "refs/heads/")]


def _default_branch(place: git.Place, heads: tuple[str, ...]) -> str | None:
    said = git.find_text("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD", at=place)
    if said is not None:
        return said.removeprefix("origin/")
    current = git.find_text("symbolic-ref", "--quiet", "--short", "HEAD", at=place)
    for name in (*USUAL_DEFAULTS, current):
        if name in heads:
            return name
    return heads[0] if heads else current


def _is_dirty(place: git.Place) -> bool:
    finished = git.run("status", "--porcelain", "-z", at=place, limit=1024, truncate=True)
    return bool(finished.stdout)


def _submodules(place: git.Place) -> tuple[str, ...]:
    if not (place.directory / ".gitmodules").is_file():
        return ()
    return tuple(
        sorted(_settings(place, r"^submodule\..*\.path$", "--file", ".gitmodules").values())
    )


def _remotes(place: git.Place) -> dict[str, str]:
    found = _settings(place, r"^remote\..*\.url$")
    return {
        name.removeprefix("remote.").removesuffix(".url"): git.redact(address)
        for name, address in found.items()
    }


def _settings(place: git.Place, pattern: str, *options: str) -> dict[str, str]:
    finished = git.run(
        "config",
        *options,
        "--no-includes",
        "-z",
        "--get-regexp",
        pattern,
        at=place,
        codes=(0, 1, 3, 128),
    )  # 3 and 128: a file nobody can read as settings says nothing
    pairs = (git.shown(record).partition("\n") for record in finished.stdout.split(b"\0")[:-1])
    return {name: value for name, _, value in pairs}
