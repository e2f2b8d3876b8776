"""Of what people want to hear."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Preferences, User
from apps.core.models import Event
from tests.people import ClientOf

URL = "/api/v1/settings/notifications"
EVENTS = {
    "agentCompleted": True,
    "agentFailed": True,
    "approvalNeeded": True,
    "inputNeeded": True,
    "scriptFinished": False,
    "invitation": True,
}
DEFAULTS = {"inApp": True, "browser": False, "sound": False, "email": False, "events": EVENTS}


def test_the_defaults_need_no_row(client_of: ClientOf, ada: User) -> None:
    assert client_of(ada).get(URL).json() == {"data": DEFAULTS}
    assert not Preferences.objects.exists()


def test_what_is_left_out_stays(client_of: ClientOf, ada: User, bob: User) -> None:
    client = client_of(ada)
    client.put(URL, {"email": True, "events": {"scriptFinished": True, "invitation": False}})

    answer = client.put(URL, {"sound": True, "events": {"invitation": True}})

    expected = DEFAULTS | {
        "email": True,
        "sound": True,
        "events": EVENTS | {"scriptFinished": True},
    }
    assert answer.json() == client.get("/api/settings/notifications").json() == {"data": expected}
    assert client_of(bob).get(URL).json() == {"data": DEFAULTS}
    told = Event.objects.latest("id")
    assert (told.topic, told.kind) == (f"user.{ada.public_id}", "preferences.updated")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "yes"}, "email"),
        ({"email": None}, "email"),
        ({"smoke": True}, "smoke"),
        ({"events": {"smoke": True}}, "events.smoke"),
        ({"events": {"invitation": 1}}, "events.invitation"),
        ({"events": []}, "events"),
        ({"in_app": True}, "in_app"),
    ],
)
def test_a_wrong_wish_changes_nothing(
    client_of: ClientOf, ada: User, body: dict[str, object], field: str
) -> None:
    answer = client_of(ada).put(URL, body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Preferences.objects.exists()


def test_strangers_have_none(nobody: APIClient, db: None) -> None:
    assert nobody.get(URL).status_code == 401
    assert nobody.put(URL, {"email": True}).status_code == 401
