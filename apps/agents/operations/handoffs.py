"""What one session tells the next: asked from the model where it can still be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from apps.agents.models import Approval, Turn

if TYPE_CHECKING:
    from apps.agents.models import Attempt

HEADING = "## Hand-off from the session before this one"
# The first words tell agents without a model what is wanted.
REQUEST = """Write a hand-off for a colleague who takes over this work in the same folder and has \
not seen this conversation. Change nothing and run nothing.

Use these headings: Goal, Done, Decisions, Open points, Changed files. Be exact and short: name \
files, commands and reasons, leave out what can be read in the files."""
SUMMARY_REQUEST = """Summarize what was done in this session for somebody who has not followed it. \
Change nothing and run nothing. At most ten sentences: what was wanted, what was done and where, \
what is left."""
CHARACTERS = 12_000
GOAL_CHARACTERS = 2_000
MESSAGE_CHARACTERS = 2_000
MESSAGES = 3
MOST_FILES = 100


def with_handoff(prompt: str, handoff: str) -> str:
    """This will be a prompt that ends with a hand-off, in place of one it may have."""
    own = prompt.split(f"\n\n{HEADING}\n", 1)[0]
    return f"{own}\n\n{HEADING}\n\n{handoff.strip()[:CHARACTERS]}" if handoff.strip() else own


def from_items(attempt: Attempt) -> str:
    """This will be a hand-off made of what is stored of a session, without asking anybody."""
    first = attempt.turns.order_by("number").first()
    goal = " ".join((first.prompt if first else attempt.card.title).split())[:GOAL_CHARACTERS]
    done = [str(todo["text"]) for todo in attempt.todos if todo.get("status") == "completed"]
    left = [str(todo["text"]) for todo in attempt.todos if todo.get("status") != "completed"]
    parts = [
        ("Goal", goal),
        ("Done", "\n".join([*_list(done), *_last_words(attempt)])),
        ("Decisions", "\n".join(_list(_decisions(attempt)))),
        ("Open points", "\n".join(_list(left))),
        ("Changed files", "\n".join(_list(_files(attempt)))),
    ]
    return "\n\n".join(f"### {title}\n\n{text or 'None known.'}" for title, text in parts)


def _list(lines: list[str]) -> list[str]:
    return [f"- {' '.join(line.split())}" for line in lines]


def last_text(attempt: Attempt) -> str:
    """This will be the last thing the agent said."""
    rows = attempt.items.filter(type="message", data__role="assistant").order_by("-position")
    return next((str(row.data.get("text", "")) for row in rows[:1]), "")


def _last_words(attempt: Attempt) -> list[str]:
    rows = attempt.items.filter(type="message", data__role="assistant").order_by("-position")
    said = [" ".join(str(row.data.get("text", "")).split()) for row in rows[:MESSAGES]]
    return [f"It said: {text[:MESSAGE_CHARACTERS]}" for text in reversed(said) if text]


def _decisions(attempt: Attempt) -> list[str]:
    answered = attempt.approvals.filter(status=Approval.Status.ANSWERED).order_by("answered_at")
    return [
        f"{one.title}: {'refused' if one.decision == Approval.Decision.DENY else 'allowed'}"
        + (f" ({one.feedback})" if one.feedback else "")
        for one in answered
    ]


def _files(attempt: Attempt) -> list[str]:
    found: dict[str, None] = {}
    for row in attempt.items.filter(type="tool").order_by("position"):
        metadata = row.data.get("tool", {}).get("metadata") or {}
        for diff in metadata.get("diffs") or ():
            found[str(diff.get("path"))] = None
    return list(found)[:MOST_FILES]


@transaction.atomic
def write_handoff(*, turn: Turn, handoff: str) -> Turn:
    """This will put what the model wrote in place of what was known without it."""
    turn.prompt = with_handoff(turn.prompt, handoff)
    turn.save(update_fields=["prompt", "updated_at"])
    return turn
