"""When an agent's full context goes on in a fresh session."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Role, ServerSettings, User
from apps.core.models import Event
from tests import factories
from tests.people import ClientOf

URL = "/api/v1/settings/context-relay"
DEFAULTS = {"mode": "manual", "threshold": 80}


def test_everybody_sees_it_and_admins_set_it(
    callers: dict[str, APIClient], client_of: ClientOf
) -> None:
    callers["admin"] = client_of(factories.User.create(role=Role.ADMIN))
    body = {"mode": "auto", "threshold": 60}

    seen = {name: client.get(URL).status_code for name, client in callers.items()}
    put = {name: client.put(URL, body).status_code for name, client in callers.items()}

    members = {"ada": 200, "bob": 200, "eve": 200, "root": 200, "admin": 200}
    assert seen == {"nobody": 401} | members
    assert put == {"nobody": 401} | members | {"ada": 403, "bob": 403, "eve": 403}
    assert callers["ada"].get("/api/settings/context-relay").json() == {"data": body}


def test_the_defaults_need_no_row(client_of: ClientOf, root: User) -> None:
    client = client_of(root)
    before = client.get(URL).json()["data"]
    had_row = ServerSettings.objects.exists()

    after = client.put(URL, {"mode": "off"}).json()["data"]

    assert (before, had_row) == (DEFAULTS, False)
    assert after == {"mode": "off", "threshold": 80}
    assert Event.objects.get().data == {"settings": "contextRelay"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "mode"),
        ({"mode": "always"}, "mode"),
        ({"mode": "auto", "threshold": 49}, "threshold"),
        ({"mode": "auto", "threshold": 96}, "threshold"),
        ({"mode": "auto", "threshold": "60"}, "threshold"),
        ({"mode": "auto", "threshold": True}, "threshold"),
        ({"mode": "auto", "threshold": None}, "threshold"),
    ],
)
def test_what_cannot_be_is_refused(
    client_of: ClientOf, root: User, body: dict[str, object], field: str
) -> None:
    answer = client_of(root).put(URL, body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not ServerSettings.objects.exists()
