"""One's own assistant reads the code and works on the board through real tools, in one's name."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.accounts import outputs as account_outputs
from apps.accounts.models import User
from apps.agents.adapters.mcp import bridge, server
from apps.agents.conversation_tables import Conversation
from apps.agents.runner import board_tools, talking
from apps.agents.runner.store import Store
from apps.boards.models import Card, Column
from apps.core.models import Event
from apps.projects.models import Project, ProjectMember, ProjectSettings
from tests import factories
from tests.agents.conversations.conftest import Beside, TalkerOf, answer_now, speaks

pytestmark = pytest.mark.django_db(transaction=True)


def last_words(talker: Any) -> str:
    return str(talker.get("assistant").json()["data"]["messages"][-1]["content"])


def test_there_is_none_before_the_first_word(ada: User, talker_of: TalkerOf) -> None:
    assert talker_of(ada).get("assistant").json()["data"] == {
        "status": "idle",
        "sessionId": None,
        "messages": [],
    }


def test_it_creates_a_card_in_ones_name(
    ada: User, talker_of: TalkerOf, columns: dict[str, Column]
) -> None:
    talker = talker_of(ada)
    mine = talker.tell("Create a card called “Paint the engine” in Review")
    waiting = talker.get("assistant").json()["data"]
    assert (waiting["status"], waiting["messages"]) == ("running", [mine])

    row = answer_now()

    card = Card.objects.get()
    assert (card.title, card.column, card.created_by) == (
        "Paint the engine",
        columns["review"],
        ada,
    )
    created = Event.objects.get(kind="card.created")
    assert created.actor["userId"] == ada.public_id
    shown = talker.get("assistant").json()["data"]
    assert (shown["status"], shown["sessionId"]) == ("idle", row.public_id)
    assert [(one["role"], one["type"], one["toolName"]) for one in shown["messages"]] == [
        ("user", "text", None),
        ("tool", "tool_use", "kanbanai/create_card"),
        ("assistant", "text", None),
    ]
    assert last_words(talker) == f"I have created {card.key} “Paint the engine” in Review."


def test_it_moves_and_lists_cards(
    ada: User, talker_of: TalkerOf, columns: dict[str, Column]
) -> None:
    card = factories.Card.create(column=columns["backlog"], title="Oil the engine")
    talker = talker_of(ada)
    talker.tell("Move the card Oil the engine to Review")
    answer_now()
    card.refresh_from_db()
    assert card.column == columns["review"]
    assert Event.objects.get(kind="card.moved").actor["userId"] == ada.public_id

    talker.tell("List the cards")
    answer_now()

    assert last_words(talker) == f"There are 1 cards.\n\n- {card.key} Oil the engine (Review)"


def test_it_reads_the_code(ada: User, talker_of: TalkerOf) -> None:
    talker = talker_of(ada)
    talker.tell("Where is the readme?")

    answer_now()

    assert "`README.md`" in last_words(talker)


def test_everybody_has_their_own(ada: User, bob: User, root: User, talker_of: TalkerOf) -> None:
    talker_of(ada).tell("@say For ada.")
    answer_now()

    for other in (bob, root):
        assert talker_of(other).get("assistant").json()["data"]["messages"] == []
    talker_of(bob).tell("@say For bob.")
    answer_now()
    assert last_words(talker_of(ada)) == "For ada."
    assert last_words(talker_of(bob)) == "For bob."
    told = set(Event.objects.filter(kind__startswith="assistant.").values_list("topic", flat=True))
    assert told == {account_outputs.user_topic(ada), account_outputs.user_topic(bob)}
    for event in Event.objects.filter(topic=account_outputs.user_topic(ada)):
        assert "For bob." not in json.dumps(event.data)


def test_a_right_that_is_gone_is_gone_for_its_tools(
    ada: User, bob: User, talker_of: TalkerOf, talkative: Project, columns: dict[str, Column]
) -> None:
    talker_of(bob).tell('@slow 4\n@call create_card {"title": "Mine"}')
    beside = Beside()
    beside.until(speaks)

    ProjectMember.objects.filter(user=bob).delete()

    beside.join()
    assert not Card.objects.exists()


def test_somebody_who_was_removed_is_refused_by_each_tool(
    ada: User, bob: User, eve: User, talkative: Project, columns: dict[str, Column]
) -> None:
    card = factories.Card.create(column=columns["backlog"])

    async def call(person: User, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        store = Store()
        try:
            found = board_tools.tools(store, person_id=person.pk, project_id=talkative.pk)
            return await next(one for one in found if one.name == name).call(arguments)
        finally:
            await store.close()

    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_columns", {}),
        ("list_cards", {}),
        ("create_card", {"title": "Mine"}),
        ("move_card", {"card": card.key, "column": "Review"}),
    ]
    for name, arguments in calls:
        with pytest.raises(server.Refused, match="404 NOT_FOUND"):
            asyncio.run(call(eve, name, arguments))
    User.objects.filter(pk=bob.pk).update(is_active=False)
    for name, arguments in calls:
        with pytest.raises(server.Refused, match="403 FORBIDDEN"):
            asyncio.run(call(bob, name, arguments))
    assert Card.objects.count() == 1


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("create_card", {}, "title"),
    ("create_card", {"title": None}, "title"),
    ("create_card", {"title": ""}, "title"),
    ("create_card", {"title": 7}, "title"),
    ("create_card", {"title": "x" * 301}, "title"),
    ("create_card", {"title": "\x00"}, "title"),
    ("create_card", {"title": "\ud800"}, "title"),
    ("create_card", {"title": "x", "isDeferred": "yes"}, "isDeferred"),
    ("create_card", {"title": "x", "column": "Nowhere"}, "Nowhere"),
    ("create_card", {"title": "x", "column": "col_01h00000000000000000000000"}, "no column"),
    ("move_card", {"card": "KB-99", "column": "Review"}, "no card"),
    ("move_card", {"card": "card_01h00000000000000000000000", "column": "Review"}, "no card"),
    ("move_card", {"card": "one", "column": ["Review"]}, "column"),
    ("move_card", {"card": "one"}, "column"),
    ("list_cards", {"column": 7}, "column"),
]


@pytest.mark.parametrize(("name", "arguments", "why"), BAD)
def test_bad_arguments_are_told_to_the_agent(
    ada: User,
    talkative: Project,
    columns: dict[str, Column],
    name: str,
    arguments: dict[str, Any],
    why: str,
) -> None:
    async def call() -> None:
        store = Store()
        try:
            found = board_tools.tools(store, person_id=ada.pk, project_id=talkative.pk)
            await next(one for one in found if one.name == name).call(arguments)
        finally:
            await store.close()

    with pytest.raises(server.Refused, match=why):
        asyncio.run(call())
    assert not Card.objects.exists()


def test_a_column_of_another_project_is_not_found(
    ada: User, talker_of: TalkerOf, talkative: Project, columns: dict[str, Column]
) -> None:
    other = factories.BoardWithColumns.create(project=factories.Project.create(owner=ada))
    foreign = other.columns.get(key="review")
    talker = talker_of(ada)
    talker.tell(f'@call create_card {{"title": "x", "column": "{foreign.public_id}"}}')

    answer_now()

    assert last_words(talker).startswith("That did not work: Refused (404 NOT_FOUND)")
    assert not Card.objects.exists()


def test_a_stop_ends_what_it_does(ada: User, talker_of: TalkerOf) -> None:
    talker = talker_of(ada)
    talker.tell("@slow 300")
    beside = Beside()
    beside.until(speaks)
    talker.tell("@say Never said.")

    assert talker.post("assistant/stop").status_code == 204

    beside.join()
    row = Conversation.objects.get()
    assert (row.status, row.activity, row.handled) == ("active", "idle", row.last_position)
    talker.tell("@say Now.")
    answer_now()
    assert last_words(talker) == "Now."
    assert talker.post("assistant/stop").status_code == 204


def test_a_stop_takes_back_what_waits(ada: User, talker_of: TalkerOf) -> None:
    talker = talker_of(ada)
    talker.tell("@say Never said.")

    talker.post("assistant/stop")

    assert Conversation.objects.get().activity == "idle"
    assert talker.get("assistant").json()["data"]["status"] == "idle"


def test_it_keeps_to_the_slots(ada: User, bob: User, talker_of: TalkerOf, settings: Any) -> None:
    settings.KANBANAI_AGENT_SLOTS = 1
    talker_of(ada).tell("@say One.")
    talker_of(bob).tell("@say Two.")
    waits = Conversation.objects.get(person=bob)
    assert (waits.activity, waits.dispatched_at) == ("queued", None)

    first = Conversation.objects.get(person=ada)
    asyncio.run(talking.run(first.pk))

    waits.refresh_from_db()
    assert waits.dispatched_at is not None


def test_a_project_whose_agent_only_runs_scripts_has_none(
    ada: User, talker_of: TalkerOf, talkative: Project
) -> None:
    talkative.settings.default_agent = "command"
    talkative.settings.save()

    refused = talker_of(ada).post("assistant/message", {"content": "Hello"})

    assert (refused.status_code, refused.json()["code"]) == (409, "AGENT_UNAVAILABLE")
    assert not Conversation.objects.exists()


def test_without_a_sandbox_nobody_talks(ada: User, talker_of: TalkerOf, settings: Any) -> None:
    settings.KANBANAI_SANDBOX = "none"

    refused = talker_of(ada).post("assistant/message", {"content": "Hello"})

    assert (refused.status_code, refused.json()["code"]) == (409, "SANDBOX_UNAVAILABLE")
    assert not Conversation.objects.exists()


def test_another_agent_begins_anew_and_is_told_what_was_said(
    ada: User, talker_of: TalkerOf, talkative: Project
) -> None:
    talker = talker_of(ada)
    talker.tell("@say Hello.")
    before = answer_now()
    Conversation.objects.update(agent="claude")

    talker.tell("@say Here.")
    after = answer_now()

    assert after.agent == "demo"
    assert after.session_id != before.session_id


def test_a_project_that_is_deleted_takes_its_assistants_along(
    ada: User, bob: User, talker_of: TalkerOf, talkative: Project
) -> None:
    talker_of(bob).tell("@slow 300")
    beside = Beside()
    beside.until(speaks)

    answer = talker_of(ada).client.delete(f"/api/v1/projects/{talkative.public_id}")

    assert answer.status_code == 204
    beside.join()
    assert not Conversation.objects.exists()


class Line:
    """The bridge as an agent starts it, spoken to line by line."""

    def __init__(self, offered: Any, *, token: str | None = None) -> None:
        env = {**os.environ, **offered.env}
        if token is not None:
            env[bridge.TOKEN] = token
        self.process = subprocess.Popen(
            [offered.command, *offered.args],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, line: bytes) -> dict[str, Any] | None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        return dict(json.loads(answer)) if answer else None

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


async def echo(given: dict[str, Any]) -> dict[str, Any]:
    if "no" in given:
        raise server.Refused("Not this.")
    return {"given": given}


async def with_server(folder: Path, use: Any) -> Any:
    one = server.Tool(name="echo", description="Says it again.", schema={}, call=echo)
    tools = server.ToolServer(tools=[one], folder=folder)
    await tools.start()
    try:
        return await asyncio.to_thread(use, tools)
    finally:
        await tools.close()


def rpc(method: str, number: int | None = 1, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(message if number is None else {**message, "id": number}).encode()


def test_the_tools_speak_the_protocol_over_pipes(tmp_path: Path) -> None:
    # Deeper than the path of a socket may be.
    folder = tmp_path / ("d" * 100)
    folder.mkdir()

    def use(tools: server.ToolServer) -> None:
        line = Line(tools.offer())
        try:
            hello = line.ask(rpc("initialize", protocolVersion="2025-06-18"))
            assert hello is not None
            assert hello["result"]["protocolVersion"] == "2025-06-18"
            assert hello["result"]["capabilities"] == {"tools": {"listChanged": False}}
            # A notification has no answer: the next line answers the next question.
            listed = line.ask(rpc("notifications/initialized", None) + b"\n" + rpc("tools/list"))
            assert listed is not None
            assert [tool["name"] for tool in listed["result"]["tools"]] == ["echo"]
            done = line.ask(rpc("tools/call", name="echo", arguments={"a": "ü"}))
            assert done is not None
            assert done["result"]["structuredContent"] == {"given": {"a": "ü"}}
            assert done["result"]["isError"] is False
            for arguments in ({"no": 1}, [1]):
                refused = line.ask(rpc("tools/call", name="echo", arguments=arguments))
                assert refused is not None
                assert refused["result"]["isError"] is True
            for wrong, code in (
                (rpc("tools/call", name="other"), -32602),
                (rpc("resources/list"), -32601),
                (b"{", -32700),
                (b"[]", -32600),
            ):
                answer = line.ask(wrong)
                assert answer is not None
                assert answer["error"]["code"] == code
            tools.calls = server.MOST_CALLS
            refused = line.ask(rpc("tools/call", name="echo", arguments={}))
            assert refused is not None
            assert refused["result"]["isError"] is True
        finally:
            line.end()

    asyncio.run(with_server(folder, use))

    assert not (folder / bridge.SOCKET).exists()


def test_without_the_token_there_are_no_tools(tmp_path: Path) -> None:
    def use(tools: server.ToolServer) -> None:
        line = Line(tools.offer(), token="guessed")
        try:
            assert line.ask(rpc("tools/list")) is None
        finally:
            line.end()

    asyncio.run(with_server(tmp_path, use))


def test_a_line_beyond_all_bounds_ends_the_connection(tmp_path: Path) -> None:
    def use(tools: server.ToolServer) -> bytes:
        os.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(bridge.SOCKET)
            line.sendall(tools.token.encode() + b"\n")
            try:
                line.sendall(b"x" * (server.LINE_BYTES * 3))
                return line.recv(10)
            except (BrokenPipeError, ConnectionResetError):
                return b""

    before = Path.cwd()
    try:
        assert asyncio.run(with_server(tmp_path, use)) == b""
    finally:
        os.chdir(before)


def test_the_bridge_needs_nothing_but_its_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", bridge.__file__, str(tmp_path)],
        capture_output=True,
        check=False,
        env={},
    )
    assert done.returncode == 1
    assert b"the tools are not there" in done.stderr


def test_deleting_a_person_ends_their_assistant(
    ada: User, bob: User, talker_of: TalkerOf, talkative: Project
) -> None:
    talker_of(bob).tell("@slow 300")
    beside = Beside()
    beside.until(speaks)

    bob.delete()

    beside.join()
    assert not Conversation.objects.exists()


def test_a_key_that_its_agent_says_aloud_is_not_kept(
    ada: User, talker_of: TalkerOf, talkative: Project
) -> None:
    profile = factories.AgentProfile.create(
        agent="demo", name="Keyed", config={"provider": "anthropic", "apiKey": "sk-a-long-secret"}
    )
    ProjectSettings.objects.filter(project=talkative).update(default_profile_id=profile.public_id)
    talker = talker_of(ada)
    talker.tell("@call list_columns {}\n@say My key is sk-a-long-secret, keep it.")
    row = answer_now()
    assert row.profile == profile

    said = row.items.filter(role="assistant").order_by("position").last()
    assert said is not None
    assert "sk-a-long-secret" not in said.data["text"]
    told = Event.objects.filter(kind="assistant.messaged").exclude(data__messages__0__role="user")
    for event in told:
        assert "sk-a-long-secret" not in json.dumps(event.data)
