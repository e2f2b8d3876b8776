"""What one person does with projects: order, last opened, read, panels."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.core import ids
from apps.core.models import Event
from apps.projects import operations
from apps.projects.models import Project, ProjectView
from tests import factories
from tests.people import ClientOf, actor_of

URL = "/api/v1/projects"


@pytest.fixture
def three(ada: User) -> list[Project]:
    """Three projects of Ada's, the eldest first."""
    return [factories.Project.create(owner=ada, name=name) for name in ("One", "Two", "Three")]


def names(client: Any) -> list[str]:
    shown = client.get(URL).json()["data"]
    assert [project["position"] for project in shown] == list(range(len(shown)))
    return [project["name"] for project in shown]


def test_projects_stand_by_age_until_they_are_ordered(
    ada: User, bob: User, three: list[Project], client_of: ClientOf
) -> None:
    one, two, three_ = (project.public_id for project in three)
    client = client_of(ada)
    assert names(client) == ["One", "Two", "Three"]
    answer = client.patch(f"{URL}/reorder", {"ids": [three_]})
    assert [project["name"] for project in answer.json()["data"]] == ["Three", "One", "Two"]
    client.patch(f"{URL}/reorder", {"ids": [two, three_, one]})
    assert names(client) == ["Two", "Three", "One"]
    factories.Project.create(owner=ada, name="Four")
    assert names(client) == ["Two", "Three", "One", "Four"]
    factories.ProjectMember.create(project=three[0], user=bob)
    assert names(client_of(bob)) == ["One"]
    assert client.get(f"{URL}/{one}").json()["data"]["position"] == 2


def test_the_order_is_only_of_what_one_sees_and_each_once(
    ada: User, three: list[Project], client_of: ClientOf
) -> None:
    mine = three[0].public_id
    foreign = factories.Project.create().public_id
    wrong_orders: list[Any] = [
        [mine, mine],
        [mine, foreign],
        [mine, 5],
        ["proj_x"],
        "all",
        None,
        {},
    ]
    for wrong in wrong_orders:
        answer = client_of(ada).patch(f"{URL}/reorder", {"ids": wrong})
        assert answer.status_code == 400
    assert not ProjectView.objects.exists()


def test_opening_a_project_is_remembered_for_oneself(
    ada: User, bob: User, project: Project, client_of: ClientOf
) -> None:
    url = f"{URL}/{project.public_id}"
    before = timezone.now()
    assert client_of(bob).patch(f"{url}/last-opened").status_code == 204
    assert client_of(bob).patch(f"{url}/last-opened").status_code == 204
    opened_at = ProjectView.objects.get().last_opened_at
    assert opened_at is not None
    assert opened_at >= before
    assert client_of(bob).get(url).json()["data"]["lastOpenedAt"].endswith("Z")
    assert client_of(ada).get(url).json()["data"]["lastOpenedAt"] is None


def test_everything_is_marked_read_and_ones_other_windows_hear_it(
    bob: User, project: Project, client_of: ClientOf
) -> None:
    answer = client_of(bob).post(f"{URL}/{project.public_id}/mark-all-read")
    assert answer.status_code == 204
    event = Event.objects.get()
    assert (event.topic, event.kind) == (f"user.{bob.public_id}", "project.read")
    assert event.data == {"projectId": project.public_id, "unreadCount": 0}


@pytest.fixture
def cards() -> list[str]:
    """Ids of cards; whether there are such cards is not asked."""
    return [ids.encode("card", ids.uuid7()) for _ in range(3)]


def test_panels_are_merged_by_card_and_ones_own(
    ada: User, bob: User, project: Project, client_of: ClientOf, cards: list[str]
) -> None:
    url = f"{URL}/{project.public_id}/panel-states"
    client = client_of(bob)
    assert client.get(url).json() == {"data": {}}
    client.put(url, {cards[0]: {"tab": "run"}, cards[1]: [1, None, "é"]})
    answer = client.put(url, {cards[0]: {"tab": "brief"}, cards[2]: 4.5})
    assert answer.status_code == 200
    whole = {cards[0]: {"tab": "brief"}, cards[1]: [1, None, "é"], cards[2]: 4.5}
    assert answer.json()["data"] == whole
    assert client.get(url).json()["data"] == whole
    assert client.delete(f"{url}/{cards[1]}").status_code == 204
    assert client.delete(f"{url}/{cards[1]}").status_code == 204
    assert set(client.get(url).json()["data"]) == {cards[0], cards[2]}
    assert client_of(ada).get(url).json()["data"] == {}
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "state",
    [
        "x" * 4095,
        {"text": "nul \0 byte"},
        {"nul\0key": 1},
    ],
)
def test_what_cannot_be_stored_is_refused(
    bob: User, project: Project, client_of: ClientOf, cards: list[str], state: Any
) -> None:
    url = f"{URL}/{project.public_id}/panel-states"
    body = json.dumps({cards[0]: {"tab": "run"}, cards[1]: state})
    answer = client_of(bob).generic("PUT", url, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == cards[1]
    assert not ProjectView.objects.exists()


@pytest.mark.parametrize(
    "body", ['{"card_1": {}}', '{"": 1}', "[]", "7", '{"board_01jxxxxxxxxxxxxxxxxxxxxxxx": 1}']
)
def test_keys_are_ids_of_cards(bob: User, project: Project, client_of: ClientOf, body: str) -> None:
    url = f"{URL}/{project.public_id}/panel-states"
    answer = client_of(bob).generic("PUT", url, body, content_type="application/json")
    assert answer.status_code == 400


def test_what_is_no_proper_json_is_refused(
    bob: User, project: Project, client_of: ClientOf, cards: list[str]
) -> None:
    url = f"{URL}/{project.public_id}/panel-states"
    for value in ("1e999", "NaN", "[" * 40 + "]" * 40, '["half \\ud800 surrogate"]'):
        body = f'{{"{cards[0]}": {value}}}'
        answer = client_of(bob).generic("PUT", url, body, content_type="application/json")
        assert answer.status_code == 400


def test_the_panels_of_the_eldest_cards_are_forgotten(bob: User, project: Project) -> None:
    old, new = (
        {ids.encode("card", ids.uuid7()): number for number in range(300)} for _ in range(2)
    )
    operations.save_panel_states(actor=actor_of(bob), project=project, states=old)
    kept = operations.save_panel_states(actor=actor_of(bob), project=project, states=new)
    assert len(kept) == 500
    assert set(new) <= set(kept)


@pytest.mark.django_db(transaction=True)
def test_two_windows_save_their_panels_at_once(
    bob: User, project: Project, cards: list[str]
) -> None:
    def save(card: str) -> None:
        try:
            operations.save_panel_states(
                actor=actor_of(bob), project=project, states={card: {"tab": "run"}}
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(card,)) for card in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ProjectView.objects.get().panel_states) == set(cards)
