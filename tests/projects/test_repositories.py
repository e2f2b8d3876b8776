import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.core import git
from apps.projects import repositories
from apps.projects.repositories import Kind
from tests import git_world


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return git_world.repository(tmp_path / "repository ü")


def test_what_is_no_repository_is_said(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (repository / "folder").mkdir()
    expected = {
        tmp_path / "missing": Kind.MISSING,
        tmp_path / "file": Kind.NOT_A_DIRECTORY,
        tmp_path / "dangling": Kind.MISSING,
        tmp_path: Kind.NOT_A_REPOSITORY,
        repository / ".git": Kind.NOT_A_REPOSITORY,
        repository / "folder": Kind.SUBFOLDER,
    }
    found = {path: repositories.inspect(path) for path in expected}
    assert {path: one.kind for path, one in found.items()} == expected
    assert all(one.problem and not one.usable for one in found.values())
    assert found[repository / "folder"].top_level == repository


def test_a_plain_repository_is_usable(repository: Path) -> None:
    found = repositories.inspect(repository)
    assert found == repositories.Inspection(
        repository,
        Kind.REPOSITORY,
        top_level=repository,
        has_commits=True,
        current_branch="main",
        default_branch="main",
        branches=("main",),
    )
    assert found.usable


def test_a_repository_without_commits_is_said(tmp_path: Path) -> None:
    git_world.git(tmp_path, "init", "--quiet", "--initial-branch=trunk", "empty")
    found = repositories.inspect(tmp_path / "empty")
    assert (found.kind, found.usable, found.has_commits) == (Kind.REPOSITORY, False, False)
    assert (found.current_branch, found.default_branch) == ("trunk", "trunk")
    assert found.problem == "This repository has no commits yet."


def test_a_bare_repository_is_said(tmp_path: Path, repository: Path) -> None:
    git_world.git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare.git")
    found = repositories.inspect(tmp_path / "bare.git")
    assert (found.kind, found.usable, found.branches) == (Kind.BARE, False, ("main",))


def test_a_detached_head_is_seen(repository: Path) -> None:
    git_world.git(repository, "checkout", "--quiet", "--detach")
    found = repositories.inspect(repository)
    assert (found.detached, found.current_branch, found.default_branch) == (True, None, "main")
    assert found.usable


def test_changes_are_seen(repository: Path) -> None:
    git_world.write(repository, {"new\nline.txt": "x"})
    assert repositories.inspect(repository).dirty


def test_submodules_shallow_clones_and_remotes_are_seen(tmp_path: Path, repository: Path) -> None:
    git_world.commit(repository, {"b.txt": "b\n"})
    address = f"file://{repository}"
    git_world.git(tmp_path, "clone", "--quiet", "--depth=1", address, "shallow")
    shallow = tmp_path / "shallow"
    git_world.git(
        *(shallow, "-c", "protocol.file.allow=always"),
        *("submodule", "--quiet", "add", address, "lib/inner"),
    )
    git_world.git(shallow, "remote", "add", "fork", "https://ada:hush@example.org/x.git")
    found = repositories.inspect(shallow)
    assert found.shallow
    assert found.submodules == ("lib/inner",)
    assert found.remotes == {"origin": address, "fork": "https://***@example.org/x.git"}


def test_a_submodule_file_nobody_can_read_does_no_harm(repository: Path) -> None:
    git_world.write(repository, {".gitmodules": "[submodule\n\0broken"})
    assert repositories.inspect(repository).submodules == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
def test_a_repository_of_another_account_is_said(repository: Path) -> None:
    for path in (repository, repository / ".git"):
        os.chown(path, 65534, 65534)
    found = repositories.inspect(repository)
    assert found.kind is Kind.NOT_OURS
    assert "another account" in (found.problem or "")


def test_branches_are_listed_with_the_current_one_first(tmp_path: Path, repository: Path) -> None:
    git_world.git(repository, "branch", "feat/x")
    git_world.git(tmp_path, "clone", "--quiet", str(repository), "clone")
    clone = tmp_path / "clone"
    git_world.git(clone, "branch", "alpha")
    assert repositories.branches(clone) == [
        {"name": "main", "displayName": "main", "kind": "local", "isCurrent": True},
        {"name": "alpha", "displayName": "alpha", "kind": "local", "isCurrent": False},
        {
            "name": "origin/feat/x",
            "displayName": "feat/x",
            "kind": "remote",
            "remote": "origin",
            "isCurrent": False,
        },
        {
            "name": "origin/main",
            "displayName": "main",
            "kind": "remote",
            "remote": "origin",
            "isCurrent": False,
        },
    ]


def test_the_default_branch_is_the_remotes_else_a_usual_one(
    tmp_path: Path, repository: Path
) -> None:
    git_world.git(repository, "branch", "-m", "main", "production")
    assert repositories.default_branch(repository) == "production"
    git_world.git(tmp_path, "clone", "--quiet", str(repository), "clone")
    git_world.git(tmp_path / "clone", "switch", "--quiet", "-c", "main")
    assert repositories.default_branch(tmp_path / "clone") == "production"
    git_world.git(repository, "switch", "--quiet", "-c", "develop")
    git_world.git(repository, "branch", "main")
    assert repositories.default_branch(repository) == "main"


def test_tracked_files_are_listed(repository: Path) -> None:
    git_world.commit(repository, {"deep/ü b.txt": "x", "z.txt": "z"})
    git_world.write(repository, {"untracked.txt": "x"})
    assert repositories.files(repository) == ["a.txt", "deep/ü b.txt", "z.txt"]
    assert repositories.files(repository, limit=1) == ["a.txt"]


def test_a_new_repository_has_a_first_commit(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "new"
    author = git.Identity("Eve", "eve@example.org")
    found = repositories.initialize(path, "My\nproject", author=author)
    assert (found.usable, found.dirty, found.current_branch) == (True, False, "main")
    assert (path / "README.md").read_text() == "# My project\n"
    assert git_world.git(path, "log", "--format=%an <%ae> %s") == (
        "Eve <eve@example.org> Initial commit"
    )


def test_a_new_repository_takes_nothing_over_without_being_told(tmp_path: Path) -> None:
    git_world.write(tmp_path / "old", {"src/a.py": "a = 1\n", ".gitignore": "secret\n"})
    git_world.write(tmp_path / "old", {"secret": "hush"})
    with pytest.raises(git.PathOccupied):
        repositories.initialize(tmp_path / "old", "Old")
    assert not (tmp_path / "old" / ".git").exists()
    repositories.initialize(tmp_path / "old", "Old", adopt=True)
    assert repositories.files(tmp_path / "old") == [".gitignore", "src/a.py"]
    with pytest.raises(git.PathOccupied, match="already a repository"):
        repositories.initialize(tmp_path / "old", "Old", adopt=True)


def test_a_repository_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_world.write(tmp_path / "old", {"a.txt": "a"})
    monkeypatch.setenv("PATH", "/nonexistent")
    for path, adopt in ((tmp_path / "new", False), (tmp_path / "old", True)):
        with pytest.raises(git.GitMissing):
            repositories.initialize(path, "x", adopt=adopt)
    assert not (tmp_path / "new").exists()
    assert [one.name for one in (tmp_path / "old").iterdir()] == ["a.txt"]


def test_the_demo_project_is_real(tmp_path: Path) -> None:
    path = tmp_path / "demo"
    found = repositories.create_demo(path)
    assert (found.usable, found.dirty, found.branches) == (True, False, ("main",))
    assert git_world.git(path, "log", "--format=%s", "--reverse").splitlines() == [
        "Read and scale recipes",
        "Write a shopping list for several recipes",
        "Test scaling and adding up, note ideas",
    ]
    checked = subprocess.run(
        [sys.executable, "-m", "unittest", "-q"], cwd=path, capture_output=True, check=False
    )
    assert (checked.returncode, b"Ran 3 tests" in checked.stderr) == (0, True)
    bought = subprocess.run(
        [sys.executable, "-m", "pantry", "shop", "pancakes:8", "soup"],
        cwd=path,
        capture_output=True,
        check=True,
    )
    assert bought.stdout.decode().splitlines()[0] == "80 g butter"
    with pytest.raises(git.PathOccupied):
        repositories.create_demo(path)
