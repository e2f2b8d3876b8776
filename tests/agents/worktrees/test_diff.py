import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.agents.worktrees import diff, parsing, trees
from tests import git_world

LINES = st.lists(
    st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), max_size=6),
    max_size=12,
)


def only(tree: trees.Tree) -> parsing.FileDiff:
    (found,) = diff.parse(diff.read(tree, base_branch="main")["diff"])
    return found


def test_no_changes_give_an_empty_diff(tree: trees.Tree) -> None:
    assert diff.read(tree, base_branch="main") == diff.empty()
    assert diff.parse("") == []


def test_committed_uncommitted_and_untracked_changes_are_in_it(tree: trees.Tree) -> None:
    git_world.commit(tree.path, {"c.txt": "c\n"})
    git_world.write(tree.path, {"a.txt": "one\nthree\n", "deep/new.txt": "x\ny"})
    found = diff.read(tree, base_branch="main")
    assert found["stats"] == {"filesChanged": 3, "insertions": 3, "deletions": 1}
    assert found["diff"] == (
        "diff --git a/a.txt b/a.txt\n"
        "index 4cb29ea..4c7442b 100644\n"
        "--- a/a.txt\n+++ b/a.txt\n"
        "@@ -1,3 +1,2 @@\n one\n-two\n three\n"
        "diff --git a/c.txt b/c.txt\n"
        "new file mode 100644\nindex 0000000..f2ad6c7\n"
        "--- /dev/null\n+++ b/c.txt\n@@ -0,0 +1 @@\n+c\n"
        "diff --git a/deep/new.txt b/deep/new.txt\n"
        "new file mode 100644\nindex 0000000..1b32298\n"
        "--- /dev/null\n+++ b/deep/new.txt\n@@ -0,0 +1,2 @@\n+x\n+y\n"
        "\\ No newline at end of file\n"
    )
    assert git_world.git(tree.path, "diff", "--cached", "--name-only") == ""


def test_the_configuration_has_no_say_in_the_shape(repository: Path, tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "one\n\nthree\n"})
    plain = diff.read(tree, base_branch="main")
    for key, value in {
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.external": "touch /tmp/never",
        "diff.suppressBlankEmpty": "true",
        "diff.context": "9",
        "diff.renames": "false",
        "color.ui": "always",
        "diff.wordRegex": ".",
    }.items():
        git_world.git(repository, "config", key, value)
    assert diff.read(tree, base_branch="main") == plain


def test_programs_for_diffs_are_never_started(
    tmp_path: Path, repository: Path, tree: trees.Tree
) -> None:
    mark = tmp_path / "mark"
    git_world.git(repository, "config", "diff.evil.textconv", f"touch {mark}; cat")
    git_world.git(repository, "config", "diff.evil.command", f"touch {mark}")
    git_world.write(tree.path, {".gitattributes": "* diff=evil\n", "a.txt": "x\n"})
    assert "+x\n" in diff.read(tree, base_branch="main")["diff"]
    assert not mark.exists()


def test_a_long_diff_is_cut_after_a_line_and_counted_whole(tree: trees.Tree) -> None:
    git_world.write(tree.path, {"long.txt": "0123456789\n" * 1000})
    found = diff.read(tree, base_branch="main", limit=500)
    assert found["truncated"]
    assert found["stats"] == {"filesChanged": 1, "insertions": 1000, "deletions": 0}
    assert len(found["diff"]) <= 500
    assert found["diff"].endswith("+0123456789\n")
    (cut,) = diff.parse(found["diff"])
    assert cut["path"] == "long.txt"
    assert cut["insertions"] == found["diff"].count("+0123456789")


def test_a_diff_may_be_of_one_file(tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "x\n", "b*.txt": "b\n", "bb.txt": "b\n"})
    (tree.path / "src/b.py").rename(tree.path / "src/c.py")
    found = diff.read(tree, base_branch="main", path="b*.txt")
    assert [one["path"] for one in diff.parse(found["diff"])] == ["b*.txt"]
    assert found["stats"]["filesChanged"] == 1
    found = diff.read(tree, base_branch="main", path="src/c.py", old_path="src/b.py")
    assert [one["change"] for one in diff.parse(found["diff"])] == ["renamed"]


def test_lines_have_their_numbers(tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "one\n2\nthree"})
    found = only(tree)
    (hunk,) = found["hunks"]
    assert [
        (one["kind"], one["oldNumber"], one["newNumber"], one["text"], one["noNewline"])
        for one in hunk["lines"]
    ] == [
        ("context", 1, 1, "one", False),
        ("del", 2, None, "two", False),
        ("del", 3, None, "three", False),
        ("add", None, 2, "2", False),
        ("add", None, 3, "three", True),
    ]
    assert (found["insertions"], found["deletions"]) == (2, 2)
    assert (hunk["oldStart"], hunk["oldLines"], hunk["newStart"], hunk["newLines"]) == (1, 3, 1, 3)


def test_a_rename_with_an_edit_is_one_change(tree: trees.Tree) -> None:
    (tree.path / "src/b.py").rename(tree.path / "ü c.py")
    with (tree.path / "ü c.py").open("a") as stream:
        stream.write("c = 1\n")
    found = only(tree)
    assert (found["change"], found["path"], found["oldPath"]) == ("renamed", "ü c.py", "src/b.py")
    assert (found["similarity"] or 0) > 90
    assert (found["insertions"], found["deletions"]) == (1, 0)


def test_deleted_binary_and_empty_files_are_told(tree: trees.Tree) -> None:
    (tree.path / "a.txt").unlink()
    (tree.path / "b in.bin").write_bytes(b"\0\1")
    (tree.path / "empty\tfile").touch()
    (tree.path / "src/b.py").chmod(0o755)
    found = {one["path"]: one for one in diff.parse(diff.read(tree, base_branch="main")["diff"])}
    assert {path: (one["change"], one["binary"]) for path, one in found.items()} == {
        "a.txt": ("deleted", False),
        "b in.bin": ("added", True),
        "empty\tfile": ("added", False),
        "src/b.py": ("modified", False),
    }
    assert (found["src/b.py"]["oldMode"], found["src/b.py"]["newMode"]) == ("100644", "100755")
    assert found["a.txt"]["oldMode"] == "100644"
    assert found["a.txt"]["deletions"] == 3


@pytest.mark.parametrize(
    "name",
    ["with space", 'quo"te', "tab\tin", "line\nbreak", "back\\slash", "ünï", " b/x", "x b/y"],
)
def test_names_survive_the_way_through_a_diff(tree: trees.Tree, name: str) -> None:
    git_world.write(tree.path, {name: "x\n"})
    assert only(tree)["path"] == name
    git_world.commit(tree.path, {})
    git_world.git(tree.path, "update-ref", "refs/heads/other", "HEAD")
    git_world.write(tree.path, {name: "y\n"})
    (again,) = diff.parse(diff.read(tree, base_branch="other")["diff"])
    assert (again["path"], again["change"]) == (name, "modified")


def test_lines_that_look_like_headers_are_lines(tree: trees.Tree) -> None:
    git_world.write(tree.path, {"a.txt": "-- a/x\n++ b/x\ndiff --git a/x b/x\n@@ -1 +1 @@\n"})
    found = only(tree)
    assert [one["text"] for one in found["hunks"][0]["lines"] if one["kind"] == "add"] == [
        "-- a/x",
        "++ b/x",
        "diff --git a/x b/x",
        "@@ -1 +1 @@",
    ]


def test_planted_repositories_are_never_entered(tmp_path: Path, tree: trees.Tree) -> None:
    mark = tmp_path / "mark"
    git_world.trapped(tree.path / "added", mark)
    git_world.git(tree.path, "init", "--quiet", "unborn")
    git_world.git(tree.path, "add", "added")
    mark.unlink(missing_ok=True)
    found = only(tree)
    assert (found["path"], found["newMode"]) == ("added", "160000")
    assert not mark.exists()


@settings(deadline=None, max_examples=60)
@given(old=LINES, new=LINES, old_end=st.booleans(), new_end=st.booleans())
def test_a_parsed_diff_gives_both_sides_back(
    old: list[str], new: list[str], *, old_end: bool, new_end: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, after = ("\n".join(lines) for lines in (old, new))
        before += "\n" if old_end and old else ""
        after += "\n" if new_end and new else ""
        (folder / "old").write_text(before, encoding="utf-8", newline="")
        (folder / "new").write_text(after, encoding="utf-8", newline="")
        done = subprocess.run(
            ["git", "diff", "--no-index", "--text", "-U9999", "old", "new"],
            cwd=folder,
            env=git_world.ENVIRONMENT,
            capture_output=True,
            check=False,
        )
    parsed = diff.parse(done.stdout.decode("utf-8"))
    if before == after:
        assert parsed == []
        return
    lines = [line for hunk in parsed[0]["hunks"] for line in hunk["lines"]]
    assert side(lines, "add") == before
    assert side(lines, "del") == after


def side(lines: list[parsing.Line], other: str) -> str:
    kept = [line for line in lines if line["kind"] != other]
    return "".join(line["text"] + ("" if line["noNewline"] else "\n") for line in kept)


@given(st.text(max_size=400))
def test_no_text_breaks_the_parser(text: str) -> None:
    diff.parse(text)
    diff.parse(f"diff --git a/x b/x\n{text}")
    diff.parse(f"diff --git a/x b/x\n@@ -1,9 +1,9 @@\n{text}")
