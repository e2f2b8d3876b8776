"""What an agent says and does, on its way to the writer: the same for whatever it works on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from apps.agents.adapters import events
from apps.agents.runner import transcript

if TYPE_CHECKING:
    from apps.agents.operations.records import ItemDraft
    from apps.agents.runner.lease import Lease
    from apps.agents.runner.writer import Writer

LIVE_SECONDS = 1.0
_LEVELS = {"info": "info", "warning": "warn", "error": "error"}
_FINAL = frozenset({"succeeded", "failed", "cancelled"})


class Listener:
    """Takes an agent's events; who decides on its questions is for its heirs to say."""

    def __init__(self, lease: Lease, writer: Writer) -> None:
        self._lease = lease
        self._writer = writer
        self._transcript = transcript.Transcript()
        self._live_at = 0.0
        self.changed = asyncio.Event()

    async def emit(self, event: events.Event) -> None:
        """This will take one event; it is written soon after."""
        if self._lease.word == "lost":
            self._lease.check()
        match event:
            case events.Message() | events.Thought():
                self._text(event)
            case events.Tool():
                self._tool(event)
            case events.Terminal():
                self._terminal(event)
            case _:
                self._other(event)
        await self._writer.ease()

    def _text(self, event: events.Message | events.Thought) -> None:
        draft, new = self._transcript.text(event)
        if new or event.done:
            self._writer.put(draft)
        else:
            self._writer.put_later(draft)
        if event.append:
            self._writer.delta(draft, event.text)

    def _tool(self, event: events.Tool) -> None:
        draft, news = self._transcript.tool(event)
        if news:
            self._writer.put(draft)
            self._live(transcript.live_line(event))
        else:
            self._writer.put_later(draft)
        if event.status in _FINAL:
            self.changed.set()

    def _live(self, words: str) -> None:
        now = asyncio.get_running_loop().time()
        if words and now - self._live_at >= LIVE_SECONDS:
            self._live_at = now
            self._writer.batch.live_line = words
            self._writer.touch()

    def _terminal(self, event: events.Terminal) -> None:
        if event.state == "output":
            self._writer.noise(
                "terminal.output", event.id, {"terminalId": event.id, "text": event.text}
            )
            return
        words = event.command
        if event.state == "closed":
            words = "exited" if event.exit_code is None else f"exit code {event.exit_code}"
        self._writer.batch.terminals.append((event.state, event.id, words))
        self._writer.touch()

    def _other(self, event: events.Event) -> None:
        batch = self._writer.batch
        match event:
            case events.Todos():
                batch.todos = [
                    {"id": one.id, "text": one.text, "status": one.status} for one in event.items
                ]
                doing = next((one for one in event.items if one.status == "in_progress"), None)
                if doing is not None:
                    self._live(doing.text)
            case events.Session():
                batch.session_id = event.session_id
                batch.session |= {"agentName": event.agent_name} if event.agent_name else {}
                batch.session |= (
                    {"agentVersion": event.agent_version} if event.agent_version else {}
                )
                batch.session |= {"title": event.title} if event.title else {}
            case events.Commands():
                batch.session["commands"] = [
                    {"name": one.name, "description": one.description, "hint": one.hint}
                    for one in event.items
                ]
            case events.Options():
                batch.session["settings"] = [_setting(one) for one in event.settings]
            case events.Usage():
                self._usage(event)
            case events.Log():
                self._writer.log(f"[{event.stream}] {event.text}", level=_LEVELS[event.level])
        self._writer.touch()

    def _usage(self, event: events.Usage) -> None:
        batch = self._writer.batch
        if event.context_used is not None:
            batch.context_used = event.context_used
        if event.context_size is not None:
            batch.context_size = event.context_size
        if event.tokens is not None:
            batch.input_tokens += event.tokens.input
            batch.output_tokens += event.tokens.output
        batch.cost += event.cost
        batch.cost_seen = event.cost_seen
        batch.used = True

    def put(self, draft: ItemDraft) -> None:
        """This will have an item of our own written."""
        self._writer.put(draft)

    def end_turn(self, status: str) -> None:
        """This will close what the agent left open when its turn ended as `status`."""
        for draft in self._transcript.end(status):
            self._writer.put(draft)


def _setting(setting: events.Setting) -> dict[str, Any]:
    return {
        "id": setting.id,
        "label": setting.label,
        "category": setting.category,
        "value": setting.value,
        "choices": [{"id": one.id, "label": one.label} for one in setting.choices],
    }
