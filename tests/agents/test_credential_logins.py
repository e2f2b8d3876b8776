"""Logins at a real OAuth server: begun, finished, refused, expired, and renewed once by many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import serializers
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents import operations, tasks
from apps.agents.login_tables import CredentialLogin
from apps.agents.models import Credential
from apps.agents.operations import logins
from apps.core import problems
from apps.core.models import Event
from tests.accounts import provider as providers
from tests.accounts.provider import Provider
from tests.agents.models_server import Asked, ModelServer, Reply, model_server
from tests.agents.oauth_provider import CALLBACK, come_back, configured
from tests.people import ClientOf, actor_of

URL = "/api/v1/credentials"


@pytest.fixture(scope="session")
def running_provider() -> Iterator[Provider]:
    provider = providers.start()
    yield provider
    providers.stop(provider)


@pytest.fixture
def provider(running_provider: Provider, settings: Settings) -> Provider:
    """The provider, registered with our callback."""
    providers.reset(running_provider)
    running_provider.tell(redirectUri=CALLBACK, refresh=True)
    settings.KANBANAI_PUBLIC_ORIGIN = "http://testserver"
    settings.KANBANAI_PROVIDERS = configured(running_provider)
    return running_provider


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as found:
        yield found


@pytest.fixture
def super_client(client_of: ClientOf, root: User) -> APIClient:
    return client_of(root)


def begin(client: APIClient, **more: str) -> dict[str, Any]:
    answer = client.post(f"{URL}/oauth/init", {"provider": "anthropic", **more})
    assert answer.status_code == 201, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def finish(location: str) -> str:
    """Follows the provider's last redirect without being signed in; gives how it ended."""
    parts = urlsplit(location)
    answer = Client().get(f"{parts.path}?{parts.query}")
    assert answer.status_code == 302, answer.content
    assert urlsplit(answer["Location"]).path == "/settings/credentials/login"
    page = Client().get(answer["Location"])
    assert page.status_code == 200
    return parse_qs(urlsplit(answer["Location"]).query)["result"][0]


def status_of(client: APIClient, begun: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = client.get(f"{URL}/{begun['credentialId']}/oauth/status").json()["data"]
    return data


def test_a_login_goes_the_whole_way(super_client: APIClient, provider: Provider) -> None:
    begun = begin(super_client)

    assert begun["status"] == "pending"
    asked = parse_qs(urlsplit(begun["authorizationUrl"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [CALLBACK]
    assert status_of(super_client, begun) == {"status": "pending", "error": None}
    row = super_client.get(f"{URL}/{begun['credentialId']}").json()["data"]
    assert (row["name"], row["authType"], row["status"]) == ("Anthropic login", "oauth", "pending")

    assert finish(come_back(provider, begun["authorizationUrl"])) == "completed"

    assert status_of(super_client, begun) == {"status": "completed", "error": None}
    kept = Credential.objects.get()
    assert (kept.status, kept.error) == ("valid", "")
    assert kept.secret
    assert kept.refresh_token
    assert kept.token_expires_at is not None
    shown = super_client.get(f"{URL}/{begun['credentialId']}").json()["data"]
    assert shown["apiKey"] == f"{kept.secret[:7]}...****"
    renamed = super_client.patch(f"{URL}/{begun['credentialId']}", {"name": "Grace"})
    assert renamed.json()["data"]["name"] == "Grace"
    told = serializers.serialize("json", Event.objects.all())
    assert kept.secret not in told
    assert kept.refresh_token not in told


def test_a_provider_without_a_login_is_400(super_client: APIClient, settings: Settings) -> None:
    settings.KANBANAI_PROVIDERS = {}
    for body in ({"provider": "openai"}, {"provider": "nobody"}, {}, {"provider": None}):
        answer = super_client.post(f"{URL}/oauth/init", body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "provider"
    assert not Credential.objects.exists()


def test_a_denied_login_fails_and_says_so(super_client: APIClient, provider: Provider) -> None:
    begun = begin(super_client)
    provider.tell(deny=True)

    assert finish(come_back(provider, begun["authorizationUrl"])) == "failed"

    assert status_of(super_client, begun) == {"status": "failed", "error": logins.DENIED}
    assert Credential.objects.get().status == "failed"


def test_a_state_of_nobody_changes_nothing(super_client: APIClient, provider: Provider) -> None:
    begun = begin(super_client)
    location = come_back(provider, begun["authorizationUrl"])
    code = parse_qs(urlsplit(location).query)["code"][0]

    for query in (
        f"?code={code}&state=wrong",
        f"?code={code}",
        "",
        "?state=%00",
        "?state=" + "x" * 900,
    ):
        assert finish(f"{CALLBACK}{query}") == "unknown"

    assert status_of(super_client, begun)["status"] == "pending"


def test_a_state_works_once(super_client: APIClient, provider: Provider) -> None:
    begun = begin(super_client)
    location = come_back(provider, begun["authorizationUrl"])
    assert finish(location) == "completed"
    before = Credential.objects.values().get()

    assert finish(location) == "unknown"

    assert Credential.objects.values().get() == before


def test_a_code_of_another_login_is_refused(super_client: APIClient, provider: Provider) -> None:
    mine, other = begin(super_client), begin(super_client)
    location = come_back(provider, other["authorizationUrl"])
    code = parse_qs(urlsplit(location).query)["code"][0]
    state = parse_qs(urlsplit(mine["authorizationUrl"]).query)["state"][0]

    # The verifier of the one login does not fit the code of the other.
    assert finish(f"{CALLBACK}?code={code}&state={state}") == "failed"

    assert status_of(super_client, mine) == {"status": "failed", "error": logins.NOT_EXCHANGED}


def test_a_login_that_takes_too_long_expires(super_client: APIClient, provider: Provider) -> None:
    begun = begin(super_client)
    location = come_back(provider, begun["authorizationUrl"])
    CredentialLogin.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert status_of(super_client, begun)["status"] == "expired"
    assert finish(location) == "expired"
    assert status_of(super_client, begun) == {"status": "expired", "error": logins.TOO_LATE}
    assert Credential.objects.get().status == "expired"


def test_the_sweep_ends_what_nobody_finished(super_client: APIClient, provider: Provider) -> None:
    late, young = begin(super_client), begin(super_client)
    CredentialLogin.objects.filter(
        credential__pk=Credential.objects.earliest("created_at").pk
    ).update(expires_at=timezone.now() - timedelta(seconds=1))

    tasks.expire_logins()

    rows = {row["id"]: row["status"] for row in super_client.get(URL).json()["data"]}
    assert rows == {late["credentialId"]: "expired", young["credentialId"]: "pending"}


def test_a_provider_that_is_down_fails_the_login(
    super_client: APIClient, provider: Provider, settings: Settings
) -> None:
    begun = begin(super_client)
    location = come_back(provider, begun["authorizationUrl"])
    settings.KANBANAI_PROVIDERS = configured(provider, tokenUrl="http://127.0.0.1:9/token")

    assert finish(location) == "failed"

    assert status_of(super_client, begun)["error"] == logins.UNREACHABLE


def test_a_wrong_client_secret_fails_the_login(
    super_client: APIClient, provider: Provider, settings: Settings
) -> None:
    begun = begin(super_client)
    location = come_back(provider, begun["authorizationUrl"])
    settings.KANBANAI_PROVIDERS = configured(provider, clientSecret="not the one")

    assert finish(location) == "failed"

    assert status_of(super_client, begun)["error"] == logins.NOT_EXCHANGED


def test_a_key_has_no_login(super_client: APIClient, root: User) -> None:
    key = operations.create_credential(actor=actor_of(root), name="K", provider="openai")

    assert super_client.get(f"{URL}/{key.public_id}/oauth/status").status_code == 409


# --- renewing -------------------------------------------------------------------------------------


@pytest.fixture
def logged_in(super_client: APIClient, provider: Provider) -> Credential:
    """A credential whose login is done, and whose token has ended."""
    begun = begin(super_client)
    assert finish(come_back(provider, begun["authorizationUrl"])) == "completed"
    Credential.objects.update(token_expires_at=timezone.now() - timedelta(seconds=1))
    return Credential.objects.get()


def test_an_ended_token_is_renewed_before_it_is_used(root: User, logged_in: Credential) -> None:
    renewed = operations.renew_credential(actor=actor_of(root), credential=logged_in)

    assert renewed.secret != logged_in.secret
    assert renewed.token_expires_at is not None
    assert renewed.token_expires_at > timezone.now()
    again = operations.renew_credential(actor=actor_of(root), credential=renewed)
    assert again.secret == renewed.secret


def test_a_refused_renewal_makes_the_credential_invalid_until_a_new_login(
    super_client: APIClient, root: User, provider: Provider, logged_in: Credential
) -> None:
    Credential.objects.update(refresh_token="")
    row = Credential.objects.get()
    row.refresh_token = "of-nobody"
    row.save(update_fields=["refresh_token"])

    with pytest.raises(logins.LoginLost):
        operations.renew_credential(actor=actor_of(root), credential=logged_in)

    row = Credential.objects.get()
    assert (row.status, row.error) == ("invalid", logins.ENDED)
    checked = super_client.post(f"{URL}/{row.public_id}/verify").json()["data"]
    assert (checked["valid"], checked["error"]) == (False, logins.ENDED)
    again = begin(super_client, credentialId=row.public_id)
    assert again["credentialId"] == row.public_id
    assert Credential.objects.get().status == "invalid"
    assert finish(come_back(provider, again["authorizationUrl"])) == "completed"
    assert Credential.objects.get().status == "valid"


def test_a_provider_that_is_down_takes_no_login_away(
    root: User, provider: Provider, logged_in: Credential, settings: Settings
) -> None:
    settings.KANBANAI_PROVIDERS = configured(provider, tokenUrl="http://127.0.0.1:9/token")

    with pytest.raises(problems.Upstream):
        operations.renew_credential(actor=actor_of(root), credential=logged_in)

    assert Credential.objects.get().status == "valid"
    settings.KANBANAI_PROVIDERS = configured(provider)
    assert operations.renew_credential(actor=actor_of(root), credential=logged_in).secret


@pytest.mark.django_db(transaction=True)
def test_many_at_once_renew_a_token_once(
    root: User, server: ModelServer, settings: Settings
) -> None:
    count = [0]
    lock = threading.Lock()

    def token(_asked: Asked) -> Reply:
        with lock:
            count[0] += 1
            number = count[0]
        body = {
            "access_token": f"access-{number}",
            "refresh_token": f"r{number}",
            "expires_in": 3600,
        }
        return Reply(body=body, delay=0.3)

    server.answer = token
    settings.KANBANAI_PROVIDERS = {
        "anthropic": {
            "oauth": {
                "authorizeUrl": f"{server.url}/auth",
                "tokenUrl": f"{server.url}/token",
                "clientId": "public",
            }
        }
    }
    row = Credential.objects.create(
        name="L",
        provider="anthropic",
        auth_type="oauth",
        status="valid",
        secret="old-access",
        refresh_token="r0",
        hint="****",
        token_expires_at=timezone.now() - timedelta(seconds=1),
    )
    barrier, got = threading.Barrier(4), []

    def renew() -> None:
        try:
            barrier.wait(10)
            got.append(operations.renew_credential(actor=actor_of(root), credential=row).secret)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=renew) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert got == ["access-1"] * 4
    assert [one.form["refresh_token"] for one in server.asked] == ["r0"]
    assert server.asked[0].form["client_id"] == "public"


# --- windows of logins ----------------------------------------------------------------------------


def test_a_login_s_windows_are_asked_for_now_and_then(
    super_client: APIClient, server: ModelServer, settings: Settings
) -> None:
    server.answer = lambda _asked: Reply(
        body={
            "five_hour": {"utilization": 37.0, "resets_at": "2100-01-01T00:00:00+00:00"},
            "seven_day": {"utilization": 126, "resets_at": None},
            "other": None,
        }
    )
    settings.KANBANAI_PROVIDERS = {"anthropic": {"usageUrl": f"{server.url}/usage"}}
    row = Credential.objects.create(
        name="L",
        provider="anthropic",
        auth_type="oauth",
        status="valid",
        secret="t0ken",
        hint="****",
    )

    for _time in range(2):
        data = super_client.get(f"{URL}/{row.public_id}/usage").json()["data"]
        assert data["available"] is True
        assert data["windows"] == [
            {"window": "5h", "usedPercent": 37.0, "resetsAt": "2100-01-01T00:00:00Z"},
            {"window": "7d", "usedPercent": 100.0, "resetsAt": None},
        ]
    assert [one.path for one in server.asked] == ["/usage"]
    assert server.asked[0].headers["authorization"] == "Bearer t0ken"
    assert server.asked[0].headers["anthropic-beta"] == "oauth-2025-04-20"
