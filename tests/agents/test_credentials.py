"""Credentials: kept, masked, checked against a real server, chosen, and forgotten everywhere."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents import keys, operations
from apps.agents.models import Credential
from apps.agents.operations.credentials import record_verdict
from apps.agents.providers.verifying import Verdict
from apps.boards.models import Card, Column
from apps.core import problems
from apps.core.models import Event
from apps.core.moments import moment
from apps.orgs.models import Organization
from apps.projects.models import Project
from tests import factories, state_equation
from tests.agents.models_server import ModelServer, Reply, model_server
from tests.people import BrowserOf, ClientOf, actor_of

KEY = "sk-ant-api03-QxY7nEverToBeSeenAgain-0123456789"
URL = "/api/v1/credentials"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as found:
        yield found


@pytest.fixture
def credential(root: User) -> Credential:
    return operations.create_credential(
        actor=actor_of(root), name="Team key", provider="anthropic", api_key=KEY
    )


@pytest.fixture
def super_client(client_of: ClientOf, root: User) -> APIClient:
    return client_of(root)


@pytest.fixture
def card(columns: dict[str, Column]) -> Card:
    return factories.Card.create(column=columns["backlog"])


def stored() -> list[Any]:
    """Everything that a refused request must leave as it is."""
    tables = (Credential, Card, Project, Organization, Event)
    return [list(table.objects.order_by("pk").values()) for table in tables]


# --- keeping --------------------------------------------------------------------------------------


def test_a_key_is_kept_and_never_shown_again(super_client: APIClient) -> None:
    made = super_client.post(URL, {"name": "Mine", "provider": "anthropic", "apiKey": KEY})

    assert made.status_code == 201
    data = made.json()["data"]
    assert data == {"id": data["id"], "name": "Mine", "provider": "anthropic"}
    shown = super_client.get(f"{URL}/{data['id']}").json()["data"]
    assert shown["apiKey"] == "sk-ant-...****"
    assert shown["status"] == "unverified"
    assert shown["authType"] == "api_key"
    assert KEY not in made.content.decode()
    assert Credential.objects.get().secret == KEY


def test_the_list_shows_everybody_what_can_be_chosen(
    client_of: ClientOf, eve: User, credential: Credential
) -> None:
    assert client_of(eve).get(URL).json()["data"] == [
        {
            "id": credential.public_id,
            "name": "Team key",
            "provider": "anthropic",
            "authType": "api_key",
            "status": "unverified",
        }
    ]


def test_a_short_key_is_masked_whole(super_client: APIClient) -> None:
    made = super_client.post(URL, {"name": "Short", "provider": "mistral", "apiKey": "abcdefghijk"})

    shown = super_client.get(f"{URL}/{made.json()['data']['id']}").json()["data"]
    assert shown["apiKey"] == "****"


def test_a_credential_may_be_made_without_a_key(super_client: APIClient) -> None:
    made = super_client.post(URL, {"name": "Later", "provider": "openai", "apiKey": None})

    assert made.status_code == 201
    shown = super_client.get(f"{URL}/{made.json()['data']['id']}").json()["data"]
    assert shown["apiKey"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "", "provider": "openai"}, "name"),
        ({"name": None, "provider": "openai"}, "name"),
        ({"name": 7, "provider": "openai"}, "name"),
        ({"name": "n" * 101, "provider": "openai"}, "name"),
        ({"name": "a\x00b", "provider": "openai"}, "name"),
        ({"name": "N"}, "provider"),
        ({"name": "N", "provider": "nobody"}, "provider"),
        ({"name": "N", "provider": ["openai"]}, "provider"),
        ({"name": "N", "provider": "anthropic", "apiKey": "sk-wrong"}, "apiKey"),
        ({"name": "N", "provider": "openai", "apiKey": "pk-1234567890"}, "apiKey"),
        ({"name": "N", "provider": "openai", "apiKey": "sk-with space"}, "apiKey"),
        ({"name": "N", "provider": "openai", "apiKey": "sk-é"}, "apiKey"),
        ({"name": "N", "provider": "openai", "apiKey": "sk-a\nX-Evil: 1"}, "apiKey"),
        ({"name": "N", "provider": "openai", "apiKey": "sk-" + "a" * 4000}, "apiKey"),
        ({"name": "N", "provider": "openai", "apiKey": {"a": 1}}, "apiKey"),
        ({"name": "N", "provider": "openai-compatible"}, "baseUrl"),
        ({"name": "N", "provider": "openai", "baseUrl": "file:///etc/passwd"}, "baseUrl"),
        ({"name": "N", "provider": "openai", "baseUrl": "gopher://host/"}, "baseUrl"),
        ({"name": "N", "provider": "openai", "baseUrl": "http://me:pw@host/"}, "baseUrl"),
        ({"name": "N", "provider": "openai", "baseUrl": "http://host/?a=b"}, "baseUrl"),
        ({"name": "N", "provider": "openai", "baseUrl": "http://host:port/"}, "baseUrl"),
        ({"name": "N", "provider": "openai", "baseUrl": "http://[::1"}, "baseUrl"),
        ({"name": "N", "provider": "openai", "baseUrl": "https://"}, "baseUrl"),
    ],
)
def test_a_bad_credential_is_refused_with_its_field(
    super_client: APIClient, body: dict[str, Any], field: str
) -> None:
    before = stored()

    answer = super_client.post(URL, json.dumps(body), content_type="application/json")

    assert answer.status_code == 400, answer.content
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert stored() == before


def test_a_new_key_is_unverified_and_a_new_name_is_not(
    super_client: APIClient, credential: Credential
) -> None:
    Credential.objects.update(status="valid")
    at = f"{URL}/{credential.public_id}"

    renamed = super_client.patch(at, {"name": "Ours"})

    assert renamed.json()["data"] == {
        "id": credential.public_id,
        "name": "Ours",
        "provider": "anthropic",
    }
    assert Credential.objects.get().status == "valid"
    super_client.patch(at, {"apiKey": "sk-ant-another-0123456789"})
    changed = Credential.objects.get()
    assert (changed.status, changed.secret) == ("unverified", "sk-ant-another-0123456789")


def test_an_update_without_effect_makes_no_event(
    super_client: APIClient, credential: Credential
) -> None:
    before = stored()

    answer = super_client.patch(
        f"{URL}/{credential.public_id}", {"name": "Team key", "apiKey": KEY, "extra": 1}
    )

    assert answer.status_code == 200
    assert stored() == before


@pytest.mark.parametrize("address", ["https://elsewhere.example.org", ""])
def test_a_kept_key_is_not_sent_to_another_address(
    super_client: APIClient, credential: Credential, address: str
) -> None:
    Credential.objects.update(base_url="https://models.example.org/v1", status="valid")
    at, before = f"{URL}/{credential.public_id}", stored()

    refused = super_client.patch(at, {"baseUrl": address, "name": "Ours"})

    assert refused.status_code == 400, refused.content
    assert [error["field"] for error in refused.json()["errors"]] == ["apiKey"]
    assert stored() == before
    # The same address, written otherwise, is no other.
    same = super_client.patch(at, {"baseUrl": "https://models.example.org/v1/"})
    assert (same.status_code, stored()) == (200, before)
    assert super_client.patch(at, {"baseUrl": address, "apiKey": KEY}).status_code == 200
    moved = Credential.objects.get()
    assert (moved.base_url, moved.secret, moved.status) == (address, KEY, "unverified")


def test_a_login_stays_at_its_providers_address(
    super_client: APIClient, credential: Credential
) -> None:
    Credential.objects.update(auth_type="oauth", refresh_token="r")
    before = stored()

    refused = super_client.patch(
        f"{URL}/{credential.public_id}", {"baseUrl": "https://elsewhere.example.org"}
    )

    assert refused.status_code == 400, refused.content
    assert [error["field"] for error in refused.json()["errors"]] == ["baseUrl"]
    assert stored() == before


def test_without_a_key_the_address_may_change(super_client: APIClient) -> None:
    body = {"name": "N", "provider": "openai-compatible", "baseUrl": "https://models.example.org"}
    made = super_client.post(URL, body).json()["data"]["id"]

    moved = super_client.patch(f"{URL}/{made}", {"baseUrl": "https://elsewhere.example.org"})

    assert moved.status_code == 200, moved.content
    assert Credential.objects.get().base_url == "https://elsewhere.example.org"


@pytest.mark.parametrize(
    "word",
    ["oauth", "cred_zzz", "card_01h455vb4pex5vsknk084sn02q", "cred_01h455vb4pex5vsknk084sn02q"],
)
def test_oauth_and_other_words_are_never_a_credential(super_client: APIClient, word: str) -> None:
    assert super_client.get(f"{URL}/{word}").status_code == 404


# --- who may --------------------------------------------------------------------------------------

ROWS = [
    ("GET", URL, None, (401, 200, 200, 200, 200)),
    ("POST", URL, {"name": "N", "provider": "openai"}, (401, 403, 403, 403, 201)),
    ("GET", f"{URL}/{{cred}}", None, (401, 403, 403, 403, 200)),
    ("PATCH", f"{URL}/{{cred}}", {"name": "N"}, (401, 403, 403, 403, 200)),
    ("DELETE", f"{URL}/{{cred}}", None, (401, 403, 403, 403, 204)),
    ("POST", f"{URL}/{{cred}}/verify", None, (401, 403, 403, 403, 200)),
    ("GET", f"{URL}/{{cred}}/usage", None, (401, 200, 200, 200, 200)),
    ("POST", f"{URL}/oauth/init", {"provider": "x"}, (401, 403, 403, 403, 400)),
    ("GET", f"{URL}/{{cred}}/oauth/status", None, (401, 403, 403, 403, 409)),
    (
        "PUT",
        "/api/v1/organizations/{org}/default-credential",
        {"credentialId": "{cred}"},
        (401, 200, 403, 404, 200),
    ),
    (
        "PUT",
        "/api/v1/projects/{project}/credential",
        {"credentialId": "{cred}"},
        (401, 200, 403, 404, 200),
    ),
    (
        "PUT",
        "/api/v1/projects/{project}/cards/{card}/credential",
        {"credentialId": "{cred}"},
        (401, 200, 200, 404, 200),
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "answers"), ROWS)
def test_the_table_of_permissions_holds(
    callers: dict[str, APIClient],
    server: ModelServer,
    credential: Credential,
    organization: Organization,
    card: Card,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    answers: tuple[int, ...],
) -> None:
    Credential.objects.update(base_url=server.url)
    names = {
        "cred": credential.public_id,
        "org": organization.public_id,
        "project": card.project.public_id,
        "card": card.public_id,
    }
    asked = {key: value.format(**names) for key, value in (body or {}).items()}
    for name, expected in zip(("nobody", "ada", "bob", "eve", "root"), answers, strict=True):
        before = stored()
        answer = callers[name].generic(
            method,
            path.format(**names),
            json.dumps(asked) if body else "",
            content_type="application/json",
        )
        assert answer.status_code == expected, (name, answer.content)
        if expected >= 400:
            assert stored() == before, name


# --- choosing -------------------------------------------------------------------------------------


def test_a_choice_is_shown_and_taken_back(
    client_of: ClientOf,
    ada: User,
    credential: Credential,
    organization: Organization,
    card: Card,
) -> None:
    client, project = client_of(ada), card.project
    chosen, none = {"credentialId": credential.public_id}, {"credentialId": None}
    of_card = f"/api/v1/projects/{project.public_id}/cards/{card.public_id}"
    of_project = f"/api/v1/projects/{project.public_id}"
    of_organization = f"/api/v1/organizations/{organization.public_id}/default-credential"

    with state_equation.holds(card.board, "card.updated"):
        answer = client.put(f"{of_card}/credential", chosen)
    assert answer.json()["data"]["credentialId"] == credential.public_id
    assert client.get(of_card).json()["data"]["credentialId"] == credential.public_id
    client.put(f"{of_project}/credential", chosen)
    assert client.get(of_project).json()["data"]["credentialId"] == credential.public_id
    assert client.put(of_organization, chosen).json()["data"] == {
        "id": organization.public_id,
        "name": "Engines",
        "defaultCredentialId": credential.public_id,
    }
    for address in (f"{of_card}/credential", f"{of_project}/credential", of_organization):
        assert client.put(address, none).status_code == 200
    assert client.get(of_card).json()["data"]["credentialId"] is None
    assert client.get(of_project).json()["data"]["credentialId"] is None


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"credentialId": ""},
        {"credentialId": 5},
        {"credentialId": True},
        {"credentialId": "cred_nonsense"},
        {"credentialId": "cred_01h455vb4pex5vsknk084sn02q"},
        {"credentialId": "card_01h455vb4pex5vsknk084sn02q"},
        {"credentialId": ["cred_01h455vb4pex5vsknk084sn02q"]},
    ],
)
def test_a_credential_that_is_not_there_is_chosen_nowhere(
    client_of: ClientOf, ada: User, organization: Organization, card: Card, value: dict[str, Any]
) -> None:
    before = stored()
    for address in (
        f"projects/{card.project.public_id}/cards/{card.public_id}/credential",
        f"projects/{card.project.public_id}/credential",
        f"organizations/{organization.public_id}/default-credential",
    ):
        answer = client_of(ada).put(
            f"/api/v1/{address}", json.dumps(value), content_type="application/json"
        )
        assert answer.status_code == 400, answer.content
        assert answer.json()["errors"][0]["field"] == "credentialId"
    assert stored() == before


def test_card_project_organization_and_the_only_one_are_taken_in_this_order(
    root: User, organization: Organization, card: Card
) -> None:
    actor = actor_of(root)

    def make(name: str, provider: str = "anthropic") -> Credential:
        key = {"anthropic": KEY, "openai": "sk-1234567890"}[provider]
        return operations.create_credential(actor=actor, name=name, provider=provider, api_key=key)

    def chosen(agent: str = "claude") -> Credential | None:
        fresh = Card.objects.select_related("project__organization").get(pk=card.pk)
        return keys.Ring.read().chosen(fresh, agent)

    Project.objects.filter(pk=card.project_id).update(organization=organization)
    assert chosen() is None
    first = make("first")
    assert chosen() == first
    assert chosen("demo") is None
    assert chosen("command") is None
    other = make("other", "openai")
    assert chosen() == first
    assert chosen("codex") == other
    second = make("second")
    assert chosen() is None
    operations.choose_for_organization(
        actor=actor, organization=organization, credential_id=first.pk
    )
    assert chosen() == first
    operations.choose_for_project(actor=actor, project=card.project, credential_id=second.pk)
    assert chosen() == second
    assert chosen("command") == second
    operations.choose_for_card(actor=actor, card=card, credential_id=other.pk)
    # The card's own is of another provider: it is passed over for this agent.
    assert chosen() == second
    assert chosen("codex") == other


def test_a_deleted_credential_is_chosen_nowhere_any_more(
    super_client: APIClient,
    root: User,
    credential: Credential,
    organization: Organization,
    card: Card,
) -> None:
    actor = actor_of(root)
    attempt = factories.Attempt.create(card=card, succeeded=True, credential=credential)
    operations.choose_for_card(actor=actor, card=card, credential_id=credential.pk)
    operations.choose_for_project(actor=actor, project=card.project, credential_id=credential.pk)
    operations.choose_for_organization(
        actor=actor, organization=organization, credential_id=credential.pk
    )
    before = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    with state_equation.holds(card.board, "card.updated"):
        answer = super_client.delete(f"{URL}/{credential.public_id}")

    assert answer.status_code == 204
    kinds = Event.objects.filter(pk__gt=before).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == [
        "organization.credential_chosen",
        "project.updated",
        "card.updated",
        "credential.deleted",
    ]
    for row in (card, card.project, organization, attempt):
        row.refresh_from_db()
    assert (card.credential_id, card.project.credential_id) == (None, None)
    assert organization.default_credential_id is None
    assert attempt.credential_id is None
    sessions = f"/api/v1/projects/{card.project.public_id}/cards/{card.public_id}/agent/sessions"
    assert super_client.get(sessions).json()["data"][0]["credentialId"] is None
    assert super_client.delete(f"{URL}/{credential.public_id}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_credential_is_deleted_once_by_two_at_the_same_time(
    root: User, credential: Credential
) -> None:
    barrier, ended = threading.Barrier(2), []

    def delete() -> None:
        barrier.wait(10)
        try:
            operations.delete_credential(actor=actor_of(root), credential=credential)
            ended.append("deleted")
        except problems.NotFound:
            ended.append("not found")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=delete) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(ended) == ["deleted", "not found"]
    assert Event.objects.filter(kind="credential.deleted").count() == 1


# --- checking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "key", "path", "header", "value"),
    [
        ("anthropic", KEY, "/v1/models", "x-api-key", KEY),
        ("openai", "sk-abcdefghij", "/models", "authorization", "Bearer sk-abcdefghij"),
        ("openai-compatible", "anything", "/models", "authorization", "Bearer anything"),
        ("gemini", "AIzaabcdefghij", "/v1beta/models", "x-goog-api-key", "AIzaabcdefghij"),
        ("mistral", "abcdefghijkl", "/models", "authorization", "Bearer abcdefghijkl"),
    ],
)
def test_each_provider_is_asked_in_its_own_way(
    super_client: APIClient,
    server: ModelServer,
    provider: str,
    key: str,
    path: str,
    header: str,
    value: str,
) -> None:
    server.takes(key)
    body = {"name": "N", "provider": provider, "apiKey": key, "baseUrl": f"{server.url}/"}
    at = f"{URL}/{super_client.post(URL, body).json()['data']['id']}"

    answer = super_client.post(f"{at}/verify")

    assert answer.status_code == 200, answer.content
    data = answer.json()["data"]
    assert (data["valid"], data["error"]) == (True, None)
    assert [(one.method, one.path) for one in server.asked] == [("GET", path)]
    assert server.asked[0].headers[header] == value
    shown = super_client.get(at).json()["data"]
    assert shown["status"] == "valid"
    checked = Credential.objects.get().checked_at
    assert checked is not None
    assert data["checkedAt"] == moment(checked)


def test_a_refused_key_is_an_answer_without_the_provider_s_words(
    super_client: APIClient, server: ModelServer, credential: Credential
) -> None:
    Credential.objects.update(base_url=server.url)
    server.takes("sk-ant-quite-another")

    answer = super_client.post(f"{URL}/{credential.public_id}/verify")

    assert answer.status_code == 200
    assert answer.json()["data"]["valid"] is False
    assert answer.json()["data"]["error"] == "Anthropic does not know this key."
    credential.refresh_from_db()
    assert credential.status == "invalid"
    assert KEY not in answer.content.decode()


def test_one_provider_says_invalid_with_400(super_client: APIClient, server: ModelServer) -> None:
    server.answer = lambda _asked: Reply(
        400, {"error": {"details": [{"reason": "API_KEY_INVALID"}]}}
    )
    body = {"name": "N", "provider": "gemini", "apiKey": "AIza12345678", "baseUrl": server.url}
    made = super_client.post(URL, body).json()["data"]["id"]

    assert super_client.post(f"{URL}/{made}/verify").json()["data"]["valid"] is False


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b"oops"),
        Reply(404, {}),
        Reply(200, b"<html>not json</html>"),
        Reply(200, {"hello": "world"}),
        Reply(200, b"x" * (3 * 1024 * 1024)),
        Reply(400, {"error": "something else"}),
    ],
    ids=["broken", "missing", "no json", "no list", "too much", "bad request"],
)
def test_nonsense_of_a_provider_is_502_and_says_nothing_of_the_key(
    super_client: APIClient, server: ModelServer, credential: Credential, reply: Reply
) -> None:
    Credential.objects.update(base_url=server.url)
    server.answer = lambda _asked: reply
    before = stored()

    answer = super_client.post(f"{URL}/{credential.public_id}/verify")

    assert (answer.status_code, answer.json()["code"]) == (502, "UPSTREAM_ERROR")
    assert stored() == before


def test_a_key_never_follows_a_redirect(
    super_client: APIClient, server: ModelServer, credential: Credential
) -> None:
    Credential.objects.update(base_url=server.url)
    with model_server() as foreign:
        server.answer = lambda _asked: Reply(302, b"", {"Location": f"{foreign.url}/v1/models"})

        answer = super_client.post(f"{URL}/{credential.public_id}/verify")

        assert answer.status_code == 502
        assert foreign.asked == []


def test_a_provider_that_is_not_there_is_502(
    super_client: APIClient, credential: Credential
) -> None:
    with model_server() as gone:
        address = gone.url
    Credential.objects.update(base_url=address)

    answer = super_client.post(f"{URL}/{credential.public_id}/verify")

    assert answer.status_code == 502
    assert answer.json()["detail"] == "The provider cannot be reached."


def test_a_slow_provider_is_waited_for_only_so_long(
    super_client: APIClient,
    server: ModelServer,
    credential: Credential,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("apps.agents.providers.wire.get.__kwdefaults__", {"seconds": 0.3})
    Credential.objects.update(base_url=server.url)
    server.answer = lambda _asked: Reply(delay=3)

    answer = super_client.post(f"{URL}/{credential.public_id}/verify")

    assert answer.status_code == 502
    assert answer.json()["detail"] == "The provider did not answer in time."


@pytest.mark.parametrize(
    ("said", "told"), [("17", "17"), ("soon", "60"), ("9" * 30, "60"), ("", "60")]
)
def test_a_provider_that_wants_to_be_left_alone_is_429(
    super_client: APIClient, server: ModelServer, credential: Credential, said: str, told: str
) -> None:
    Credential.objects.update(base_url=server.url)
    server.answer = lambda _asked: Reply(429, {}, {"Retry-After": said})
    before = stored()

    answer = super_client.post(f"{URL}/{credential.public_id}/verify")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, told)
    assert stored() == before


def test_a_credential_without_a_key_is_not_valid_and_asks_nobody(
    super_client: APIClient, server: ModelServer
) -> None:
    body = {"name": "N", "provider": "openai", "baseUrl": server.url}
    made = super_client.post(URL, body).json()["data"]["id"]

    assert super_client.post(f"{URL}/{made}/verify").json()["data"]["error"] == "No key is stored."
    assert server.asked == []


def test_a_server_of_one_s_own_needs_no_key(super_client: APIClient, server: ModelServer) -> None:
    body = {"name": "N", "provider": "openai-compatible", "baseUrl": server.url}
    made = super_client.post(URL, body).json()["data"]["id"]

    assert super_client.post(f"{URL}/{made}/verify").json()["data"]["valid"] is True
    assert "authorization" not in server.asked[0].headers


def test_a_key_that_was_replaced_meanwhile_gets_no_verdict(
    root: User, server: ModelServer, credential: Credential
) -> None:
    Credential.objects.update(base_url=server.url)

    tried = Credential.objects.get()
    operations.update_credential(
        actor=actor_of(root), credential=tried, changes={"api_key": "sk-ant-newer-0123456789"}
    )
    with pytest.raises(problems.Conflict):
        record_verdict(actor=actor_of(root), tried=tried, verdict=Verdict(valid=True))

    assert Credential.objects.get().status == "unverified"


def test_the_setting_moves_a_provider_and_adds_others(
    super_client: APIClient, server: ModelServer, settings: Settings
) -> None:
    settings.KANBANAI_PROVIDERS = {
        "anthropic": {"baseUrl": f"{server.url}/gateway"},
        "acme": {"like": "openai", "label": "Acme", "baseUrl": f"{server.url}/acme"},
    }
    for provider, key in (("anthropic", KEY), ("acme", "any-key-at-all")):
        body = {"name": "N", "provider": provider, "apiKey": key}
        made = super_client.post(URL, body).json()["data"]["id"]
        assert super_client.post(f"{URL}/{made}/verify").json()["data"]["valid"] is True

    assert [one.path for one in server.asked] == ["/gateway/v1/models", "/acme/models"]


# --- usage ----------------------------------------------------------------------------------------


def test_usage_is_counted_by_turn_and_window(
    client_of: ClientOf, eve: User, credential: Credential, card: Card
) -> None:
    now = timezone.now()
    attempt = factories.Attempt.create(card=card, succeeded=True, credential=credential)
    for hours, tokens in ((1, 10), (30, 100), (24 * 30, 1000)):
        factories.Turn.create(
            attempt=attempt,
            credential=credential,
            started_at=now - timedelta(hours=hours + 1),
            ended_at=now - timedelta(hours=hours),
            input_tokens=tokens,
            output_tokens=tokens * 2,
            cost_usd="0.5",
        )
    factories.Turn.create(attempt=attempt, started_at=now, input_tokens=7)

    data = client_of(eve).get(f"{URL}/{credential.public_id}/usage").json()["data"]

    assert data == {
        "available": False,
        "windows": [],
        "local": {"sessions": 1, "inputTokens": 1110, "outputTokens": 2220, "costUsd": 1.5},
        "localWindows": [
            {"window": "5h", "sessions": 1, "inputTokens": 10, "outputTokens": 20, "costUsd": 0.5},
            {
                "window": "7d",
                "sessions": 1,
                "inputTokens": 110,
                "outputTokens": 220,
                "costUsd": 1.0,
            },
        ],
    }


def test_windows_that_come_with_a_check_are_shown(
    super_client: APIClient, server: ModelServer, credential: Credential
) -> None:
    Credential.objects.update(base_url=server.url)
    server.answer = lambda _asked: Reply(
        headers={
            "anthropic-ratelimit-unified-5h-utilization": "0.42",
            "anthropic-ratelimit-unified-5h-reset": "4102444800",
            "anthropic-ratelimit-unified-7d-utilization": "nonsense",
        }
    )
    super_client.post(f"{URL}/{credential.public_id}/verify")

    data = super_client.get(f"{URL}/{credential.public_id}/usage").json()["data"]

    assert data["available"] is True
    assert data["windows"] == [
        {"window": "5h", "usedPercent": 42.0, "resetsAt": "2100-01-01T00:00:00Z"}
    ]


# --- secrets --------------------------------------------------------------------------------------


def test_a_key_is_found_nowhere_but_encrypted(
    super_client: APIClient,
    browser_of: BrowserOf,
    root: User,
    server: ModelServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"name": "N", "provider": "anthropic", "apiKey": KEY, "baseUrl": server.url}
    at = f"{URL}/{super_client.post(URL, body).json()['data']['id']}"
    said = [super_client.post(URL, {**body, "name": ""}).content]
    server.takes("another")
    said += [super_client.post(f"{at}/verify").content]
    server.answer = lambda asked: Reply(500, {"echo": asked.headers})
    said += [super_client.post(f"{at}/verify").content, super_client.get(at).content]
    browser: Client = browser_of(root)
    said += [browser.get("/settings/credentials").content]
    row = Credential.objects.get()
    said += [browser.get(f"/admin/agents/credential/{row.pk}/change/").content]
    said += [browser.get("/admin/agents/credential/").content]

    assert all(KEY.encode() not in one for one in said)
    assert KEY not in serializers.serialize("json", Event.objects.all())
    assert KEY not in caplog.text
    assert KEY not in "".join(capfd.readouterr())
    assert KEY not in repr(row)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM agents_credential")
        assert KEY not in str(cursor.fetchall())


def test_a_new_encryption_key_reaches_credentials(
    credential: Credential, settings: Settings
) -> None:
    old = settings.KANBANAI_ENCRYPTION_KEYS
    new = Fernet.generate_key().decode()
    settings.KANBANAI_ENCRYPTION_KEYS = (new, *old)
    call_command("rotate_keys", stdout=io.StringIO())
    settings.KANBANAI_ENCRYPTION_KEYS = (new,)

    assert Credential.objects.get().secret == KEY


def test_the_list_is_shown_where_a_key_cannot_be_read(
    super_client: APIClient, credential: Credential, settings: Settings
) -> None:
    settings.KANBANAI_ENCRYPTION_KEYS = (Fernet.generate_key().decode(),)

    assert super_client.get(URL).status_code == 200
    assert super_client.get(f"{URL}/{credential.public_id}").status_code == 200
    assert super_client.post(f"{URL}/{credential.public_id}/verify").status_code == 503
    again = super_client.patch(f"{URL}/{credential.public_id}", {"apiKey": KEY})
    assert again.status_code == 200
    assert Credential.objects.get().secret == KEY


def test_a_key_that_cannot_be_read_can_be_deleted(
    super_client: APIClient, credential: Credential, settings: Settings
) -> None:
    settings.KANBANAI_ENCRYPTION_KEYS = (Fernet.generate_key().decode(),)

    assert super_client.delete(f"{URL}/{credential.public_id}").status_code == 204


# --- pages ----------------------------------------------------------------------------------------


def test_super_admins_keep_check_and_delete_on_the_page(
    browser_of: BrowserOf, root: User, server: ModelServer
) -> None:
    browser, page = browser_of(root), "/settings/credentials"
    form = {"name": "N", "provider": "anthropic", "api_key": KEY, "base_url": server.url}

    wrong = browser.post(page, {**form, "api_key": "nonsense", "create": "1"})
    assert wrong.status_code == 422
    assert b"begins with sk-ant-" in wrong.content
    made = browser.post(page, {**form, "create": "1"}, follow=True)
    assert b"sk-ant-...****" in made.content
    row = Credential.objects.get()
    assert b"works." in browser.post(page, {"verify": row.public_id}, follow=True).content
    assert b"Deleted" in browser.post(page, {"delete": row.public_id}, follow=True).content
    assert not Credential.objects.exists()
    assert browser.post(page, {"delete": row.public_id}).status_code == 302


def test_nobody_else_sees_the_page(browser_of: BrowserOf, ada: User) -> None:
    assert browser_of(ada).get("/settings/credentials").status_code == 403


def test_a_project_s_settings_choose_its_credential(
    browser_of: BrowserOf, ada: User, credential: Credential, project: Project
) -> None:
    browser, page = browser_of(ada), f"/projects/{project.public_id}/settings"
    assert credential.public_id.encode() in browser.get(f"{page}?section=agents").content

    browser.post(
        page,
        {"section": "agents", "default_agent": "demo", "credential_id": credential.public_id},
    )
    project.refresh_from_db()
    assert project.credential_id == credential.pk
    browser.post(page, {"section": "agents", "default_agent": "demo", "credential_id": ""})
    project.refresh_from_db()
    assert project.credential_id is None
