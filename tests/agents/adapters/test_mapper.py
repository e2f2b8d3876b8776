"""Lines as different agents write them, and the events they become."""

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.agents.adapters import events
from apps.agents.adapters.acp.mapper import Mapper

WORKTREE = Path("/data/worktrees/p/a")


@pytest.fixture
def mapper() -> Mapper:
    made = Mapper(worktree=WORKTREE)
    made.begin_turn(1)
    return made


def feed(mapper: Mapper, *rows: dict[str, Any]) -> list[events.Event]:
    return [event for row in rows for event in mapper.feed(row)]


def chunk(text: str, **fields: Any) -> dict[str, Any]:
    content = {"type": "text", "text": text}
    return {"sessionUpdate": "agent_message_chunk", "content": content, **fields}


def thought(text: str) -> dict[str, Any]:
    return {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": text}}


def call(tool_id: str, **fields: Any) -> dict[str, Any]:
    return {"sessionUpdate": "tool_call", "toolCallId": tool_id, **fields}


def update(tool_id: str, **fields: Any) -> dict[str, Any]:
    return {"sessionUpdate": "tool_call_update", "toolCallId": tool_id, **fields}


def of(kind: type[Any], told: list[events.Event]) -> list[Any]:
    return [event for event in told if isinstance(event, kind)]


def test_chunks_without_ids_are_one_message_until_something_else_happens(mapper: Mapper) -> None:
    told = feed(mapper, chunk("a"), chunk("b"), thought("hm"), chunk("c"), call("1", title="t"))

    whole = [(e.id, e.text) for e in told if isinstance(e, events.Message) and e.done]
    assert whole == [("1-message-1", "ab"), ("1-message-2", "c")]
    assert [(e.id, e.text) for e in of(events.Thought, told) if e.done] == [("1-thought-1", "hm")]


def test_a_new_message_id_starts_a_new_message(mapper: Mapper) -> None:
    told = feed(mapper, chunk("a", messageId="x"), chunk("b", messageId="y"))

    assert [(e.id, e.text, e.done) for e in of(events.Message, told)] == [
        ("1-message-1", "a", False),
        ("1-message-1", "a", True),
        ("1-message-2", "b", False),
    ]


def test_an_echo_of_the_prompt_is_left_out(mapper: Mapper) -> None:
    row = {"sessionUpdate": "user_message_chunk", "content": {"type": "text", "text": "hi"}}

    assert mapper.feed(row) == []


def test_a_tool_call_is_merged_from_its_updates(mapper: Mapper) -> None:
    """In the manner of Claude's adapter: pending, diff, permission by id, completed."""
    told = feed(
        mapper,
        call("t1", title="Write a.py", kind="edit", status="pending", rawInput={"file_path": "a"}),
        update(
            "t1", content=[{"type": "diff", "path": "/data/worktrees/p/a/a.py", "newText": "x"}]
        ),
        update("t1", status="completed", locations=[{"path": "/data/worktrees/p/a/a.py"}]),
    )

    last = of(events.Tool, told)[-1]
    assert (last.id, last.kind, last.title, last.status) == (
        "1-tool-t1",
        "edit",
        "Write a.py",
        "succeeded",
    )
    assert last.diffs == (events.Diff(path="a.py", old=None, new="x"),)
    assert last.locations == ("a.py",)
    assert last.started_at <= last.completed_at
    assert mapper.tool_count == 1


def test_an_update_may_come_before_the_call(mapper: Mapper) -> None:
    """Gemini asks first and tells of the call only when it is done."""
    told, request = mapper.permission(
        {
            "toolCall": {"toolCallId": "w", "title": "Writing b.txt", "kind": "edit"},
            "options": [{"optionId": "ok", "name": "Allow", "kind": "allow_once"}],
        }
    )
    told += feed(mapper, update("w", status="completed"))

    assert (request.title, request.tool_kind, request.tool_id) == (
        "Writing b.txt",
        "edit",
        "1-tool-w",
    )
    assert [tool.status for tool in of(events.Tool, told)] == ["created", "succeeded"]
    assert mapper.tool_count == 1


def test_a_permission_may_name_its_tool_by_id_alone(mapper: Mapper) -> None:
    """Vibe's reference carries neither title nor kind."""
    feed(mapper, call("v", title="make", kind="execute", rawInput={"command": "make"}))

    told, request = mapper.permission({"toolCall": {"toolCallId": "v"}, "options": []})

    assert told == []
    assert (request.title, request.tool_kind, request.command) == ("make", "execute", "make")


def test_a_call_that_was_allowed_runs(mapper: Mapper) -> None:
    """Claude's calls stay pending until they are done."""
    option = {"optionId": "ok", "name": "Yes", "kind": "allow_once"}
    row = {"toolCallId": "c", "title": "make", "kind": "execute"}
    _, request = mapper.permission({"toolCall": row, "options": [option]})

    told = mapper.resolved(
        dataclasses.replace(request, state="resolved", outcome="selected", option_id="ok")
    )

    assert of(events.Tool, told)[0].status == "running"
    assert of(events.Terminal, told)[0].state == "opened"


def test_a_title_names_files_as_the_worktree_does(mapper: Mapper) -> None:
    told = feed(mapper, call("w", title=f"Write {WORKTREE}/src/a.py"))

    assert of(events.Tool, told)[0].title == "Write src/a.py"


def test_options_of_unknown_kinds_are_not_offered(mapper: Mapper) -> None:
    _, request = mapper.permission(
        {
            "toolCall": {"toolCallId": "x"},
            "options": [
                {"optionId": "1", "name": "Yes", "kind": "allow_once"},
                {"optionId": "2", "name": "Maybe", "kind": "allow_perhaps"},
                {"name": "No id", "kind": "reject_once"},
            ],
        }
    )

    assert [option.id for option in request.options] == ["1"]


@pytest.mark.parametrize(
    "row",
    [
        {"toolCallId": "p", "kind": "switch_mode", "title": "Ready?", "rawInput": {"plan": "Do"}},
        {"toolCallId": "p", "title": "ExitPlanMode", "rawInput": {"plan": "Do"}},
        {
            "toolCallId": "p",
            "kind": "switch_mode",
            "content": [{"type": "content", "content": {"type": "text", "text": "Do"}}],
        },
    ],
)
def test_leaving_plan_mode_is_a_request_for_a_plan(mapper: Mapper, row: dict[str, Any]) -> None:
    _, request = mapper.permission({"toolCall": row, "options": []})

    assert (request.kind, request.text) == ("plan", "Do")


def test_a_plan_becomes_todos(mapper: Mapper) -> None:
    (told,) = feed(
        mapper,
        {
            "sessionUpdate": "plan",
            "entries": [
                {"content": "one", "priority": "high", "status": "completed"},
                {"content": "two", "priority": "medium", "status": "in_progress"},
            ],
        },
    )

    assert told == events.Todos(
        items=(
            events.Todo(id="1", text="one", status="completed", priority="high"),
            events.Todo(id="2", text="two", status="in_progress"),
        ),
        at=told.at,
    )


@pytest.mark.parametrize(
    "raw",
    [
        {"todos": [{"content": "one", "status": "in_progress", "priority": "medium"}]},
        {"todos": [{"content": "one", "status": "in_progress", "activeForm": "Doing one"}]},
        {"plan": [{"step": "one", "status": "in_progress"}]},
        {"todos": [{"description": "one", "status": "in_progress"}]},
        {"items": [{"title": "one", "status": "in-progress"}]},
    ],
)
def test_todos_are_found_in_the_input_of_a_tool(mapper: Mapper, raw: dict[str, Any]) -> None:
    """OpenCode and others show their list nowhere else."""
    told = feed(mapper, call("t", title="todowrite", rawInput=raw), update("t", rawInput=raw))

    (todos,) = of(events.Todos, told)
    assert [(todo.text, todo.status) for todo in todos.items] == [("one", "in_progress")]


@pytest.mark.parametrize("raw", [{"plan": "text"}, {"items": [{"name": "x"}]}, {"todos": []}, None])
def test_other_input_is_not_taken_for_todos(mapper: Mapper, raw: Any) -> None:
    assert of(events.Todos, feed(mapper, call("t", title="t", rawInput=raw))) == []


def test_a_command_gets_a_terminal_when_the_agent_shows_none(mapper: Mapper) -> None:
    output = [{"type": "content", "content": {"type": "text", "text": "```console\nhi\n```"}}]
    told = feed(
        mapper,
        call("c", title="`echo hi`", kind="execute", status="pending"),
        update("c", status="in_progress"),
        update("c", status="completed", content=output, rawOutput={"exit_code": 0}),
    )

    terminals = of(events.Terminal, told)
    assert [event.state for event in terminals] == ["opened", "output", "closed"]
    assert terminals[0].command == "echo hi"
    assert terminals[1].text == "hi"
    assert terminals[2].exit_code == 0


def test_terminals_owned_by_the_agent_stream(mapper: Mapper) -> None:
    """The convention of Codex' adapter and others, which the next version makes standard."""
    told = feed(
        mapper,
        call("c", title="ls", kind="execute", status="in_progress", _meta={"terminal_info": {}}),
        update("c", _meta={"terminal_output_delta": "a\n"}),
        update("c", _meta={"terminal_output": {"terminal_id": "x", "data": "b\n"}}),
        update(
            "c", status="failed", _meta={"terminal_exit": {"exit_code": 2, "signal": "SIGTERM"}}
        ),
    )

    terminals = of(events.Terminal, told)
    assert [(event.state, event.text) for event in terminals] == [
        ("opened", ""),
        ("output", "a\n"),
        ("output", "b\n"),
        ("closed", ""),
    ]
    assert (terminals[-1].exit_code, terminals[-1].signal) == (2, "SIGTERM")
    assert of(events.Tool, told)[-1].output == "a\nb\n"
    assert len(of(events.Tool, told)) == 2


def test_output_that_was_rewritten_replaces_the_screen(mapper: Mapper) -> None:
    told = feed(
        mapper,
        call("c", title="x", kind="execute", status="in_progress", rawOutput="10 %"),
        update("c", rawOutput="20 %"),
    )

    last = of(events.Terminal, told)[-1]
    assert (last.text, last.replace) == ("20 %", True)


@pytest.mark.parametrize(
    ("raw", "command"),
    [
        ({"command": "make test"}, "make test"),
        ({"command": ["bash", "-lc", "make test"]}, "make test"),
        ({"cmd": ["make", "test"]}, "make test"),
        ({}, "Run the tests"),
    ],
)
def test_a_command_is_read_however_it_is_given(mapper: Mapper, raw: Any, command: str) -> None:
    told = feed(mapper, call("c", title="Run the tests", kind="execute", rawInput=raw))

    assert of(events.Tool, told)[0].command == command


@pytest.mark.parametrize(
    ("raw", "text", "code"),
    [
        ("plain", "plain", None),
        ({"output": "out", "exit_code": 3}, "out", 3),
        ({"stdout": "out", "stderr": "err", "exitCode": 1}, "out\nerr", 1),
        ({"output": "out", "metadata": {"exit": 4}}, "out", 4),
        ({"exit_code": 0}, "", 0),
        ([{"type": "text", "text": "listed"}], "listed", None),
        ({"rows": 2}, '{"rows": 2}', None),
    ],
)
def test_raw_output_is_read_however_it_is_given(
    mapper: Mapper, raw: Any, text: str, code: int | None
) -> None:
    told = feed(mapper, call("c", title="x", status="completed", rawOutput=raw))

    tool = of(events.Tool, told)[0]
    assert (tool.output, tool.exit_code) == (text, code)


def test_long_output_is_cut_in_the_middle(mapper: Mapper) -> None:
    told = feed(mapper, call("c", title="x", status="completed", rawOutput="a" * 300_000 + "z"))

    tool = of(events.Tool, told)[0]
    assert tool.truncated
    assert len(tool.output) < 270_000
    assert tool.output.endswith("z")


def test_a_finished_call_is_not_opened_again(mapper: Mapper) -> None:
    told = feed(mapper, call("c", title="x", status="completed"), update("c", status="in_progress"))

    assert of(events.Tool, told)[-1].status == "succeeded"


def test_the_end_of_a_turn_closes_what_is_open(mapper: Mapper) -> None:
    feed(mapper, call("c", title="sleep", kind="execute", status="in_progress"), chunk("so"))

    told = mapper.end_turn(cancelled=True)

    assert of(events.Message, told)[0].done
    assert of(events.Tool, told)[0].status == "cancelled"
    assert of(events.Terminal, told)[-1].state == "closed"
    assert mapper.end_turn(cancelled=True) == []


def test_paths_outside_the_worktree_stay_absolute(mapper: Mapper) -> None:
    feed(mapper, call("r", title="x", kind="read", locations=[{"path": "/etc/passwd"}]))

    _, request = mapper.permission({"toolCall": {"toolCallId": "r"}, "options": []})

    assert (request.paths, request.outside) == (("/etc/passwd",), True)


def test_a_path_that_climbs_out_is_outside(mapper: Mapper) -> None:
    told = feed(mapper, call("r", title="x", locations=[{"path": "sub/../../b/secret"}]))

    assert of(events.Tool, told)[0].locations == ("/data/worktrees/p/b/secret",)


@pytest.mark.parametrize(
    ("seen", "totals", "costs"),
    [
        ("0", [0.1, 0.25], ["0.1", "0.15"]),
        ("0.4", [0.5], ["0.1"]),
        ("0.4", [0.1, 0.2], ["0.1", "0.1"]),
        ("0", [0.10964499999999999], ["0.109645"]),
    ],
)
def test_cost_is_what_was_added_and_a_drop_is_a_new_start(
    seen: str, totals: list[float], costs: list[str]
) -> None:
    mapper = Mapper(worktree=WORKTREE, cost_seen=Decimal(seen))
    rows = [
        {
            "sessionUpdate": "usage_update",
            "used": 10,
            "size": 100,
            "cost": {"amount": total, "currency": "USD"},
        }
        for total in totals
    ]

    told = of(events.Usage, feed(mapper, *rows))

    assert [usage.cost for usage in told] == [Decimal(cost) for cost in costs]
    assert mapper.cost == sum(map(Decimal, costs))
    assert mapper.cost_seen == round(Decimal(str(totals[-1])), 6)


@pytest.mark.parametrize("cost", [None, {"amount": "much"}, {"amount": float("nan")}, "1"])
def test_a_cost_that_is_none_counts_nothing(mapper: Mapper, cost: Any) -> None:
    (usage,) = feed(mapper, {"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": cost})

    assert isinstance(usage, events.Usage)
    assert usage.cost == Decimal(0)


def test_an_unknown_update_is_a_line_in_the_log(mapper: Mapper) -> None:
    (told,) = feed(mapper, {"sessionUpdate": "mood_update", "mood": "good"})

    assert isinstance(told, events.Log)
    assert told.text == "unknown update 'mood_update'"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"sessionUpdate": "agent_message_chunk"},
        {"sessionUpdate": "agent_message_chunk", "content": "text"},
        {"sessionUpdate": "tool_call"},
        {"sessionUpdate": "tool_call", "toolCallId": 7, "content": [None, 3], "locations": "x"},
        {"sessionUpdate": "plan"},
        {"sessionUpdate": "plan", "entries": [None, {"content": 3}]},
        {"sessionUpdate": "plan_update", "plan": "x"},
        {"sessionUpdate": "available_commands_update", "availableCommands": [1]},
        {"sessionUpdate": "config_option_update"},
        {"sessionUpdate": "usage_update"},
        {"sessionUpdate": ["list"]},
    ],
)
def test_malformed_updates_break_nothing(mapper: Mapper, row: dict[str, Any]) -> None:
    mapper.feed(row)
    mapper.end_turn(cancelled=False)


def test_settings_are_one_list_from_modes_and_options(mapper: Mapper) -> None:
    mapper.settings.read(
        {
            "modes": {
                "currentModeId": "default",
                "availableModes": [
                    {"id": "default", "name": "Ask"},
                    {"id": "plan", "name": "Plan"},
                ],
            },
            "configOptions": [
                {
                    "id": "m",
                    "name": "Model",
                    "category": "model",
                    "type": "select",
                    "currentValue": "small",
                    "options": [
                        {"group": "g", "name": "G", "options": [{"value": "small", "name": "S"}]},
                    ],
                }
            ],
        }
    )

    (told,) = feed(mapper, {"sessionUpdate": "current_mode_update", "currentModeId": "plan"})

    assert isinstance(told, events.Options)
    assert told.mode == "plan"
    assert [(setting.id, setting.value) for setting in told.settings] == [
        ("mode", "plan"),
        ("m", "small"),
    ]
    assert told.settings[1].choices == (events.Choice(id="small", label="S"),)


def test_modes_that_are_options_are_not_told_twice(mapper: Mapper) -> None:
    option = {
        "id": "mode",
        "name": "Mode",
        "category": "mode",
        "type": "select",
        "currentValue": "build",
        "options": [{"value": "build", "name": "Build"}, {"value": "plan", "name": "Plan"}],
    }
    mapper.settings.read(
        {
            "modes": {"currentModeId": "build", "availableModes": [{"id": "build", "name": "B"}]},
            "configOptions": [option],
        }
    )

    assert [setting.label for setting in mapper.settings.all()] == ["Mode"]
    assert mapper.settings.mode_ids == ("build", "plan")


def test_a_title_is_told_once(mapper: Mapper) -> None:
    mapper.session_id = "s"
    row = {"sessionUpdate": "session_info_update", "title": "Fix the login"}

    (told,) = feed(mapper, row, row)

    assert isinstance(told, events.Session)
    assert (told.session_id, told.title) == ("s", "Fix the login")


def test_tokens_are_read_from_the_answer(mapper: Mapper) -> None:
    usage = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12, "cachedReadTokens": None}

    assert mapper.tokens(usage) == events.Tokens(input=5, output=7, total=12)
    assert mapper.tokens({"inputTokens": "many"}) is None
    assert mapper.tokens(None) is None
