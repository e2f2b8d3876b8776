"""What an event of the journal has to say to whom: agents, scripts and invitations.

Of an agent hear those who have to do with its card: who started it, who made the card, who it is
assigned to; the project's owner where none of them is left. A script tells whoever ran it. Only
people who may still see the project are told, and nobody of what they did themselves. Addresses
without an account are written to by the projects app, which has the invitations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse

from apps.accounts import operations as account_operations
from apps.accounts.models import Notification, User
from apps.accounts.operations import Notice
from apps.agents import queries as agent_queries
from apps.agents.models import Approval
from apps.agents.states import REMEDIES, Status, WaitingFor
from apps.boards import queries as board_queries
from apps.boards.models import Card
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.orgs.models import Organization
from apps.projects.models import Project, ScriptRun

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from apps.agents.models import Attempt
    from apps.core.models import Event

Told = Notification.Event


def tell(event: Event) -> None:
    """This will tell of an event whoever wants to hear of it; told twice, they hear it once."""
    data = event.data
    actor = _actor(event)
    match event.kind:
        case "attempt.completed" | "attempt.status_changed" | "attempt.approval_requested":
            attempt = _attempt(data)
            if attempt is not None:
                _of_attempt(event, attempt, actor)
        case "card.auto_mode_ended":
            _of_auto_mode(event, actor)
        case "script.finished":
            _of_script(event, actor)
        # Told on the person's own topic as well; once is enough.
        case "member.added" if event.topic.startswith("project."):
            _of_invitation(event, actor)
        case "membership.created":
            _of_membership(event, actor)


def _actor(event: Event) -> Actor:
    """Who caused it; a named part of the system where that was no person, or is one no more."""
    key = _key("user", event.actor.get("userId"))
    user = User.objects.filter(pk=key).first() if key else None
    return Actor(user=user, origin="task") if user else Actor.system("notices")


def _key(prefix: str, text: object) -> UUID | None:
    try:
        return ids.decode(prefix, text)
    except problems.NotFound:
        return None


def _seeing(project: Project, people: Iterable[UUID | None]) -> list[UUID]:
    """Those of the people who may see the project."""
    users = User.objects.filter(pk__in={one for one in people if one}, is_active=True)
    mine = Project.objects.filter(pk=project.pk)
    return [user.pk for user in users if mine.visible_to(user).exists()]


# --- agents --------------------------------------------------------------------------------------


def _attempt(data: dict[str, Any]) -> Attempt | None:
    key = _key("sess", data.get("attemptId"))
    return agent_queries.find_attempt(key) if key else None


def _of_attempt(event: Event, attempt: Attempt, actor: Actor) -> None:
    said = _said(event, attempt)
    if said is None:
        return
    what, words, body = said
    card = attempt.card
    notice = Notice(
        event=what,
        title=f"{card.key} {words}: {card.title}",
        body=body,
        path=reverse("card", args=[attempt.board_id, card.pk]),
        project_id=attempt.project_id,
        source=f"event:{event.topic}:{event.version}",
        action="Open the card",
    )
    concerned = [attempt.started_by_id, card.created_by_id]
    concerned += card.assignees.values_list("pk", flat=True)
    people = _seeing(attempt.project, concerned)
    if not people:
        people = _seeing(attempt.project, [attempt.project.owner_id])
    account_operations.notify(actor=actor, people=people, notice=notice)


def _said(event: Event, attempt: Attempt) -> tuple[str, str, str] | None:
    """The kind of news, the words between the card's key and its title, and one sentence."""
    shown = event.data.get("attempt", {})
    state = shown.get("state")
    if event.kind == "attempt.approval_requested":
        return _asked(event.data.get("approval", {}))
    if event.kind == "attempt.status_changed":
        waits = state == Status.WAITING and shown.get("waitingFor") == WaitingFor.INPUT
        return (Told.INPUT_NEEDED, "waits for you", "") if waits else None
    if state == Status.SUCCEEDED:
        return Told.AGENT_COMPLETED, "is done", attempt.summary
    if state in {Status.FAILED, Status.INTERRUPTED}:
        remedy = REMEDIES.get(str(shown.get("reason") or ""))
        why = shown.get("detail") or (remedy[0] if remedy else "")
        return Told.AGENT_FAILED, "failed", str(why)
    return None


def _asked(asked: dict[str, Any]) -> tuple[str, str, str] | None:
    """A question that was answered before anybody could be told is none any more."""
    key = _key("appr", asked.get("id"))
    if key is None or not Approval.objects.filter(pk=key, status="pending").exists():
        return None
    title = str(asked.get("title", ""))
    if asked.get("kind") == Approval.Kind.QUESTION:
        return Told.INPUT_NEEDED, "asks", title
    if asked.get("kind") == Approval.Kind.PLAN:
        return Told.APPROVAL_NEEDED, "has a plan", title
    return Told.APPROVAL_NEEDED, "needs your permission", title


def _of_auto_mode(event: Event, actor: Actor) -> None:
    """A card that goes on by itself no longer; of a failure its attempt has told already."""
    key = _key("card", event.data.get("card", {}).get("id"))
    found = Card.objects.select_related("project", "board").filter(pk=key).first() if key else None
    if found is None or event.data.get("reason") == "failed":
        return
    notice = Notice(
        event=Told.AGENT_FAILED,
        title=f"{found.key} goes on by itself no longer: {found.title}",
        body=str(event.data.get("detail") or ""),
        path=reverse("card", args=[found.board_id, found.pk]),
        project_id=found.project_id,
        source=f"event:{event.topic}:{event.version}",
        action="Open the card",
    )
    concerned = [found.created_by_id, *found.assignees.values_list("pk", flat=True)]
    people = _seeing(found.project, concerned) or _seeing(found.project, [found.project.owner_id])
    account_operations.notify(actor=actor, people=people, notice=notice)


# --- scripts -------------------------------------------------------------------------------------


def _of_script(event: Event, actor: Actor) -> None:
    key = _key("run", event.data.get("runId"))
    runs = ScriptRun.objects.select_related("script__project")
    run = runs.filter(pk=key).first() if key else None
    if run is None:
        return
    project = run.script.project
    words = {"success": "has run", "failed": "failed"}.get(run.status)
    board = board_queries.first_board_of(project.pk)
    if words is None or board is None:
        return
    notice = Notice(
        event=Told.SCRIPT_FINISHED,
        title=f"{run.script.name} {words} in {project.name}",
        body=run.detail,
        path=reverse("board", args=[board.pk]),
        project_id=project.pk,
        source=f"event:{event.topic}:{event.version}",
        action="Open the board",
    )
    people = _seeing(project, [run.started_by_id])
    account_operations.notify(actor=actor, people=people, notice=notice)


# --- invitations ---------------------------------------------------------------------------------


def _of_invitation(event: Event, actor: Actor) -> None:
    key = _key("proj", event.data.get("projectId"))
    project = Project.objects.filter(pk=key).first() if key else None
    if project is None:
        return
    user_id = _key("user", event.data["member"].get("userId"))
    if user_id is None:
        return
    by = actor.user.display_name if actor.user else "Somebody"
    board = board_queries.first_board_of(project.pk)
    notice = Notice(
        event=Told.INVITATION,
        title=f"{by} added you to {project.name}",
        path=reverse("board", args=[board.pk]) if board else reverse("projects"),
        project_id=project.pk,
        source=f"event:{event.topic}:{event.version}",
        action="Open the project",
    )
    people = _seeing(project, [user_id])
    account_operations.notify(actor=actor, people=people, notice=notice)


def _of_membership(event: Event, actor: Actor) -> None:
    key = _key("org", event.data.get("organizationId"))
    organization = Organization.objects.filter(pk=key).first() if key else None
    user_id = _key("user", event.data.get("member", {}).get("userId"))
    if organization is None or user_id is None:
        return
    if not organization.memberships.filter(user=user_id).exists():
        return
    by = actor.user.display_name if actor.user else "Somebody"
    notice = Notice(
        event=Told.INVITATION,
        title=f"{by} added you to the organization {organization.name}",
        path=reverse("projects"),
        source=f"event:{event.topic}:{event.version}",
        action="See its projects",
    )
    account_operations.notify(actor=actor, people=[user_id], notice=notice)
