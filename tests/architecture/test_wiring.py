"""What an import graph does not see: signals, tasks, names, sizes, codes and kinds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.core import problems
from tests.architecture.sources import ROOT, calls, modules, text_of

PATHS = sorted(modules())
# Where work may be put on the queue, beside the journal: reactions, and tasks among themselves.
MAY_QUEUE = {"reactions.py", "tasks.py"}
SIGNAL_MODULES = ("django.db.models.signals", "django.dispatch", "django.core.signals")
NO_SUCH_MODULES = {"utils.py", "helpers.py", "services.py", "managers.py", "signals.py"}
LONGEST = 600


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_nothing_happens_by_signal(path: Path) -> None:
    imported = {
        node.module
        for node in ast.walk(modules()[path])
        if isinstance(node, ast.ImportFrom) and node.module
    }

    assert not imported & set(SIGNAL_MODULES)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_only_reactions_and_tasks_put_work_on_the_queue(path: Path) -> None:
    named = {name for name, _call in calls(modules()[path])}

    if path.name not in MAY_QUEUE and path != Path("apps/core/events.py"):
        assert not named & {"delay", "apply_async", "send_task"}


def test_tables_are_imported_not_looked_up() -> None:
    lookups = [
        str(path)
        for path, tree in modules().items()
        for name, _call in calls(tree)
        if name == "get_model"
    ]

    assert lookups == []


def test_no_module_is_a_drawer() -> None:
    assert [str(path) for path in PATHS if path.name in NO_SUCH_MODULES] == []


def test_modules_stay_small() -> None:
    sizes = {str(path): (ROOT / path).read_text().count("\n") for path in PATHS}

    assert {path: size for path, size in sizes.items() if size > LONGEST} == {}


def test_imports_are_absolute() -> None:
    relative = [
        str(path)
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


def test_every_problem_has_a_code_of_the_list() -> None:
    used = {
        code
        for tree in modules().values()
        for name, call in calls(tree)
        if name in {kind.__name__ for kind in kinds()}
        and (code := text_of(call, "code")) is not None
    }
    defaults = {kind.default_code for kind in kinds()}

    assert used | defaults <= problems.CODES


def kinds() -> list[type[problems.Problem]]:
    found = [problems.Problem]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


def test_every_event_is_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
    missing = {kind for kind in event_kinds() if f"`{kind}`" not in reference}

    assert missing == set()


def event_kinds() -> set[str]:
    """The kinds that events modules name as literals: `noun.past_participle`."""
    return {
        node.value
        for path, tree in modules().items()
        if path.name == "events.py" or path.parent.name == "events"
        if path.parts[1] != "core"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.count(".") == 1
        and node.value.replace(".", "").replace("_", "").isalpha()
        and node.value.islower()
    }


def test_the_wiring_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("wiring")

    printed = capsys.readouterr().out
    assert "card.moved -> apps.agents.tasks" in printed
    assert "board: attempts" in printed
