"""Opening a session: say hello, bring an old session back or make a new one, set it up.

What agents say they can do is a hint only: one advertises resuming and does not know the method,
another fails to load what it stored. So the ways are tried in turn and the last is a new session.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from acp import PROTOCOL_VERSION, RequestError

from apps.agents import processes
from apps.agents.adapters import base, events
from apps.agents.adapters.acp import errors, settings
from apps.agents.adapters.acp.mapper import Mapper
from apps.agents.adapters.failures import AUTH_REQUIRED, AdapterError

_CLIENT = {"name": "kanbanai", "title": "KanbanAI", "version": "1"}
# Neither files nor terminals are offered: agents then use their own, inside the sandbox.
_CAPABILITIES: dict[str, Any] = {
    "fs": {"readTextFile": False, "writeTextFile": False},
    "terminal": False,
    "elicitation": {"form": {}, "url": {}},
    "_meta": {"terminal_output": True},
}
_PLAN_MODES = ("plan", "planning", "architect")


class Line(Protocol):
    """The part of a link that opening needs."""

    mapper: Mapper

    async def request(self, method: str, params: Any) -> Any:
        """This will send a request and give its answer."""

    async def emit(self, event: events.Event) -> None:
        """This will tell one event."""

    @property
    def process(self) -> Any:
        """This will be the process."""


async def open_session(line: Line, spec: base.SessionSpec) -> base.SessionInfo:
    """This will initialize the agent and open the session of a spec, settings applied.

    Raises:
        AdapterError: when the agent speaks another protocol or a session was required.
        RequestError: when the agent refuses.
    """
    hello = await line.request(
        "initialize",
        {
            "protocolVersion": PROTOCOL_VERSION,
            "clientCapabilities": _CAPABILITIES,
            "clientInfo": _CLIENT,
        },
    )
    if not isinstance(hello, dict) or hello.get("protocolVersion") != PROTOCOL_VERSION:
        version = hello.get("protocolVersion") if isinstance(hello, dict) else hello
        raise AdapterError("agent_protocol_error", f"The agent speaks protocol version {version!r}")
    can = _section(hello, "agentCapabilities")
    answer, how = await _bring_back_or_make(line, spec, can)
    session_id = spec.session_id if how != "new" else answer.get("sessionId")
    if not isinstance(session_id, str) or not session_id:
        raise AdapterError("agent_protocol_error", "The agent opened a session without an id")
    mapper = line.mapper
    mapper.session_id = session_id
    mapper.settings.read(answer)
    await _set_up(line, spec, session_id)
    agent = _section(hello, "agentInfo")
    info = base.SessionInfo(
        session_id=session_id,
        how=how,
        lost_history=bool(spec.session_id) and spec.resume != "new" and how == "new",
        agent_name=str(agent.get("title") or agent.get("name") or ""),
        agent_version=str(agent.get("version") or ""),
        settings=mapper.settings.all(),
        caps=_caps(can, mapper.settings),
        pid=line.process.pid,
        started=known.started if (known := processes.identity(line.process.pid)) else None,
    )
    await line.emit(
        events.Session(
            session_id=session_id,
            how=how,
            agent_name=info.agent_name,
            agent_version=info.agent_version,
        )
    )
    if info.settings:
        await line.emit(mapper.settings.event())
    await line.emit(events.Status(state="ready", detail=how))
    return info


async def set_option(line: Line, session_id: str, key: str, value: str | bool) -> bool:  # noqa: FBT001
    """This will change a setting by id or category; False when there is no such one or value.

    Raises:
        RequestError: when the agent refuses.
    """
    known = line.mapper.settings
    setting = known.find(key)
    if setting is None:
        return False
    if isinstance(value, str) and setting.choices:
        value = _closest(value, setting.choices)
        if not value:
            return False
    if setting.value == value:
        return True
    if not known.is_older(setting.id):
        answer = await line.request(
            "session/set_config_option",
            {
                "sessionId": session_id,
                "configId": setting.id,
                "value": value,
                **({"type": "boolean"} if isinstance(value, bool) else {}),
            },
        )
        if isinstance(answer, dict) and isinstance(answer.get("configOptions"), list):
            known.options_update(answer)
        return True
    method, name = (
        ("session/set_mode", "modeId")
        if setting.category == settings.MODE
        else ("session/set_model", "modelId")
    )
    await line.request(method, {"sessionId": session_id, name: value})
    known.set_older(setting.category, str(value))
    return True


def plan_mode(ids: Sequence[str]) -> str:
    """This will be the id of the agent's planning mode, empty when it has none."""
    for wanted in _PLAN_MODES:
        for mode in ids:
            # Some agents name their modes by addresses.
            if mode.lower() == wanted or mode.lower().rpartition("#")[2] == wanted:
                return mode
    return ""


def blocks(prompt: Sequence[base.Block] | str, *, note: str = "") -> list[dict[str, Any]]:
    """This will be a prompt as content blocks; `note` comes first."""
    parts = [base.Text(text=prompt)] if isinstance(prompt, str) else list(prompt)
    if note:
        parts.insert(0, base.Text(text=note))
    return [_block(part) for part in parts]


def _block(part: base.Block) -> dict[str, Any]:
    match part:
        case base.Text():
            return {"type": "text", "text": part.text}
        case base.Image():
            return {"type": "image", "data": part.data, "mimeType": part.mime}
        case base.Link():
            return {"type": "resource_link", "uri": part.uri, "name": part.name}


async def _bring_back_or_make(
    line: Line, spec: base.SessionSpec, can: dict[str, Any]
) -> tuple[dict[str, Any], Literal["new", "resume", "load"]]:
    common = {
        "cwd": str(spec.cwd),
        "mcpServers": [_server(server) for server in spec.mcp_servers],
        **({"additionalDirectories": [str(p) for p in spec.extra_dirs]} if spec.extra_dirs else {}),
        **({"_meta": dict(spec.session_meta)} if spec.session_meta else {}),
    }
    if spec.session_id and spec.resume != "new":
        resume = "resume" in _section(can, "sessionCapabilities")
        ways: list[tuple[str, Literal["resume", "load"]]] = []
        ways += [("session/resume", "resume")] if resume else []
        ways += [("session/load", "load")] if can.get("loadSession") else []
        for method, how in ways:
            answer = await _bring_back(line, method, {**common, "sessionId": spec.session_id})
            if answer is not None:
                return answer, how
        if spec.resume == "require":
            raise AdapterError("host_lost", "The agent could not bring its session back")
    answer = await line.request("session/new", common)
    return answer if isinstance(answer, dict) else {}, "new"


async def _bring_back(line: Line, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Try one way; what the agent repeats of the past meanwhile is known already."""
    line.mapper.replaying = True
    try:
        answer = await line.request(method, params)
    except RequestError as error:
        if error.code == AUTH_REQUIRED:
            raise
        text = f"{method} failed: {errors.describe(error)}"
        await line.emit(events.Log(stream="adapter", level="warning", text=text))
        return None
    finally:
        line.mapper.replaying = False
    return answer if isinstance(answer, dict) else {}


async def _set_up(line: Line, spec: base.SessionSpec, session_id: str) -> None:
    wanted: dict[str, str | bool] = dict(spec.options)
    if spec.model:
        wanted["model"] = spec.model
    mode = spec.mode or (plan_mode(line.mapper.settings.mode_ids) if spec.readonly else "")
    if mode:
        wanted[settings.MODE] = mode
    for key, value in wanted.items():
        try:
            changed = await set_option(line, session_id, key, value)
        except RequestError as error:
            changed = False
            why = errors.describe(error)
        else:
            why = "there is no such setting or value"
        if not changed:
            text = f"{key} could not be set to {value}: {why}"
            await line.emit(events.Log(stream="adapter", level="warning", text=text))


def _closest(value: str, choices: Sequence[events.Choice]) -> str:
    for choice in choices:
        if choice.id == value:
            return choice.id
    for choice in choices:
        if choice.label.lower() == value.lower() or choice.id.endswith((f"/{value}", f"#{value}")):
            return choice.id
    return ""


def _server(server: base.McpServer) -> dict[str, Any]:
    def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in values.items()]

    if server.url:
        headers = pairs(server.headers)
        return {"type": "http", "name": server.name, "url": server.url, "headers": headers}
    return {
        "name": server.name,
        "command": server.command,
        "args": list(server.args),
        "env": pairs(server.env),
    }


def _caps(can: dict[str, Any], known: settings.Settings) -> base.Caps:
    session = _section(can, "sessionCapabilities")
    return base.Caps(
        resume="resume" in session,
        load=bool(can.get("loadSession")),
        fork="fork" in session,
        images=bool(_section(can, "promptCapabilities").get("image")),
        modes=bool(known.mode_ids),
        plan_mode=bool(plan_mode(known.mode_ids)),
        mcp_http=bool(_section(can, "mcpCapabilities").get("http")),
    )


def _section(answer: Any, name: str) -> dict[str, Any]:
    value = answer.get(name) if isinstance(answer, dict) else None
    return value if isinstance(value, dict) else {}
