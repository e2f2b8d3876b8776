"""Requests for permission: what is asked, what each answer leads to, what needs no person."""

import pytest

from apps.agents.adapters import base, events, policies
from tests.agents.adapters import stage


async def test_an_allowed_command_runs(world: stage.World) -> None:
    _, sink = await stage.play(world, "@run touch made")

    (request,) = sink.asked
    assert (request.kind, request.tool_kind) == ("permission", "execute")
    assert request.command == "touch made"
    assert [option.kind for option in request.options] == [
        "allow_once",
        "allow_always",
        "reject_once",
    ]
    (resolved,) = sink.of(events.Request)
    assert (resolved.id, resolved.outcome, resolved.option_id) == (request.id, "selected", "allow")
    assert world.status() == "?? made\n"


async def test_a_rejected_command_does_not_run_and_the_turn_goes_on(world: stage.World) -> None:
    result, sink = await stage.play(
        world, "@run touch made\n@say next", sink=stage.Recorder(decide=stage.reject)
    )

    assert result.succeeded
    assert sink.tools()["touch made"].status == "failed"
    assert sink.texts() == ["next"]
    assert world.status() == ""


async def test_a_person_who_is_away_ends_the_turn(world: stage.World) -> None:
    away = base.Decision(outcome="cancelled", end_turn=True)

    result, _ = await stage.play(
        world, "@run touch made\n@say next", sink=stage.Recorder(decide=lambda _: away)
    )

    assert (result.stop_reason, result.failure) == ("cancelled", None)
    assert world.status() == ""


async def test_an_option_nobody_offered_is_not_passed_on(world: stage.World) -> None:
    invented = base.Decision(outcome="selected", option_id="root")

    result, _ = await stage.play(
        world, "@run touch made", sink=stage.Recorder(decide=lambda _: invented)
    )

    assert result.stop_reason == "cancelled"
    assert world.status() == ""


async def test_a_path_outside_the_worktree_is_marked(world: stage.World) -> None:
    _, sink = await stage.play(
        world, "@write ../out.txt :: x", sink=stage.Recorder(decide=stage.reject)
    )

    (request,) = sink.asked
    assert request.outside
    assert request.paths == (str(world.worktree.parent / "out.txt"),)
    assert not (world.worktree.parent / "out.txt").exists()


OPTIONS = (
    events.Option(id="yes", label="Yes", kind="allow_once"),
    events.Option(id="always", label="Always", kind="allow_always"),
    events.Option(id="no", label="No", kind="reject_once"),
)


def asked(kind: events.ToolKind, *, outside: bool = False, command: str = "") -> events.Request:
    return events.Request(
        id="1-request-1",
        kind="permission",
        tool_kind=kind,
        outside=outside,
        command=command,
        options=OPTIONS,
    )


@pytest.mark.parametrize(
    ("request_", "policy", "planning", "confined", "option"),
    [
        (asked("edit"), "ask", False, True, None),
        (asked("edit"), "accept_edits", False, True, "yes"),
        (asked("edit"), "accept_edits", True, True, "no"),
        (asked("edit", outside=True), "accept_all", False, True, None),
        (asked("execute", command="make"), "accept_edits", False, True, None),
        (asked("execute", command="make"), "accept_all", False, True, "yes"),
        (asked("execute", command="make"), "accept_all", False, False, None),
        (asked("execute", command="make"), "ask", True, True, "no"),
        (asked("read"), "ask", True, True, None),
        (asked("fetch"), "reject", False, True, "no"),
    ],
)
def test_a_policy_decides_or_leaves_it_to_a_person(
    request_: events.Request,
    policy: policies.Policy,
    *,
    planning: bool,
    confined: bool,
    option: str | None,
) -> None:
    decision = policies.decide(request_, policy=policy, planning=planning, confined=confined)

    assert (decision.option_id if decision else None) == option


def test_what_was_allowed_for_always_is_allowed_again() -> None:
    remembered = frozenset({policies.remembered_key(asked("execute", command="make test"))})

    def decide(command: str) -> base.Decision | None:
        return policies.decide(
            asked("execute", command=command),
            policy="ask",
            planning=False,
            confined=True,
            remembered=remembered,
        )

    again, other = decide("make lint"), decide("rm -r x")
    assert again is not None
    assert again.option_id == "yes"
    assert other is None


def test_a_plan_is_always_a_persons_to_approve() -> None:
    request = events.Request(id="1", kind="plan", options=OPTIONS)

    assert policies.decide(request, policy="accept_all", planning=True, confined=True) is None
