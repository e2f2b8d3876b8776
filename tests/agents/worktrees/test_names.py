import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.agents.worktrees import names
from tests import git_world

TEXT = st.text(max_size=80)
WORDS = st.sampled_from(["a", "b", "A", "feat", "feat-2", "x", "x-2"])
NAMES = st.lists(WORDS, min_size=1, max_size=3).map("/".join)


def git_takes(name: str) -> bool:
    if "\0" in name:
        return False
    done = subprocess.run(
        ["git", "check-ref-format", "--branch", name.encode("utf-8", "surrogatepass")],
        env=git_world.ENVIRONMENT,
        cwd="/",
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.parametrize(
    ("title", "ticket_type", "expected"),
    [
        ("Add a login page", None, "KB/KB-12-add-a-login-page"),
        ("  Größe & Naïveté: ÆØ ", None, "KB/KB-12-grosse-naivete-aeo"),
        ("日本語", None, "KB/KB-12"),
        ("../../etc/passwd", None, "KB/KB-12-etc-passwd"),
        ("", "bug", "KB/KB-12"),
    ],
)
def test_the_default_template_gives_prefix_key_and_title(
    title: str, ticket_type: str | None, expected: str
) -> None:
    name = names.branch_name(
        names.DEFAULT_TEMPLATE,
        prefix="KB",
        ticket_key="KB-12",
        title=title,
        ticket_type=ticket_type,
    )
    assert name == expected


@pytest.mark.parametrize(
    ("title", "ticket_type", "expected"),
    [
        ("fix: crash on start", None, "fix/KB-1-crash-on-start"),
        ("Fix(ui)!: crash", None, "fix/KB-1-crash"),
        ("REFACTOR the parser", None, "refactor/KB-1-the-parser"),
        ("Fixture for tests", None, "feat/KB-1-fixture-for-tests"),
        ("fix: crash", "Bug Report", "bug-report/KB-1-fix-crash"),
    ],
)
def test_the_type_is_the_tickets_else_the_titles_first_word(
    title: str, ticket_type: str | None, expected: str
) -> None:
    name = names.branch_name(
        "{type}/{ticketKey}-{slug}",
        prefix="KB",
        ticket_key="KB-1",
        title=title,
        ticket_type=ticket_type,
    )
    assert name == expected


def test_a_long_title_is_cut_between_words() -> None:
    cut = names.slug("word " * 30)
    assert cut == "-".join(["word"] * 10)
    assert names.slug("x" * 90) == "x" * names.SLUG_LIMIT


def test_an_empty_template_falls_back() -> None:
    for template in ("", "//", "{unknown}", "..", ".-."):
        name = names.branch_name(template, prefix="KB", ticket_key="KB-1", title="A b")
        assert name == "kanbanai/a-b"
    assert names.branch_name("", prefix="", ticket_key="", title="") == "kanbanai/task"


@settings(deadline=None, max_examples=150)
@given(template=TEXT, prefix=TEXT, key=TEXT, title=TEXT, kind=st.none() | TEXT)
@example(template="a.lock/b", prefix="", key="", title="", kind=None)
@example(template="refs/heads/x", prefix="", key="", title="", kind=None)
@example(template="-{slug}", prefix="", key="", title="HEAD", kind=None)
@example(template="{slug}", prefix="", key="", title="HEAD", kind=None)
def test_a_name_from_any_text_is_one_git_takes(
    template: str, prefix: str, key: str, title: str, kind: str | None
) -> None:
    for one in (template, template + "{prefix}/{ticketKey}.{type}@{{slug}"):
        name = names.branch_name(one, prefix=prefix, ticket_key=key, title=title, ticket_type=kind)
        assert names.is_valid(name)
        assert git_takes(name)
        assert len(name) <= names.NAME_LIMIT


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="ab/.-@{~^:?*[\\ HED\x7f\té", max_size=8) | TEXT)
def test_a_valid_name_is_what_git_says(name: str) -> None:
    if names.is_valid(name):
        assert git_takes(name)


@given(name=NAMES, others=st.lists(NAMES, max_size=8))
def test_a_unique_name_lives_beside_all_others(name: str, others: list[str]) -> None:
    found = names.unique(name, others)
    lowered = {one.lower() for one in others}
    assert found.lower() not in lowered
    assert not any(one.startswith(f"{found.lower()}/") for one in lowered)
    assert not any(found.lower().startswith(f"{one}/") for one in lowered)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], "feat/x"),
        (["feat/x"], "feat/x-2"),
        (["FEAT/X", "feat/x-2"], "feat/x-3"),
        (["feat"], "feat-x"),
        (["feat", "feat-x"], "feat-x-2"),
        (["feat/x/y"], "feat/x-2"),
    ],
)
def test_a_unique_name_stays_near(others: list[str], expected: str) -> None:
    assert names.unique("feat/x", others) == expected


def test_names_in_use_are_those_of_branches_and_remotes(tmp_path: Path, repository: Path) -> None:
    git_world.git(repository, "branch", "feat/x")
    git_world.git(repository, "pack-refs", "--all")
    git_world.git(tmp_path, "clone", "--quiet", str(repository), "clone")
    git_world.git(tmp_path / "clone", "branch", "mine")
    git_world.git(tmp_path / "clone", "tag", "v1")
    assert names.taken(tmp_path / "clone") == {"main", "mine", "feat/x"}
