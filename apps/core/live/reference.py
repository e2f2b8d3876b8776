"""The reference of the live channels as Markdown, made from the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from apps.core.live.catalogue import Channel, Shape

HEAD = """# Events

Made by `manage.py events_reference`; do not edit.

Everything that happens is a row of the journal: a kind, a topic, and a version that counts up by
one for each topic. Every live channel is a way to say these rows.

| channel | address | envelope |
|---|---|---|
| board socket | `GET /api/v1/ws?boardId=` (or `projectId=`) | `{type, payload, version, at}` |
| dashboard socket | `GET /api/v1/ws/dashboard` | the same |
| board event stream | `GET /api/v1/sse?boardId=` (or `projectId=`) | `event:` `data:` `id:` |
| dashboard event stream | `GET /api/v1/sse` | the same |
| project socket | `GET /api/ws` | `{type, data, version, at}` |

Credentials: the session cookie, `Authorization: Bearer`, `?token=`, or a `?ticket=` of
`POST /api/v1/realtime/tickets`.

Options of the board channels: `changes=delta` for small messages in place of whole boards,
`detail=summary` to leave transcripts out, `since=` to come back.

**Coming back.** Give `since=<version>` of the last message (its `cursor` where it has one), or
`Last-Event-ID` on event streams. The missed messages come in order in place of `state`; where that
is not possible `resync` and `state` come. A message of an event that has several carries a
`cursor` unless it is the last one.

**Commands** of the board socket: `{type, payload, id?, expectedVersion?}` with `create_card`,
`move_card`, `update_card`, `delete_card`, `get_state`, `watch {attemptId, sinceSeq}`,
`unwatch {attemptId}`, `view {cardId?}`, `typing {typing?}`, `unview`, `ping`. Each is answered by
`ack` or `error`; a repeated `id` is answered again and not executed again. With `expectedVersion` a
card that somebody changed since is refused with `STALE`.

**The project socket** takes `subscribe {projectId, since?}`, `unsubscribe {projectId}` and `ping`
as `{type, payload}`. Its `version` is a text that names every topic of the project; it is given
back as it is. Notifications and news of the server come without a subscription; those that were
missed come with `?since=` and the `version` of the last of them.

| close code | meaning |
|---|---|
| 1001 | the server stops: come back at once |
| 1003 | three frames were no messages |
| 1008 | the board does not exist, or is not yours |
| 1009 | a frame was larger than 1 MiB |
| 4001 | sign in again |
| 4403 | the access has ended |
| 4409 | too slow: come back with `since` |
"""


def page(channels: Iterable[Channel], messages: Mapping[str, Iterable[Shape]]) -> str:
    """This will write the whole page; `messages` are the tables of messages by their titles."""
    lines = [HEAD]
    for title, shapes in messages.items():
        lines += [f"## {title}", "", "| type | payload | meaning |", "|---|---|---|"]
        for shape in shapes:
            keys = f"`{{{shape.keys}}}`" if shape.keys else "`{}`"
            lines.append(f"| `{shape.type}` | {keys} | {shape.says} |")
        lines.append("")
    lines.pop()
    for channel in channels:
        lines += ["", f"## {channel.title}", "", "| kind | messages |", "|---|---|"]
        for kind, types in sorted(channel.types.items()):
            said = ", ".join(f"`{name}`" for name in types) if types else "-"
            lines.append(f"| `{kind}` | {said} |")
    return "\n".join(lines) + "\n"
