"""An agent without a model: it does the same thing for the same card, for real.

It speaks the protocol like any other agent and changes real files, so that the product can be
seen and tested without an account anywhere.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.agents.adapters.demo_agent import scenes, store, talks, wire
from apps.agents.adapters.demo_agent.turn import Turn

_MODES = [
    {"id": "default", "name": "Ask", "description": "Asks before it runs a command"},
    {"id": "plan", "name": "Plan", "description": "Proposes a plan and changes nothing"},
    {"id": "auto", "name": "Automatic", "description": "Runs commands without asking"},
]
_COMMANDS = [
    {"name": "status", "description": "Show what has changed in the worktree"},
    {"name": "summary", "description": "Say what this session has been about"},
]
_MODELS = [{"value": "demo", "name": "Demo"}, {"value": "demo-large", "name": "Demo, large"}]
_NOT_FOUND = -32002
_INVALID = -32602


class DemoAgent:
    """The agent's side of the protocol."""

    def __init__(self, line: wire.Wire) -> None:
        self._line = line
        self._sessions: dict[str, store.Session] = {}
        self._turns: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._methods: dict[str, Callable[[dict[str, Any]], Any]] = {
            "initialize": lambda _: _hello(),
            "session/new": self._new,
            "session/load": lambda params: self._bring_back(params, replay=True),
            "session/resume": lambda params: self._bring_back(params, replay=False),
            "session/set_mode": self._set_mode,
            "session/set_config_option": self._set_model,
            "session/cancel": self._cancel,
        }

    async def handle(self, method: str, params: dict[str, Any]) -> Any:
        """This will answer a request of the client.

        Raises:
            Refusal: for unknown methods and sessions.
        """
        if method == "session/prompt":
            return await self._prompt(params)
        handler = self._methods.get(method)
        if handler is None:
            raise wire.Refusal(wire.METHOD_NOT_FOUND, f"there is no method {method}")
        return handler(params)

    async def stop(self) -> None:
        """This will end running turns with their commands."""
        for task in self._turns.values():
            task.cancel()
        await asyncio.gather(*self._turns.values(), return_exceptions=True)

    def _session(self, params: dict[str, Any]) -> store.Session:
        session = self._sessions.get(str(params.get("sessionId")))
        if session is None:
            raise wire.Refusal(_NOT_FOUND, "there is no such session")
        return session

    def _new(self, params: dict[str, Any]) -> dict[str, Any]:
        session = store.Session.new(Path(params["cwd"]))
        session.servers = _servers(params)
        self._sessions[session.id] = session
        self._later(session)
        return {"sessionId": session.id, **_settings(session)}

    def _set_model(self, params: dict[str, Any]) -> dict[str, Any]:
        session = self._session(params)
        session.model = str(params.get("value"))
        return {"configOptions": _settings(session)["configOptions"]}

    def _bring_back(self, params: dict[str, Any], *, replay: bool) -> dict[str, Any]:
        session = store.Session.find(str(params.get("sessionId")), Path(params["cwd"]))
        if session is None:
            raise wire.Refusal(_NOT_FOUND, "there is no such session")
        session.servers = _servers(params)
        self._sessions[session.id] = session
        if replay:
            for row in session.history:
                if row.get("role") in {"user", "agent"}:
                    self._update(
                        session, f"{row['role']}_message_chunk", content=_text(row["text"])
                    )
        self._later(session)
        return _settings(session)

    def _set_mode(self, params: dict[str, Any]) -> dict[str, Any]:
        session = self._session(params)
        mode = params.get("modeId")
        if mode not in {known["id"] for known in _MODES}:
            raise wire.Refusal(_INVALID, f"there is no mode {mode}")
        session.mode = str(mode)
        return {}

    async def _prompt(self, params: dict[str, Any]) -> dict[str, Any]:
        session = self._session(params)
        task = talks.task_of(_notes(params.get("prompt")))
        if task and not session.task:
            session.add(role="task", task=task)
        turn = Turn(self._line, session)
        running = asyncio.create_task(self._run(turn, _words(params.get("prompt"))))
        self._turns[session.id] = running
        try:
            return await running
        except asyncio.CancelledError:
            return {"stopReason": "cancelled"}
        finally:
            await turn.kill_commands()
            self._turns.pop(session.id, None)

    async def _run(self, turn: Turn, prompt: str) -> dict[str, Any]:
        turn.session.add(role="user", text=prompt)
        stop_reason = await scenes.play(turn, prompt)
        usage = turn.spend(prompt)
        turn.session.add(role="agent", text=turn.said, cost=str(turn.cost))
        turn.show_usage()
        return {"stopReason": stop_reason, "usage": usage}

    def _cancel(self, params: dict[str, Any]) -> None:
        task = self._turns.get(str(params.get("sessionId")))
        if task is not None and not self._line.stay:
            task.cancel()

    def _later(self, session: store.Session) -> None:
        """Tell the commands after the answer, when the client knows the session."""
        asyncio.get_running_loop().call_soon(
            lambda: self._update(session, "available_commands_update", availableCommands=_COMMANDS)
        )

    def _update(self, session: store.Session, kind: str, **fields: Any) -> None:
        update = {"sessionUpdate": kind, **fields}
        self._line.notify("session/update", {"sessionId": session.id, "update": update})


def _hello() -> dict[str, Any]:
    return {
        "protocolVersion": 1,
        "agentCapabilities": {
            "loadSession": True,
            "promptCapabilities": {"image": True},
            "sessionCapabilities": {"resume": {}},
        },
        "agentInfo": {"name": "kanbanai-demo", "title": "Demo agent", "version": "1.0"},
        "authMethods": [],
    }


def _settings(session: store.Session) -> dict[str, Any]:
    return {
        "modes": {"currentModeId": session.mode, "availableModes": _MODES},
        "configOptions": [
            {
                "id": "model",
                "name": "Model",
                "category": "model",
                "type": "select",
                "currentValue": session.model,
                "options": _MODELS,
            }
        ],
    }


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _words(blocks: Any) -> str:
    """The user's own words are the last text; notes for the agent come before."""
    texts = _texts(blocks)
    return texts[-1] if texts else ""


def _notes(blocks: Any) -> str:
    return "\n\n".join(_texts(blocks)[:-1])


def _texts(blocks: Any) -> list[str]:
    return [
        str(block.get("text", ""))
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, dict) and block.get("type") == "text"
    ]


def _servers(params: dict[str, Any]) -> list[dict[str, Any]]:
    found = params.get("mcpServers")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
