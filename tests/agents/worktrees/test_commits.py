from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.agents.worktrees import commits, trees
from apps.agents.worktrees.errors import NothingToCommit, UnresolvedConflicts
from apps.core import git
from tests import git_world


def test_everything_is_committed(tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "x\n", "ü new\n.txt": "y\n", ".gitignore": "out\n"})
    git_world.write(tree.path, {"out/x": "ignored"})
    (tree.path / "src/b.py").unlink()
    made = commits.commit_all(
        tree,
        subject="  feat: all\nof it ",
        body="# Why\n\nBecause.\n",
        author=git.Identity("Ada Lovelace", "ada@example.org"),
        trailers={"Attempt": "sess_1", "Odd key": "two\nlines"},
    )
    assert git_world.git(tree.path, "status", "--porcelain") == ""
    assert git_world.git(tree.path, "log", "-1", "--format=%H|%an|%ae|%cn|%B") == (
        f"{made.sha}|Ada Lovelace|ada@example.org|Ada Lovelace|"
        "feat: all of it\n\n# Why\n\nBecause.\n\nAttempt: sess_1\nOdd-key: two lines\n"
    )
    assert made.sha.startswith(made.short_sha)
    assert (len(made.short_sha), made.branch, made.skipped) == (7, "KB/1", ())
    shown = git_world.git(tree.path, "show", "--name-status", "--format=", "-z", "HEAD")
    assert sorted(shown.split("\0")) == sorted(
        ["", "M", "a.txt", "D", "src/b.py", "A", "ü new\n.txt", "A", ".gitignore"]
    )


def test_nothing_to_commit_is_said(tree: trees.Tree) -> None:
    with pytest.raises(NothingToCommit):
        commits.commit_all(tree, subject="x")


def test_the_author_is_found(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"x": "1"})
    commits.commit_all(tree, subject="x")
    assert git_world.git(tree.path, "log", "-1", "--format=%an <%ae>") == (
        "KanbanAI <kanbanai@localhost>"
    )
    git_world.git(repository, "config", "user.name", "Bob")
    git_world.git(repository, "config", "user.email", "bob@example.org")
    git_world.write(tree.path, {"x": "2"})
    commits.commit_all(tree, subject="x")
    assert git_world.git(tree.path, "log", "-1", "--format=%an") == "Bob"


def test_hooks_and_signatures_are_left_out(
    tmp_path: Path, repository: Path, tree: trees.Tree
) -> None:
    for name in ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit"):
        git_world.set_hook(repository, name, f"touch {tmp_path}/hooked; sleep 600")
    git_world.git(repository, "config", "commit.gpgSign", "true")
    git_world.git(repository, "config", "gpg.program", f"touch {tmp_path}/signed; false")
    git_world.write(tree.path, {"x": "1"})
    commits.commit_all(tree, subject="x")
    assert not (tmp_path / "hooked").exists()
    assert not (tmp_path / "signed").exists()


def test_conflicts_are_not_committed(repository: Path, tree: trees.Tree) -> None:
    git_world.commit(repository, {"a.txt": "theirs\n"})
    git_world.commit(tree.path, {"a.txt": "ours\n"})
    with pytest.raises(Exception, match="non-zero"):
        git_world.git(tree.path, "merge", "main")
    with pytest.raises(UnresolvedConflicts) as caught:
        commits.commit_all(tree, subject="x")
    assert caught.value.files == ["a.txt"]
    git_world.write(tree.path, {"a.txt": "both\n"})
    git_world.git(tree.path, "add", "a.txt")
    made = commits.commit_all(tree, subject="merged")
    parents = git_world.git(tree.path, "log", "-1", "--format=%P", made.sha).split()
    assert len(parents) == 2


def test_inner_repositories_are_skipped_and_never_entered(tmp_path: Path, tree: trees.Tree) -> None:
    mark = tmp_path / "mark"
    git_world.trapped(tree.path / "planted", mark)
    git_world.trapped(tree.path / "added", mark)
    git_world.git(tree.path, "init", "--quiet", "unborn")
    git_world.git(tree.path, "add", "added")
    git_world.write(
        tree.path,
        {".gitmodules": '[submodule "added"]\n\tpath = added\n\turl = x\n\tignore = none\n'},
    )
    mark.unlink(missing_ok=True)
    made = commits.commit_all(tree, subject="x")
    assert made.skipped == ("planted", "unborn")
    assert git_world.git(tree.path, "ls-tree", "--name-only", "HEAD").splitlines() == [
        ".gitmodules",
        "a.txt",
        "added",
        "src",
    ]
    assert not mark.exists()


def test_a_submodule_follows_its_head(tmp_path: Path, repository: Path) -> None:
    inner = git_world.repository(tmp_path / "inner")
    git_world.git(
        *(repository, "-c", "protocol.file.allow=always"),
        *("submodule", "--quiet", "add", str(inner), "lib"),
    )
    git_world.git(repository, "commit", "--quiet", "-m", "submodule")
    tree = trees.create(
        repository=repository, path=tmp_path / "w", branch="x", base_branch="main"
    ).tree
    git_world.write(tree.path, {"x": "1"})
    commits.commit_all(tree, subject="unpopulated")
    assert git_world.git(tree.path, "diff", "--name-only", "main", "HEAD") == "x"
    git_world.git(
        *(tree.path, "-c", "protocol.file.allow=always"),
        *("submodule", "--quiet", "update", "--init"),
    )
    sha = git_world.commit(tree.path / "lib", {"new.txt": "x\n"})
    commits.commit_all(tree, subject="moved")
    assert git_world.git(tree.path, "rev-parse", "HEAD:lib") == sha
    git_world.git(tree.path, "rm", "--quiet", "--force", "lib")
    commits.commit_all(tree, subject="gone")
    assert "lib" not in git_world.git(tree.path, "ls-tree", "--name-only", "HEAD").split()


def test_work_on_no_branch_is_committed_too(tree: trees.Tree) -> None:
    git_world.git(tree.path, "checkout", "--quiet", "--detach")
    git_world.write(tree.path, {"x": "1"})
    assert commits.commit_all(tree, subject="x").branch is None


@pytest.mark.parametrize(
    ("said", "title", "subject", "body"),
    [
        (None, "Add login", "feat: Add login", ""),
        ("```py\ncode\n```", "Add login", "feat: Add login", ""),
        ("  ", "  ", "chore: agent changes", ""),
        ("Done.", "x", "Done.", ""),
        (
            "## I added `login`.\n\n```\ncode\n```\nIt  works.\n",
            "x",
            "I added login.",
            "It works.",
        ),
        ("An unclosed\n```\nblock", "x", "An unclosed", ""),
    ],
)
def test_a_message_is_made_of_what_the_agent_said(
    said: str | None, title: str, subject: str, body: str
) -> None:
    assert commits.automatic_message(last_message=said, title=title) == (subject, body)


@given(said=st.none() | st.text(max_size=3000), title=st.text(max_size=300))
def test_a_message_is_never_too_long(said: str | None, title: str) -> None:
    subject, body = commits.automatic_message(last_message=said, title=title)
    assert 0 < len(subject) <= commits.SUBJECT_LIMIT
    assert "\n" not in subject
    assert len(body) <= commits.BODY_LIMIT


def test_a_long_first_line_goes_on_in_the_body() -> None:
    said = "word " * 40
    subject, body = commits.automatic_message(last_message=said, title="x")
    assert subject == " ".join(["word"] * 14) + "…"
    assert body == said.strip()
