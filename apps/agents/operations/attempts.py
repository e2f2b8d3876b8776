"""Attempts begin, go on and begin again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.agents import queries, registry, rules
from apps.agents.models import AgentProfile, Approval, Attempt, Turn
from apps.agents.operations import admission, approvals, handoffs, prompts, transitions
from apps.agents.states import FINAL, Status, WaitingFor
from apps.boards import locks
from apps.boards.models import AgentMode
from apps.core import ids, problems
from apps.projects.models import ProjectSettings

if TYPE_CHECKING:
    from uuid import UUID

    from apps.boards.models import Card
    from apps.core.actors import Actor


@transaction.atomic
def start_attempt(
    *,
    actor: Actor,
    card: Card,
    agent: str = "",
    mode: str = "",
    base_branch: str = "",
    branch: str = "",
    message: str = "",
    profile_id: UUID | None = None,
) -> Attempt:
    """This will put an agent to work on a card: at once where a slot is free, else in line.

    Without `agent` it is the project's; without `mode` that of the column. `base_branch` and
    `branch` overrule the project's settings. Refusals are 403 and 409 with the reason as a code.
    """
    rules.require_worker(actor, card.project)
    admission.lock_slots()
    locks.lock_boards(card.board_id)
    taken: dict[str, Any] = {"base_branch": base_branch, "branch": branch}
    if profile_id is not None:
        taken["profile_id"] = profile_id
    return create(
        actor=actor, card_id=card.pk, agent=agent, mode=mode, message=message, taken=taken
    )


def create(
    *,
    actor: Actor,
    card_id: UUID,
    agent: str,
    taken: dict[str, Any],
    mode: str = "",
    message: str = "",
    handoff: str = "",
) -> Attempt:
    """This will make a card's next attempt; line and board must be held.

    `taken` are columns that another attempt leaves to it, `handoff` is what its agent tells.
    """
    locked = locks.lock_card(card_id)
    settings = ProjectSettings.objects.get(project_id=locked.project_id)
    preset_id = agent.strip().lower() or registry.default_agent(settings)
    taken.setdefault("profile_id", profile_of(settings, preset_id))
    profile = AgentProfile.objects.filter(pk=taken["profile_id"]).first()
    problem = admission.refusal(actor=actor, card=locked, agent=preset_id, profile=profile)
    if problem is not None:
        raise problem
    column = admission.work_column(locked)
    if taken["profile_id"] is not None:
        _require_profile(profile, locked.project_id, preset_id)
    taken["base_branch"] = taken["base_branch"] or settings.base_branch
    attempt = Attempt.objects.create(
        project=locked.project,
        board_id=locked.board_id,
        card=locked,
        column=column,
        number=(locked.attempts.aggregate(last=Max("number"))["last"] or 0) + 1,
        agent=preset_id,
        mode=mode or _mode_of(column.agent_mode if column else ""),
        started_by=actor.user,
        queued_at=timezone.now(),
        **taken,
    )
    words = prompts.first_prompt(attempt, locked, column, agent=preset_id, message=message)
    add_turn(attempt, handoffs.with_handoff(words, handoff), actor=actor)
    admission.admit(actor=actor, attempt=attempt)
    return transitions.read(attempt.pk)


def profile_of(settings: ProjectSettings, agent: str) -> UUID | None:
    """This will be the project's own profile, as long as it is of this agent and still there."""
    if not settings.default_profile_id:
        return None
    try:
        key = ids.decode("prof", settings.default_profile_id)
    except problems.NotFound:
        return None
    return AgentProfile.objects.filter(pk=key, agent=agent).values_list("pk", flat=True).first()


def _require_profile(profile: AgentProfile | None, project_id: UUID, agent: str) -> None:
    if profile is None or profile.project_id not in {None, project_id}:
        raise problems.ValidationFailed.of("profileId", "Profile not found")
    if profile.agent != agent:
        raise problems.ValidationFailed.of("profileId", "Profile does not match selected agent")


def _mode_of(column_mode: str) -> str:
    return column_mode if column_mode in {AgentMode.PLAN, AgentMode.SKILL} else AgentMode.CODE


def add_turn(
    attempt: Attempt,
    prompt: str,
    *,
    actor: Actor,
    is_continuation: bool = False,
    first: bool = False,
) -> Turn:
    """This will put a prompt in line, behind those that wait already or (`first`) before them."""
    return Turn.objects.create(
        attempt=attempt,
        number=_first_place(attempt) if first else last_number(attempt) + 1,
        prompt=prompt,
        author=actor.user,
        is_continuation=is_continuation,
    )


@transaction.atomic
def send_message(*, actor: Actor, attempt: Attempt, text: str) -> Turn:
    """This will tell the agent something more.

    While it works the message is its next turn; after the end it goes on with the same session;
    a plan that waits is revised by it.
    """
    rules.require_worker(actor, attempt.project)
    text = prompts.expand(text, project=attempt.project, agent=attempt.agent)
    admission.lock_slots()
    held = transitions.hold(attempt, board=True)
    if held.status == Status.STOPPING:
        raise problems.Conflict("The agent is being stopped.", code="AGENT_RUNNING")
    if held.status == Status.WAITING and held.waiting_for == WaitingFor.PLAN:
        plan = held.approvals.filter(
            status=Approval.Status.PENDING, kind=Approval.Kind.PLAN
        ).first()
        if plan is not None:
            return approvals.revise_plan(actor=actor, attempt=held, approval=plan, feedback=text)
    if held.status in {Status.QUEUED, Status.RUNNING}:
        return add_turn(held, text, actor=actor)
    if held.status == Status.WAITING and held.lease_owner:
        return add_turn(held, text, actor=actor)
    if held.status in FINAL:
        require_may_go_on(actor, held)
    approvals.withdraw(held, actor=actor)
    turn = add_turn(held, text, actor=actor)
    admission.enqueue(held, actor=actor, ended_at=None, auto_retried=False)
    return turn


@transaction.atomic
def send_card_message(*, actor: Actor, card: Card, text: str) -> Turn:
    """This will tell the card's agent something; a card without an attempt gets one."""
    newest = queries.find_newest_attempt(card)
    if newest is not None:
        return send_message(actor=actor, attempt=newest, text=text)
    attempt = start_attempt(actor=actor, card=card, message=text)
    return attempt.turns.get(number=1)


def require_may_go_on(actor: Actor, attempt: Attempt) -> None:
    """This will raise the problem that keeps an attempt from going on, if there is one."""
    if Attempt.objects.filter(card_id=attempt.card_id, number__gt=attempt.number).exists():
        raise problems.Conflict("A later attempt took over this card.")
    card = locks.lock_card(attempt.card_id)
    problem = admission.refusal(actor=actor, card=card, agent=attempt.agent, attempt=attempt)
    if problem is not None:
        raise problem


@transaction.atomic
def retry_attempt(*, actor: Actor, attempt: Attempt) -> Attempt:
    """This will send the last prompt again in the same session, after whatever end but success.

    In line already: nothing changes. At work: 409 AGENT_RUNNING.
    """
    rules.require_worker(actor, attempt.project)
    admission.lock_slots()
    held = transitions.hold(attempt, board=True)
    if held.status == Status.QUEUED:
        return held
    if held.status not in FINAL | {Status.PAUSED}:
        raise problems.Conflict("The agent is at work.", code="AGENT_RUNNING")
    if held.status == Status.SUCCEEDED:
        raise problems.Conflict("The attempt succeeded: send a message to go on.")
    require_may_go_on(actor, held)
    repeat_last_turn(held, actor=actor)
    return admission.enqueue(held, actor=actor, ended_at=None, auto_retried=False)


def repeat_last_turn(attempt: Attempt, *, actor: Actor) -> None:
    """This will put the last prompt in line again, before those that wait.

    It gets a number of its own, since the names of items carry the number of their turn.
    """
    ran = attempt.turns.exclude(status=Turn.Status.QUEUED).order_by("-number").first()
    if ran is not None:
        add_turn(attempt, ran.prompt, actor=actor, is_continuation=ran.is_continuation, first=True)


def _first_place(attempt: Attempt) -> int:
    """A number of its own before the prompts that wait, which are counted up for it."""
    waiting = list(attempt.turns.filter(status=Turn.Status.QUEUED).order_by("-number"))
    for turn in waiting:
        turn.number += 1
        turn.save(update_fields=["number", "updated_at"])
    return waiting[-1].number - 1 if waiting else last_number(attempt) + 1


def last_number(attempt: Attempt) -> int:
    """This will be the number of an attempt's last prompt, 0 before the first."""
    return attempt.turns.aggregate(last=Max("number"))["last"] or 0
