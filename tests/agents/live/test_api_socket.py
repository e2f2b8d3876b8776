"""`/api/ws`: projects are subscribed, and everything that happens in them is heard once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import Role, User
from apps.agents import events as agent_events
from apps.agents.live import api_socket
from apps.agents.live.api_socket import ApiSocket
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core import events, publishing
from apps.core.actors import Actor
from apps.core.live import journal
from apps.core.logs.live import TOPIC as LOG_TOPIC
from apps.core.models import Event, Topic
from apps.projects import operations as project_operations
from apps.projects.models import Project, ProjectMember
from tests import factories
from tests.live import Connection, bearer, do, hub
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)

SYSTEM = Actor.system("test")


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


def connect(user: User | None, query: str = "") -> Connection:
    headers = bearer(user) if user is not None else {}
    return Connection(ApiSocket.application, f"/api/ws?{query}", headers)


async def subscribe(client: Connection, project: Project, **more: Any) -> dict[str, Any]:
    await client.say("subscribe", {"projectId": project.public_id, **more})
    return await client.next()


async def make_card(ada: User, column: Column | None, title: str = "Card") -> Card:
    assert column is not None
    return await do(operations.create_card, actor=actor_of(ada), column=column, title=title)


def places_of(version: str) -> set[str]:
    """The topics a version names, in whatever order."""
    return set(version.split(","))


def record(topic: str, kind: str, data: dict[str, Any]) -> Event:
    with transaction.atomic():
        return events.record(topic=topic, kind=kind, data=data, actor=SYSTEM)


# --- subscribing ---------------------------------------------------------------------------------


async def test_a_subscription_is_answered_and_then_everything_is_heard(
    ada: User, project: Project, columns: dict[str, Column]
) -> None:
    async with connect(ada) as client:
        answer = await subscribe(client, project)
        assert set(answer) == {"type", "data", "at"}
        assert (answer["type"], set(answer["data"])) == ("subscribed", {"projectId", "version"})
        assert answer["data"]["projectId"] == project.public_id
        card = await make_card(ada, columns["backlog"])
        heard = await client.next()
        assert set(heard) == {"type", "data", "version", "at"}
        assert heard["type"] == "card.created"
        assert heard["data"]["id"] == card.public_id
        assert heard["data"]["projectId"] == project.public_id
        assert heard["data"]["columnId"] == columns["backlog"].public_id
        assert await client.silent()


async def test_nothing_of_a_project_is_heard_before_and_after_a_subscription(
    ada: User, project: Project, columns: dict[str, Column]
) -> None:
    async with connect(ada) as client:
        await client.say("ping")
        assert (await client.next())["type"] == "pong"
        await make_card(ada, columns["backlog"])
        assert await client.silent()
        await subscribe(client, project)
        for _ in range(2):
            await client.say("unsubscribe", {"projectId": project.public_id})
            answer = await client.next()
            assert answer["data"] == {"projectId": project.public_id}
            assert answer["type"] == "unsubscribed"
        await make_card(ada, columns["backlog"])
        assert await client.silent()


async def test_subscribing_twice_is_answered_twice_and_heard_once(
    ada: User, project: Project, columns: dict[str, Column]
) -> None:
    async with connect(ada) as client:
        first = await subscribe(client, project)
        assert (await subscribe(client, project))["data"] == first["data"]
        await make_card(ada, columns["backlog"])
        assert (await client.next())["type"] == "card.created"
        assert await client.silent()


@pytest.mark.parametrize("secret", ["", "Bearer nonsense", "Bearer kbn_nonsense", "Basic abc"])
async def test_bad_credentials_are_accepted_and_then_closed_with_4001(
    project: Project, secret: str
) -> None:
    headers = {"Authorization": secret} if secret else {}
    async with Connection(ApiSocket.application, "/api/ws", headers) as client:
        assert (await client.raw())["type"] == "websocket.accept"
        assert await client.raw() == {
            "type": "websocket.close",
            "code": 4001,
            "reason": "Sign in to continue",
        }


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"projectId": 1}, "NOT_FOUND"),
        ({"projectId": "1"}, "NOT_FOUND"),
        ({"projectId": -(10**30)}, "NOT_FOUND"),
        ({"projectId": "proj_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND"),
        ({"projectId": "board_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND"),
        ({"projectId": "\ud800"}, "NOT_FOUND"),
        ({"projectId": "x" * 10_000}, "NOT_FOUND"),
        ({"projectId": True}, "VALIDATION_ERROR"),
        ({"projectId": None}, "VALIDATION_ERROR"),
        ({"projectId": []}, "VALIDATION_ERROR"),
        ({}, "VALIDATION_ERROR"),
        ({"channel": "weather"}, "VALIDATION_ERROR"),
        ({"channel": "logs"}, "FORBIDDEN"),
        ({"channel": "logs", "level": "loud"}, "VALIDATION_ERROR"),
        ({"channel": "logs", "level": []}, "VALIDATION_ERROR"),
    ],
)
async def test_what_cannot_be_subscribed_is_an_error_and_the_connection_stays(
    ada: User, project: Project, payload: dict[str, Any], code: str
) -> None:
    async with connect(ada) as client:
        await client.say("subscribe", payload)
        answer = await client.next()
        assert (answer["type"], set(answer["data"])) == ("error", {"code", "message"})
        assert answer["data"]["code"] == code
        assert (await subscribe(client, project))["type"] == "subscribed"


async def test_a_strangers_project_looks_like_one_that_does_not_exist(
    eve: User, project: Project
) -> None:
    async with connect(eve) as client:
        found = await subscribe(client, project)
        await client.say("subscribe", {"projectId": "proj_01h455vb4pex5vsknk084sn02q"})
        missing = await client.next()
        assert (
            found["data"]
            == missing["data"]
            == {
                "code": "NOT_FOUND",
                "message": "Project not found.",
            }
        )


@pytest.mark.parametrize("frame", ["nonsense", "[]", '"x"', '{"type":1}', "null", "{}", "1e999"])
async def test_the_third_unreadable_frame_ends_it(ada: User, frame: str) -> None:
    async with connect(ada) as client:
        for _ in range(2):
            await client.text(frame)
            assert (await client.next())["data"]["code"] == "VALIDATION_ERROR"
        await client.text(frame)
        assert (await client.closing())[0] == 1003


async def test_unknown_messages_are_errors_however_many(ada: User) -> None:
    async with connect(ada) as client:
        payloads: list[Any] = [None, [], "text", 5, {"a": 1}]
        for payload in payloads:
            await client.say("dance", payload)
            assert (await client.next())["data"]["code"] == "VALIDATION_ERROR"


async def test_one_connection_follows_a_bounded_number_of_projects(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_socket, "MOST_PROJECTS", 3)
    projects = await do(lambda: [factories.Project.create(owner=ada) for _ in range(5)])
    async with connect(ada) as client:
        answers = [await subscribe(client, project) for project in projects]
        assert [answer["type"] for answer in answers] == ["subscribed"] * 3 + ["error"] * 2
        assert answers[-1]["data"]["code"] == "CONFLICT"
        assert (await subscribe(client, projects[0]))["type"] == "subscribed"
        await client.say("unsubscribe", {"projectId": projects[0].public_id})
        await client.next()
        assert (await subscribe(client, projects[4]))["type"] == "subscribed"


async def test_boards_made_later_are_heard_from_their_first_event(
    ada: User, project: Project, board: Board
) -> None:
    async with connect(ada) as client:
        await subscribe(client, project)
        made = await do(operations.create_board, actor=actor_of(ada), project=project, name="Later")
        column = await do(made.columns.first)
        await make_card(ada, column, "On the new board")
        said = await client.until("card.created")
        assert said[0]["type"] == "board.created"
        assert said[0]["data"] == {
            "id": made.public_id,
            "name": "Later",
            "projectId": project.public_id,
            "position": 1,
        }
        assert said[-1]["data"]["title"] == "On the new board"
        place = said[-1]["version"]
    async with connect(ada) as client:
        answer = await subscribe(client, project, since=place)
        assert places_of(answer["data"]["version"]) == places_of(place)
        assert await client.silent()


# --- coming back ---------------------------------------------------------------------------------


async def test_a_client_that_comes_back_from_any_place_hears_the_rest_exactly_once(
    ada: User, project: Project, board: Board, columns: dict[str, Column]
) -> None:
    other = await do(operations.create_board, actor=actor_of(ada), project=project, name="Other")
    far = await do(other.columns.first)
    places: list[str] = []
    async with connect(ada) as client:
        places.append((await subscribe(client, project))["data"]["version"])
        for number in range(4):
            card = await make_card(ada, (columns["backlog"], far)[number % 2], f"Card {number}")
            await do(
                operations.update_card,
                actor=actor_of(ada),
                card=card,
                changes={"title": f"New {number}"},
            )
        heard = [await client.next() for _ in range(8)]
        places += [message["version"] for message in heard]
    for seen, place in enumerate(places):
        async with connect(ada) as client:
            answer = await subscribe(client, project, since=place)
            assert answer["type"] == "subscribed"
            assert places_of(answer["data"]["version"]) == places_of(place)
            rest = [await client.next() for _ in range(len(heard) - seen)]
            assert [message["data"] for message in rest] == [
                message["data"] for message in heard[seen:]
            ]
            assert [places_of(message["version"]) for message in rest] == [
                places_of(later) for later in places[seen + 1 :]
            ]
            assert await client.silent(0.1)


async def test_a_batch_that_was_cut_off_goes_on_where_it_was_cut(
    ada: User, project: Project, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["review"])
    attempt = await do(factories.Attempt.create, card=card, succeeded=True)
    items = [await do(factories.Item.create, attempt=attempt) for _ in range(4)]

    def converse() -> None:
        with transaction.atomic():
            agent_events.attempt_conversed(attempt, items, actor=SYSTEM)

    async with connect(ada) as client:
        place = (await subscribe(client, project))["data"]["version"]
        await do(converse)
        said = [await client.next() for _ in range(4)]
        assert [message["type"] for message in said] == ["agent.message"] * 4
    for seen, start in enumerate([place, *(message["version"] for message in said)]):
        async with connect(ada) as client:
            await subscribe(client, project, since=start)
            rest = [await client.next() for _ in range(4 - seen)]
            assert [message["data"]["id"] for message in rest] == [
                item.public_id for item in items[seen:]
            ]
            assert await client.silent(0.1)


@pytest.mark.parametrize("since", ["nonsense", "board_01h455vb4pex5vsknk084sn02q:3", 17, "a:b,c"])
async def test_a_place_of_elsewhere_starts_over(
    ada: User, project: Project, columns: dict[str, Column], since: Any
) -> None:
    await make_card(ada, columns["backlog"])
    async with connect(ada) as client:
        first = await subscribe(client, project, since=since)
        assert first["type"] == "resync"
        assert first["data"] == {"projectId": project.public_id, "reason": "unknown_cursor"}
        answer = await client.next()
        assert answer["type"] == "subscribed"
        await make_card(ada, columns["backlog"])
        assert (await client.next())["type"] == "card.created"
        assert await client.silent(0.1)


async def test_a_place_in_the_future_one_too_old_and_one_too_far_start_over(
    ada: User,
    project: Project,
    board: Board,
    columns: dict[str, Column],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(4):
        await make_card(ada, columns["backlog"])

    async def reason(since: str) -> str:
        async with connect(ada) as client:
            answer = await subscribe(client, project, since=since)
            return str(answer["data"].get("reason", answer["type"]))

    assert await reason(f"{board.public_id}:99") == "unknown_cursor"
    assert await reason(f"{board.public_id}:1") == "subscribed"
    monkeypatch.setattr(journal, "MAX_REPLAY", 2)
    assert await reason(f"{board.public_id}:1") == "too_many"
    monkeypatch.undo()
    topic = f"board.{board.public_id}"
    await do(Topic.objects.filter(name=topic).update, oldest_version=4)
    await do(Event.objects.filter(topic=topic, version__lt=4).delete)
    assert await reason(f"{board.public_id}:1") == "too_old"
    assert await reason(f"{board.public_id}:3") == "subscribed"


async def test_no_event_falls_between_joining_and_reading(
    ada: User, project: Project, columns: dict[str, Column]
) -> None:
    stop = asyncio.Event()
    made: list[str] = []

    async def write() -> None:
        while not stop.is_set():
            card = await make_card(ada, columns["backlog"], f"Card {len(made)}")
            made.append(card.public_id)

    writer = asyncio.ensure_future(write())
    place: str | None = None
    heard: list[str] = []
    for _ in range(12):
        async with connect(ada) as client:
            answer = await subscribe(
                client, project, **({"since": place} if place else {"since": 0})
            )
            place = answer["data"]["version"]
            for _ in range(3):
                message = await client.next()
                heard.append(message["data"]["id"])
                place = message["version"]
    stop.set()
    await writer
    async with connect(ada) as client:
        await subscribe(client, project, since=place)
        while len(heard) < len(made):
            heard.append((await client.next())["data"]["id"])
        assert await client.silent(0.1)
    assert heard == made


# --- without a subscription ----------------------------------------------------------------------


async def test_notifications_come_to_their_person_alone_and_can_be_gone_back_to(
    ada: User, bob: User
) -> None:
    topic = f"user.{bob.public_id}"
    async with connect(ada) as first, connect(bob) as second:
        for client in (first, second):
            await client.say("ping")
            await client.next()
        await do(record, topic, "notification.created", {"title": "One"})
        heard = await second.next()
        assert (heard["type"], heard["data"]) == ("notification", {"title": "One"})
        await do(record, topic, "preferences.updated", {"preferences": {}})
        assert await second.silent()
        assert await first.silent(0.1)
    await do(record, topic, "notification.created", {"title": "Two"})
    async with connect(bob, f"since={heard['version']}") as client:
        assert (await client.next())["data"] == {"title": "Two"}
        assert await client.silent(0.1)
    async with connect(bob, "since=nonsense") as client:
        resync = await client.next()
        assert (resync["type"], resync["data"]) == ("resync", {"reason": "unknown_cursor"})


async def test_news_of_the_server_come_to_everybody_and_settings_to_nobody(
    ada: User, eve: User
) -> None:
    async with connect(ada) as first, connect(eve) as second:
        for client in (first, second):
            await client.say("ping")
            await client.next()
        await do(record, "server", "user.created", {"user": {"email": "secret@example.org"}})
        await do(record, "server", "agent.registered", {"agent": "demo", "label": None})
        for client in (first, second):
            heard = await client.next()
            assert heard["type"] == "agent.registered"
            assert heard["data"] == {"agent": "demo", "label": None}
            assert await client.silent(0.1)


async def test_the_log_comes_to_admins_who_ask_and_ends_with_their_role(
    ada: User, root: User
) -> None:
    def enter(message: str, level: str = "info") -> None:
        lines = [{"message": message, "level": level}, {"message": "Quiet", "level": "debug"}]
        publishing.send_ephemeral(topic=LOG_TOPIC, kind="log.entry", data={"entries": lines})

    async with connect(root) as client, connect(ada) as other:
        await other.say("ping")
        await other.next()
        await client.say("subscribe", {"channel": "logs"})
        answer = await client.next()
        assert (answer["type"], answer["data"]) == ("subscribed", {"channel": "logs"})
        await do(enter, "One")
        heard = await client.next()
        assert (heard["type"], heard["data"]) == (
            "log.entry",
            {"message": "One", "level": "info"},
        )
        await client.say("subscribe", {"channel": "logs", "level": "error"})
        await client.next()
        await do(enter, "Two")
        await do(enter, "Three", "error")
        assert (await client.next())["data"]["message"] == "Three"
        await do(User.objects.filter(pk=root.pk).update, role=Role.USER)
        ended = await client.next()
        assert ended["type"] == "unsubscribed"
        assert ended["data"] == {"channel": "logs", "reason": "access_ended"}
        await do(enter, "Two")
        assert await client.silent()
        assert await other.silent(0.1)
        await client.say("subscribe", {"channel": "logs"})
        assert (await client.next())["data"]["code"] == "FORBIDDEN"


# --- authorization for life ----------------------------------------------------------------------


async def test_a_lost_membership_narrows_the_connection_within_a_second(
    ada: User, bob: User, project: Project, columns: dict[str, Column]
) -> None:
    mine = await do(factories.Project.create, owner=bob)
    async with connect(bob) as client:
        await subscribe(client, project)
        await subscribe(client, mine)
        await do(ProjectMember.objects.filter(user=bob, project=project).delete)
        async with asyncio.timeout(1.5):
            ended = await client.next()
        assert ended["type"] == "unsubscribed"
        assert ended["data"] == {"projectId": project.public_id, "reason": "access_ended"}
        await make_card(ada, columns["backlog"])
        await do(record, f"project.{mine.public_id}", "project.deleted", {"projectId": "x"})
        assert (await client.next())["type"] == "project.deleted"


async def test_a_deleted_project_says_so_and_the_connection_stays(
    ada: User, bob: User, project: Project
) -> None:
    async with connect(bob) as client:
        await subscribe(client, project)
        await do(project_operations.delete_project, actor=actor_of(ada), project=project)
        said = await client.until("unsubscribed")
        assert said[0]["type"] == "project.deleted"
        assert said[0]["data"] == {
            "projectId": project.public_id,
            "id": project.public_id,
            "name": project.name,
        }
        assert said[-1]["data"] == {"projectId": project.public_id, "reason": "project_deleted"}
        await client.say("ping")
        assert (await client.next())["type"] == "pong"


async def test_a_new_password_ends_the_whole_connection(bob: User, project: Project) -> None:
    async with connect(bob) as client:
        await subscribe(client, project)
        await do(User.objects.filter(pk=bob.pk).update, token_version=2)
        assert (await client.closing(1.5))[0] == 4001
