"""Keys of one's own, and the one table that pages and server share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rest_framework.test import APIClient

from apps.accounts import shortcuts
from apps.accounts.models import Preferences, User
from tests.people import ClientOf

URL = "/api/v1/settings/keyboard-shortcuts"
SCRIPT = Path(__file__).resolve().parents[2] / "static" / "js" / "keyboard.js"


def test_pages_and_server_have_the_same_table() -> None:
    table = SCRIPT.read_text(encoding="utf-8").partition("TABLE = [")[2].partition("\n];")[0]
    rows = [
        (
            re.search(r'keys: "([^"]+)"', line),
            re.search(r'action: "([^"]+)"', line),
            re.search(r"also: \[([^]]*)\]", line),
        )
        for line in table.splitlines()
        if "action:" in line
    ]
    found = {action[1]: keys[1] for keys, action, _also in rows if keys and action}
    also = {
        action[1]: tuple(re.findall(r'"([^"]+)"', several[1]))
        for _keys, action, several in rows
        if action and several
    }

    assert found == shortcuts.DEFAULTS
    assert also == shortcuts.ALSO
    assert shortcuts.used_twice({}) == set()


def test_the_defaults_need_no_row(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).get(URL)

    assert answer.json() == {"data": {"shortcuts": shortcuts.DEFAULTS}}
    assert not Preferences.objects.exists()


def test_changes_lie_over_the_defaults_and_null_takes_them_away(
    client_of: ClientOf, ada: User, bob: User
) -> None:
    client = client_of(ada)
    changed = client.put(URL, {"shortcuts": {"new": "mod+k", "run": "q"}}).json()["data"]
    one_back = client.put(URL, {"shortcuts": {"new": None}}).json()["data"]

    defaults = shortcuts.DEFAULTS
    assert changed == {"shortcuts": defaults | {"new": "mod+k", "run": "q"}}
    assert one_back == client.get(URL).json()["data"] == {"shortcuts": defaults | {"run": "q"}}
    assert client_of(bob).get(URL).json()["data"] == {"shortcuts": defaults}
    assert Preferences.objects.get().shortcuts == {"run": "q"}


def test_two_actions_may_swap_their_keys(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).put(URL, {"shortcuts": {"allow": "n", "deny": "y"}})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"fly": "q"}, "shortcuts.fly"),
        ({"new": "x"}, "shortcuts"),
        ({"new": "ArrowDown"}, "shortcuts"),
        ({"new": "q", "run": "q"}, "shortcuts"),
        ({"new": ""}, "shortcuts.new"),
        ({"new": 5}, "shortcuts.new"),
        ({"new": "q" * 31}, "shortcuts.new"),
        ({"new": "q w e"}, "shortcuts.new"),
        ({"new": "Hyper q"}, "shortcuts.new"),
        ({"move": "q"}, "shortcuts.move"),
        ({"send": "q"}, "shortcuts.send"),
        ({"new": "J"}, "shortcuts"),
        ({"new": "j q"}, "shortcuts"),
        ("new", "shortcuts"),
        (None, "shortcuts"),
    ],
)
def test_keys_that_cannot_be_are_refused(
    client_of: ClientOf, ada: User, wanted: object, field: str
) -> None:
    client = client_of(ada)
    client.put(URL, {"shortcuts": {"full": "z"}})

    answer = client.put(URL, {"shortcuts": wanted})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert Preferences.objects.get().shortcuts == {"full": "z"}


def test_strangers_have_none(nobody: APIClient, db: None) -> None:
    assert nobody.get(URL).status_code == 401
    assert nobody.put(URL, {"shortcuts": {}}).status_code == 401
