"""From updates of the Agent Client Protocol to our events: a pure machine, fed line by line.

It takes plain JSON, not the SDK's models: an agent that is newer than we are loses nothing but
what we do not know.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from apps.agents.adapters import events
from apps.agents.adapters.acp import content, settings, todos, tools

Row = dict[str, Any]

# What an agent repeats when it loads a session; the rest of a replay is news.
REPLAYED = frozenset(
    {
        "user_message_chunk",
        "agent_message_chunk",
        "agent_thought_chunk",
        "tool_call",
        "tool_call_update",
        "plan",
        "plan_update",
        "plan_removed",
    }
)
_OPTION_KINDS = frozenset({"allow_once", "allow_always", "reject_once", "reject_always"})


class Mapper:
    """The state of a session's conversation, turn after turn."""

    def __init__(self, *, worktree: Path, turn: int = 0, cost_seen: Decimal = Decimal(0)) -> None:
        self.worktree = worktree
        self.turn = turn
        self.session_id = ""
        self.title = ""
        self.replaying = False
        self.items = 0
        self.tool_count = 0
        self.last_message = ""
        self.cost = Decimal(0)
        self.cost_seen = cost_seen
        self.currency = ""
        self.settings = settings.Settings()
        self._calls: dict[str, tools.Call] = {}
        self._numbers: dict[str, int] = {}
        self._text: _Text | None = None
        self._todos: tuple[events.Todo, ...] | None = None
        self._handlers: dict[str, Callable[[Row], list[events.Event]]] = {
            "agent_message_chunk": lambda row: self._chunk(row, thought=False),
            "agent_thought_chunk": lambda row: self._chunk(row, thought=True),
            # The prompt is ours already; some agents echo it.
            "user_message_chunk": lambda _: [],
            "tool_call": self._tool,
            "tool_call_update": self._tool,
            "plan": lambda row: self._steps(row.get("entries")),
            "plan_update": lambda row: self._steps(row["plan"].get("entries")),
            "plan_removed": lambda _: self._steps([]),
            "available_commands_update": _commands,
            "current_mode_update": self.settings.mode_update,
            "config_option_update": self.settings.options_update,
            "session_info_update": self._title,
            "usage_update": self._usage,
        }

    def begin_turn(self, turn: int) -> None:
        """This will start counting and naming for another turn."""
        self.turn = turn
        self.cost = Decimal(0)
        self.tool_count = 0
        self.last_message = ""
        self._text = None
        self._numbers.clear()

    def is_replayed(self, update: Row) -> bool:
        """This will be true for an update that, while a session is loaded, repeats the past."""
        return self.replaying and update.get("sessionUpdate") in REPLAYED

    def feed(self, update: Row) -> list[events.Event]:
        """This will turn one update into events; what we do not know becomes a log line."""
        kind = str(update.get("sessionUpdate", ""))
        handler = self._handlers.get(kind)
        if handler is None:
            return [events.Log(stream="adapter", text=f"unknown update {kind!r}")]
        try:
            return handler(update)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            text = f"malformed update {kind!r}: {error!r}"
            return [events.Log(stream="adapter", level="warning", text=text)]

    def permission(self, params: Row) -> tuple[list[events.Event], events.Request]:
        """This will take a permission request: the tool it speaks of, and what is asked.

        The reference to the tool may carry nothing but its id, or be the first we hear of it.
        """
        row = params.get("toolCall")
        row = row if isinstance(row, dict) else {}
        raw_id = str(row.get("toolCallId") or "")
        news = raw_id not in self._calls or len(row) > 1
        told = self._tool(row) if raw_id and news else self._end_text()
        call = self._calls.get(raw_id)
        options = tuple(
            events.Option(
                id=str(option["optionId"]), label=str(option["name"]), kind=option["kind"]
            )
            for option in params.get("options") or []
            if isinstance(option, dict)
            and {"optionId", "name"} <= option.keys()
            and option.get("kind") in _OPTION_KINDS
        )
        if call is None:
            return told, events.Request(
                id=self._name("request"), kind="permission", options=options
            )
        paths = call.locations or tuple(diff.path for diff in call.event().diffs)
        request = events.Request(
            id=self._name("request"),
            kind="plan" if call.is_plan else "permission",
            title=call.title,
            text=call.plan_text() if call.is_plan else content.tool_text(call.content),
            tool_id=call.id,
            tool_kind=call.kind,
            command=call.command,
            paths=paths,
            outside=any(content.is_outside(path) for path in paths),
            options=options,
        )
        return told, request

    def question(self, params: Row) -> events.Request:
        """This will take a question to the user: a form, or an address to visit."""
        schema = params.get("requestedSchema")
        call = self._calls.get(str(params.get("toolCallId")))
        return events.Request(
            id=self._name("request"),
            kind="question",
            title=str(params.get("message") or ""),
            tool_id=call.id if call else "",
            schema=schema if isinstance(schema, dict) else None,
            url=str(params.get("url") or ""),
        )

    def resolved(self, request: events.Request) -> list[events.Event]:
        """This will tell a resolved request; a call that was allowed runs from now on."""
        told: list[events.Event] = [request]
        chosen = next((o for o in request.options if o.id == request.option_id), None)
        allowed = request.outcome == "selected" and chosen and chosen.kind.startswith("allow")
        for call in self._calls.values():
            if allowed and call.id == request.tool_id and call.status == "created":
                told += call.update({"status": "in_progress"})
        return told

    def end_turn(self, *, cancelled: bool) -> list[events.Event]:
        """This will close what a turn left open: a text, calls, their terminals."""
        told = self._end_text()
        status: events.ToolStatus = "cancelled" if cancelled else "failed"
        for call in self._calls.values():
            if call.is_open or not call.closed:
                told += call.finish(status)
        return told

    def tokens(self, usage: Any) -> events.Tokens | None:
        """This will be the tokens in a turn's answer, if the agent counts them."""
        if not isinstance(usage, dict):
            return None
        numbers = {
            name: usage.get(key) or 0
            for name, key in (
                ("input", "inputTokens"),
                ("output", "outputTokens"),
                ("thought", "thoughtTokens"),
                ("cached_read", "cachedReadTokens"),
                ("cached_write", "cachedWriteTokens"),
                ("total", "totalTokens"),
            )
        }
        if not all(isinstance(number, int) for number in numbers.values()):
            return None
        return events.Tokens(**numbers)

    def _name(self, kind: str) -> str:
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{self.turn}-{kind}-{self._numbers[kind]}"

    def _chunk(self, row: Row, *, thought: bool) -> list[events.Event]:
        text = content.text_of(row.get("content"))
        if not text:
            return []
        told: list[events.Event] = []
        message_id = str(row.get("messageId") or "")
        if self._text is None or not self._text.continues(message_id, thought=thought):
            told += self._end_text()
            self.items += 1
            name = self._name("thought" if thought else "message")
            self._text = _Text(id=name, message_id=message_id, thought=thought)
        self._text.parts.append(text)
        told.append(self._text.event(text, append=True, done=False))
        return told

    def _end_text(self) -> list[events.Event]:
        open_text, self._text = self._text, None
        if open_text is None:
            return []
        whole = "".join(open_text.parts)
        if not open_text.thought:
            self.last_message = whole
        return [open_text.event(whole, append=False, done=True)]

    def _tool(self, row: Row) -> list[events.Event]:
        raw_id = str(row.get("toolCallId") or "")
        if not raw_id:
            return []
        told = self._end_text()
        call = self._calls.get(raw_id)
        if call is None:
            self.items += 1
            self.tool_count += 1
            call = tools.Call(id=f"{self.turn}-tool-{raw_id}", worktree=self.worktree)
            self._calls[raw_id] = call
        # A message before a tool call was not the last word.
        self.last_message = ""
        told += call.update(row)
        steps = todos.from_input(row.get("rawInput"))
        if steps is not None and steps != self._todos:
            self._todos = steps
            told.append(events.Todos(items=steps))
        return told

    def _steps(self, entries: Any) -> list[events.Event]:
        self._todos = todos.from_plan(entries)
        return [events.Todos(items=self._todos)]

    def _title(self, row: Row) -> list[events.Event]:
        title = row.get("title")
        if not isinstance(title, str) or title == self.title:
            return []
        self.title = title
        return [events.Session(session_id=self.session_id, title=title)]

    def _usage(self, row: Row) -> list[events.Event]:
        used, size = row.get("used"), row.get("size")
        cost = row.get("cost")
        added = Decimal(0)
        if isinstance(cost, dict) and (total := _decimal(cost.get("amount"))) is not None:
            # A total below the one before means that the agent began to count anew.
            added = total - self.cost_seen if total >= self.cost_seen else total
            self.cost_seen = total
            self.cost += added
            self.currency = str(cost.get("currency") or "")
        return [
            events.Usage(
                context_used=used if isinstance(used, int) else None,
                context_size=size if isinstance(size, int) else None,
                cost=added,
                currency=self.currency,
                cost_seen=self.cost_seen,
            )
        ]


class _Text:
    """A message or thought that is still being written."""

    def __init__(self, *, id: str, message_id: str, thought: bool) -> None:  # noqa: A002
        self.id = id
        self.message_id = message_id
        self.thought = thought
        self.parts: list[str] = []

    def continues(self, message_id: str, *, thought: bool) -> bool:
        """Whether a chunk belongs to this text; without ids, chunks in a row belong together."""
        return self.thought is thought and self.message_id == message_id

    def event(self, text: str, *, append: bool, done: bool) -> events.Event:
        if self.thought:
            return events.Thought(id=self.id, text=text, append=append, done=done)
        return events.Message(id=self.id, text=text, append=append, done=done)


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number < 0:
        return None
    # Agents add up binary fractions; a millionth is finer than any price.
    return round(number, 6)


def _commands(row: Row) -> list[events.Event]:
    rows = row.get("availableCommands")
    items = []
    for entry in rows if isinstance(rows, list) else []:
        if isinstance(entry, dict) and entry.get("name"):
            hint = entry.get("input")
            items.append(
                events.SlashCommand(
                    name=str(entry["name"]),
                    description=str(entry.get("description") or ""),
                    hint=str(hint.get("hint") or "") if isinstance(hint, dict) else "",
                )
            )
    return [events.Commands(items=tuple(items))]
