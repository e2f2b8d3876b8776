"""Every write looks alike: keyword-only, its actor first, one transaction, a sentence about it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from django.db.transaction import Atomic

APPS = ("accounts", "orgs", "projects", "boards", "agents", "dashboard")

# These span several transactions on purpose: between them they run git, wait for an agent to stop,
# ask other machines or go on to the next row. Each says so in its docstring.
IN_STEPS = {
    "accounts.send_mails",
    "agents.cancel_agent",
    "agents.clean_column",
    "agents.close_stale",
    "agents.commit",
    "agents.credential_usage",
    "agents.delete_board",
    "agents.delete_card",
    "agents.delete_project",
    "agents.dispatch_queue",
    "agents.finish_login",
    "agents.merge",
    "agents.reap_attempt",
    "agents.reap_scripts",
    "agents.remove_worktree",
    "agents.renew_credential",
    "agents.restore_worktree",
    "agents.stop_and_wait",
    "agents.summarize",
    "agents.verify_credential",
    "dashboard.make_backup",
}
# These only look, or tidy up behind the machine: they stand beside the writes they belong to.
READS = {
    "agents.git_diff",
    "agents.git_file",
    "agents.git_status",
    "agents.kill_strays",
    "agents.lost_attempts",
    "agents.mark_sent",
    "agents.queue_position",
    "agents.refusal",
    "agents.unclaimed_attempts",
}


def operations_of(app: str) -> dict[str, Callable[..., Any]]:
    module: ModuleType = importlib.import_module(f"apps.{app}.operations")
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    return {
        f"{app}.{name}": getattr(module, name)
        for name in names
        if inspect.isfunction(getattr(module, name))
    }


ALL = {name: found for app in APPS for name, found in operations_of(app).items()}


def is_atomic(function: Callable[..., Any]) -> bool:
    """True for what `@transaction.atomic` wrapped, under whatever other decorators."""
    current: Any = function
    while current is not None:
        cells = getattr(current, "__closure__", None) or ()
        if any(isinstance(cell.cell_contents, Atomic) for cell in cells):
            return True
        current = getattr(current, "__wrapped__", None)
    return False


@pytest.mark.parametrize("name", ALL)
def test_an_operation_is_one_transaction(name: str) -> None:
    assert is_atomic(ALL[name]) or name in IN_STEPS | READS


@pytest.mark.parametrize("name", sorted(set(ALL) - READS))
def test_an_operation_takes_keywords_and_its_actor_first(name: str) -> None:
    parameters = list(inspect.signature(ALL[name]).parameters.values())

    assert parameters, name
    assert parameters[0].name == "actor"
    assert {parameter.kind for parameter in parameters} <= {
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    }


@pytest.mark.parametrize("name", ALL)
def test_an_operation_says_what_it_will_do(name: str) -> None:
    function = inspect.unwrap(ALL[name])
    annotations = function.__annotations__
    parameters = inspect.signature(function).parameters

    assert function.__doc__
    assert function.__doc__.strip().startswith("This will ")
    assert set(annotations) == {*parameters, "return"}


def test_no_exception_is_out_of_date() -> None:
    assert (IN_STEPS | READS) - set(ALL) == set()
    assert {name for name in IN_STEPS if is_atomic(ALL[name])} == set()
