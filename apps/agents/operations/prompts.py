"""What an agent is told first: the column's words, the card, and what came of the step before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from apps.agents import places, registry, slash_commands
from apps.agents.states import Status
from apps.boards.models import AgentMode

if TYPE_CHECKING:
    from apps.agents.models import Attempt
    from apps.boards.models import Card, Column
    from apps.projects.models import Project

PREVIOUS_CHARACTERS = 8_000
# The first words tell agents without a model what is wanted.
GO_ON = (
    "Go on where you stopped: the server was restarted while you worked, and whatever you had"
    " started then is gone. Look at what is there before you do it again."
)


def first_prompt(
    attempt: Attempt, card: Card, column: Column | None, *, agent: str, message: str = ""
) -> str:
    """This will be the first prompt of an attempt; `message` is what somebody adds to it.

    A shell script is run as it is written on the card: nothing may stand around it.
    """
    if _is_shell(agent):
        return message or card.prompt or card.title
    parts = [
        _step_prompt(card, column),
        f"# {card.title}",
        card.prompt,
        _files(attempt),
        _previous(attempt, card),
        expand(message, project=card.project, agent=agent),
    ]
    return "\n\n".join(part.strip() for part in parts if part and part.strip())


def _is_shell(agent: str) -> bool:
    preset = registry.find_preset(agent)
    return preset is not None and preset.family == "command"


def expand(text: str, *, project: Project, agent: str) -> str:
    """This will be what an agent gets of a person's words: a command of ours becomes its prompt."""
    if not text.startswith("/") or _is_shell(agent):
        return text
    return slash_commands.expanded(text, folder=Path(project.path))


def _step_prompt(card: Card, column: Column | None) -> str:
    if column is None:
        return ""
    steps: list[dict[str, Any]] = card.pipeline or []
    own = next((step for step in steps if step.get("columnId") == column.public_id), {})
    words = str(own.get("prompt") or "") or column.prompt
    if column.agent_mode == AgentMode.SKILL and column.skill_name:
        words = f"/{column.skill_name}\n\n{words}".strip()
    return words


def _files(attempt: Attempt) -> str:
    paths = [str(path) for _attachment, path in places.attachment_paths(attempt)]
    return "\n".join(["## Attached files", "", *(f"- {path}" for path in paths)]) if paths else ""


def _previous(attempt: Attempt, card: Card) -> str:
    """What came of the step before: a plan that was approved, or what another column's agent did.

    An attempt in the same column is not a step before, but the same one begun anew.
    """
    another_step = Q(mode=AgentMode.PLAN) | (
        Q(column__isnull=False) & ~Q(column=attempt.column_id)
        if attempt.column_id
        else Q(pk__isnull=True)
    )
    before = (
        card.attempts.filter(another_step, status=Status.SUCCEEDED, number__lt=attempt.number)
        .exclude(summary="")
        .order_by("-number")
        .first()
    )
    if before is None:
        return ""
    title = "The approved plan" if before.mode == AgentMode.PLAN else "What the step before did"
    return f"## {title}\n\n{before.summary[:PREVIOUS_CHARACTERS]}"


def continuation(title: str, *, allowed: bool, feedback: str) -> str:
    """This will tell an agent, whose process has ended meanwhile, what a person answered."""
    answer = "has been allowed" if allowed else "was not allowed"
    note = f"Your request “{title}” {answer}."
    if allowed:
        note += " Go on where you stopped, and do it now; you need not ask for it again."
    if feedback:
        note += f"\n\n{feedback}"
    return note
