"""What an agent is told when its session is opened."""

import json
from typing import Any

from apps.agents.adapters import base
from tests.agents.adapters import stage

ECHO = """
import json, sys
def send(**row): print(json.dumps({"jsonrpc": "2.0", **row}), flush=True)
seen = []
for line in sys.stdin:
    row = json.loads(line)
    seen.append({"method": row["method"], "params": row.get("params")})
    if row["method"] == "initialize":
        send(id=row["id"], result={"protocolVersion": 1})
    elif row["method"] == "session/new":
        models = [{"modelId": "small", "name": "S"}, {"modelId": "big", "name": "B"}]
        send(id=row["id"], result={"sessionId": "s", "models": {
            "currentModelId": "small", "availableModels": models}})
    elif row["method"] == "session/prompt":
        send(method="session/update", params={"sessionId": "s", "update": {
            "sessionUpdate": "agent_message_chunk",
            "content": {"type": "text", "text": json.dumps(seen)}}})
        send(id=row["id"], result={"stopReason": "end_turn"})
    else:
        send(id=row["id"], result={})
"""


async def heard(world: stage.World, prompt: Any = "go", **fields: Any) -> dict[str, Any]:
    """What the agent was sent, by method."""
    result, sink = await stage.play(world, prompt, command=stage.python_agent(ECHO), **fields)
    assert result.succeeded
    return {row["method"]: row["params"] for row in json.loads(sink.texts()[0])}


async def test_the_client_offers_neither_files_nor_terminals(world: stage.World) -> None:
    sent = (await heard(world))["initialize"]

    assert sent["protocolVersion"] == 1
    assert sent["clientCapabilities"]["fs"] == {"readTextFile": False, "writeTextFile": False}
    assert sent["clientCapabilities"]["terminal"] is False
    assert sent["clientCapabilities"]["elicitation"] == {"form": {}, "url": {}}


async def test_servers_folders_and_hints_reach_the_session(world: stage.World) -> None:
    servers = (
        base.McpServer(name="board", command="board-tools", args=("-v",), env={"TOKEN": "t"}),
        base.McpServer(name="web", url="http://127.0.0.1:9/mcp", headers={"A": "b"}),
    )

    sent = (
        await heard(
            world, mcp_servers=servers, extra_dirs=(world.home,), session_meta={"hint": {"a": 1}}
        )
    )["session/new"]

    assert sent == {
        "cwd": str(world.worktree),
        "additionalDirectories": [str(world.home)],
        "mcpServers": [
            {
                "name": "board",
                "command": "board-tools",
                "args": ["-v"],
                "env": [{"name": "TOKEN", "value": "t"}],
            },
            {
                "type": "http",
                "name": "web",
                "url": "http://127.0.0.1:9/mcp",
                "headers": [{"name": "A", "value": "b"}],
            },
        ],
        "_meta": {"hint": {"a": 1}},
    }


async def test_a_model_is_set_through_the_older_list(world: stage.World) -> None:
    sent = await heard(world, model="big")

    assert sent["session/set_model"] == {"sessionId": "s", "modelId": "big"}


async def test_a_prompt_is_words_pictures_and_links_after_the_note(world: stage.World) -> None:
    blocks = [
        base.Text(text="Look"),
        base.Image(data="aGk=", mime="image/png"),
        base.Link(uri="file:///a", name="a"),
    ]

    sent = (await heard(world, blocks, system_note="You are here."))["session/prompt"]

    assert sent == {
        "sessionId": "s",
        "prompt": [
            {"type": "text", "text": "You are here."},
            {"type": "text", "text": "Look"},
            {"type": "image", "data": "aGk=", "mimeType": "image/png"},
            {"type": "resource_link", "uri": "file:///a", "name": "a"},
        ],
    }
