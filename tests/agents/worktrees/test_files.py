import os
import threading
from pathlib import Path

import pytest

from apps.agents.worktrees import files, trees
from apps.agents.worktrees.errors import FileMissing, FileRefused
from apps.agents.worktrees.files import Source
from tests import git_world


def text(tree: trees.Tree, path: str, source: Source) -> str | None:
    return files.read(tree, path=path, source=source, base_branch="main")["content"]


def test_each_source_shows_its_own_state(tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"a.txt": "head\n"})
    git_world.write(tree.path, {"a.txt": "index\n"})
    git_world.git(tree.path, "add", "a.txt")
    git_world.write(tree.path, {"a.txt": "worktree\n"})
    assert {source: text(tree, "a.txt", source) for source in Source} == {
        Source.WORKTREE: "worktree\n",
        Source.INDEX: "index\n",
        Source.HEAD: "head\n",
        Source.BASE: "one\ntwo\nthree\n",
    }


def test_names_may_be_anything(tree: trees.Tree) -> None:
    for name in ("ü b/日本.txt", "line\nbreak", "-dash", ":(top)x", "a:b", "back\\slash"):
        git_world.commit(tree.path, {name: "x\n"})
        assert text(tree, name, Source.WORKTREE) == "x\n"
        assert text(tree, name, Source.INDEX) == "x\n"
        assert text(tree, name, Source.HEAD) == "x\n"


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "../sess_1/a.txt",
        "src/../../outside.txt",
        "src/../a.txt",
        "/etc/passwd",
        "./a.txt",
        "src//b.py",
        "src/",
        "",
        ".",
        "..",
        ".git",
        ".git/config",
        "src/.GIT/config",
        ".git./config",
        "git~1/config",
        "a.txt\0.png",
        "\udce9",
        "x" * 5000,
    ],
)
def test_a_path_to_anything_else_is_refused(tree: trees.Tree, path: str, source: Source) -> None:
    (tree.path.parent / "outside.txt").write_text("outside")
    with pytest.raises(FileRefused):
        files.read(tree, path=path, source=source, base_branch="main")


@pytest.mark.parametrize("path", ["nope", "src/nope", "a.txt/x", "nope/nope"])
@pytest.mark.parametrize("source", list(Source))
def test_a_missing_file_is_said(tree: trees.Tree, path: str, source: Source) -> None:
    with pytest.raises(FileMissing):
        files.read(tree, path=path, source=source, base_branch="main")


def test_links_are_shown_and_not_followed(tree: trees.Tree) -> None:
    (tree.path / "link").symlink_to("/etc/passwd")
    (tree.path / "folder").symlink_to("/etc")
    (tree.path / "inner").symlink_to("src")
    found = files.read(tree, path="link", source=Source.WORKTREE)
    assert (found["content"], found["symlink"]) == ("/etc/passwd", True)
    for path in ("folder/passwd", "inner/b.py"):
        with pytest.raises(FileRefused, match="through a link"):
            files.read(tree, path=path, source=Source.WORKTREE)


def test_a_directory_swapped_for_a_link_while_reading_leads_nowhere(tree: trees.Tree) -> None:
    outside = tree.path.parent / "outside"
    git_world.write(outside, {"b.py": "outside\n"})
    folder, link = tree.path / "src", tree.path / "swap"
    done = threading.Event()

    def swap() -> None:
        link.symlink_to(outside)
        while not done.is_set():
            folder.rename(tree.path / "kept")
            link.rename(folder)
            folder.rename(link)
            (tree.path / "kept").rename(folder)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = set()
        for _ in range(500):
            try:
                seen.add(text(tree, "src/b.py", Source.WORKTREE))
            except (FileRefused, FileMissing):
                seen.add("refused")
    finally:
        done.set()
        swapper.join()
    assert seen <= {"b = 1\n" * 20, "refused"}


def test_a_directory_is_no_file(tree: trees.Tree) -> None:
    for source in (Source.WORKTREE, Source.HEAD, Source.BASE):
        with pytest.raises(FileRefused, match="src is not a file"):
            files.read(tree, path="src", source=source, base_branch="main")


def test_what_is_no_file_is_refused_at_once(tree: trees.Tree) -> None:
    os.mkfifo(tree.path / "pipe")
    with pytest.raises(FileRefused):
        files.read(tree, path="pipe", source=Source.WORKTREE)


def test_binary_files_have_no_text(tree: trees.Tree) -> None:
    (tree.path / "x.bin").write_bytes(b"GIF89a\0\1")
    git_world.git(tree.path, "add", "x.bin")
    for source in (Source.WORKTREE, Source.INDEX):
        found = files.read(tree, path="x.bin", source=source)
        assert (found["content"], found["binary"], found["size"]) == (None, True, 8)


def test_a_long_file_is_cut(tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"long.txt": "x" * 2000})
    for source in (Source.WORKTREE, Source.HEAD):
        found = files.read(tree, path="long.txt", source=source, limit=1000)
        assert (found["content"], found["truncated"], found["size"]) == ("x" * 1000, True, 2000)
        assert not files.read(tree, path="long.txt", source=source, limit=2000)["truncated"]


def test_text_that_is_not_utf_8_is_shown_all_the_same(tree: trees.Tree) -> None:
    (tree.path / "latin.txt").write_bytes(b"caf\xe9\n")
    assert text(tree, "latin.txt", Source.WORKTREE) == "caf\ufffd\n"


def test_the_worktree_itself_must_not_be_a_link(tmp_path: Path, tree: trees.Tree) -> None:
    tree.path.rename(tmp_path / "moved")
    tree.path.symlink_to(tmp_path / "moved")
    with pytest.raises(FileRefused):
        files.read(tree, path="a.txt", source=Source.WORKTREE)
