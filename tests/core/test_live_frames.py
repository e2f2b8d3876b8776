from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.live import cursors, frames
from apps.core.live.catalogue import Channel
from apps.core.live.cursors import BadCursor, Cursor
from apps.core.live.events import Event
from apps.core.live.frames import EVENT_STREAM, SOCKET, Message, Origin, Raw
from apps.core.live.journal import Entry

TOPIC = "board.board_01"


@given(version=st.integers(0, 10**17), part=st.none() | st.integers(0, 99_999))
def test_a_cursor_is_read_back_as_it_was_written(version: int, part: int | None) -> None:
    cursor = Cursor(version, part)
    assert cursors.parse(str(cursor), topic=TOPIC) == cursor
    assert cursors.parse(f"{TOPIC}:{cursor}", topic=TOPIC) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-1",
        "1.",
        ".1",
        "1.2.3",
        "board.other:4",
        "\u0661",
        "1e3",
        "9" * 40,
        f"{TOPIC}:",
        ":1",
    ],
)
def test_what_is_no_cursor_of_the_topic_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        cursors.parse(text, topic=TOPIC)


def test_a_cursor_with_a_part_has_not_seen_its_version_whole() -> None:
    assert Cursor(7, 2).complete == 6
    assert Cursor(7).complete == 7


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
def test_a_frame_has_the_header_of_its_length(size: int) -> None:
    payload = b"x" * size
    framed = frames.websocket_frame(payload)
    assert framed.endswith(payload)
    head = framed[: len(framed) - size]
    assert head[0] == 0x81
    length = {2: lambda: head[1], 4: lambda: int.from_bytes(head[2:], "big")}.get(
        len(head), lambda: int.from_bytes(head[2:], "big")
    )()
    assert length == size


def test_a_socket_message_has_type_payload_version_and_time() -> None:
    frame = SOCKET.frame(Message("card_moved", {"a": "ü"}), Origin(TOPIC, Cursor(3), "2026Z"))
    assert json.loads(frame.text) == {
        "type": "card_moved",
        "payload": {"a": "ü"},
        "version": 3,
        "at": "2026Z",
    }
    assert json.loads(SOCKET.frame(Message("hello", {})).text) == {"type": "hello", "payload": {}}


def test_a_payload_that_is_json_already_is_taken_as_it_is() -> None:
    assert json.loads(SOCKET.frame(Message("state", Raw(b'{"a":1}'))).text)["payload"] == {"a": 1}


def test_a_server_sent_event_is_three_lines_and_a_blank_one() -> None:
    frame = EVENT_STREAM.frame(Message("state", {"t": "a\nb"}), Origin(TOPIC, Cursor(3, 1), "now"))
    assert frame.wire == (b'id: board.board_01:3.1\nevent: state\ndata: {"t":"a\\nb"}\n\n')
    assert EVENT_STREAM.frame(Message("heartbeat", {})).wire == b"event: heartbeat\ndata: {}\n\n"


def test_half_characters_do_not_stop_a_stream() -> None:
    assert frames.dumps({"text": "\ud800"}) == b'{"text":"?"}'


def test_all_but_the_last_message_of_an_event_carry_a_cursor_with_a_part() -> None:
    channel = Channel("test", "Test")
    channel.say(["many"], ["one"], lambda _kind, data: [Message("one", item) for item in data])
    event = Event.of(Entry("test.1", 9, "many", [1, 2, 3], "2026-01-01T00:00:00+00:00"))
    said = [json.loads(frame.text) for frame in event.frames(channel, SOCKET)]
    assert said == [
        {"type": "one", "payload": 1, "version": 9, "cursor": "9.0", "at": "2026-01-01T00:00:00Z"},
        {"type": "one", "payload": 2, "version": 9, "cursor": "9.1", "at": "2026-01-01T00:00:00Z"},
        {"type": "one", "payload": 3, "version": 9, "at": "2026-01-01T00:00:00Z"},
    ]


def test_an_event_is_encoded_once_for_all_who_hear_it_alike() -> None:
    calls = []

    def encode(kind: str, data: object) -> list[Message]:
        calls.append(kind)
        return [Message("one", data)]

    channel = Channel("test", "Test")
    channel.say(["kind"], ["one"], encode)
    event = Event(TOPIC, 1, "kind", '{"a":1}', "")
    first = event.frames(channel, SOCKET)
    assert event.frames(channel, SOCKET) is first
    event.frames(channel, EVENT_STREAM)
    assert calls == ["kind"]
