"""Setting the identity provider up, trying it out and taking it away."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import AuthProvider, OidcConfiguration, Role, ServerSettings, User
from apps.core import secrets
from apps.core.models import Event
from apps.orgs.models import Organization
from tests import factories
from tests.accounts.provider import SECRET, Provider, begin, reset, start, stop, walk
from tests.people import BrowserOf, ClientOf

URL = "/api/v1/settings/oidc"
BODY = {"issuerUrl": "https://id.example.org", "clientId": "kanban", "clientSecret": SECRET}
NO_SUCH = "org_01h455vb4pex5vsknk084sn02q"
SHOWN = {
    "issuerUrl": "https://id.example.org",
    "clientId": "kanban",
    "clientSecret": "****",
    "redirectUri": "http://testserver/api/oidc/callback",
    "name": "",
    "scopes": "openid email profile",
    "trustEmails": False,
    "groupsClaim": "",
    "superAdminGroups": [],
    "adminGroups": [],
    "organizationGroups": {},
}


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_only_super_admins_may(callers: dict[str, APIClient], method: str) -> None:
    factories.User.create(email="admin@example.org", role=Role.ADMIN)

    codes = {name: getattr(client, method)(URL).status_code for name, client in callers.items()}
    test = {name: client.post("/api/v1/oidc/test").status_code for name, client in callers.items()}

    allowed = {"get": 200, "post": 400, "delete": 204}[method]
    assert codes == {"nobody": 401, "ada": 403, "bob": 403, "eve": 403, "root": allowed}
    assert test == {"nobody": 401, "ada": 403, "bob": 403, "eve": 403, "root": 200}


def test_an_admin_may_not(client_of: ClientOf, db: None) -> None:
    client = client_of(factories.User.create(role=Role.ADMIN))

    assert client.get(URL).status_code == 403
    assert client.post(URL, BODY).status_code == 403
    assert client.delete(URL).status_code == 403


def test_there_is_none_at_first(client_of: ClientOf, root: User) -> None:
    answer = client_of(root).get(URL)

    assert (answer.status_code, answer.json()) == (200, {"data": None})


def test_the_secret_goes_in_and_never_comes_out(client_of: ClientOf, root: User) -> None:
    client = client_of(root)

    set_up = client.post(URL, BODY)

    assert (set_up.status_code, set_up.json()) == (200, {"data": SHOWN})
    assert client.get("/api/settings/oidc").json() == {"data": SHOWN}
    assert OidcConfiguration.objects.get().client_secret == SECRET
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_secret FROM accounts_oidcconfiguration")
        (stored,) = cursor.fetchone()
    assert SECRET not in stored
    assert secrets.decrypt(stored) == SECRET
    told = Event.objects.get()
    assert (told.topic, told.kind, told.data) == (
        "server",
        "server.settings_changed",
        {"settings": "oidc"},
    )


def test_setting_it_again_replaces_everything(
    client_of: ClientOf, root: User, organization: Organization
) -> None:
    client = client_of(root)
    options = {
        "name": "Example",
        "scopes": "openid  email groups",
        "trustEmails": True,
        "groupsClaim": "groups",
        "superAdminGroups": ["operators"],
        "adminGroups": ["leads"],
        "organizationGroups": {"engineers": organization.public_id},
    }

    full = client.post(URL, BODY | options).json()["data"]
    plain = client.post(URL, BODY | {"clientId": "another"}).json()["data"]

    assert full == SHOWN | options | {"scopes": "openid email groups"}
    assert plain == SHOWN | {"clientId": "another"}
    assert OidcConfiguration.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"clientSecret": "****"}, "clientSecret"),
        ({"clientSecret": "*****************"}, "clientSecret"),
        ({"clientSecret": ""}, "clientSecret"),
        ({"clientSecret": None}, "clientSecret"),
        ({"clientId": ""}, "clientId"),
        ({"issuerUrl": "http://id.example.org"}, "issuerUrl"),
        ({"issuerUrl": "https://id.example.org?x=1"}, "issuerUrl"),
        ({"issuerUrl": "id.example.org"}, "issuerUrl"),
        ({"issuerUrl": 5}, "issuerUrl"),
        ({"scopes": "email"}, "scopes"),
        ({"trustEmails": "yes"}, "trustEmails"),
        ({"superAdminGroups": "operators"}, "superAdminGroups"),
        ({"adminGroups": [5]}, "adminGroups.0"),
        ({"organizationGroups": ["engineers"]}, "organizationGroups"),
        ({"organizationGroups": {"engineers": "engines"}}, "organizationGroups"),
        (
            {"organizationGroups": {"engineers": NO_SUCH}},
            "organizationGroups",
        ),
        (
            {"organizationGroups": {"x" * 201: NO_SUCH}},
            "organizationGroups",
        ),
        ({"organizationGroups": {"a\x00": NO_SUCH}}, "organizationGroups"),
    ],
)
def test_what_cannot_be_right_is_refused(
    client_of: ClientOf, root: User, changes: dict[str, Any], field: str
) -> None:
    answer = client_of(root).post(URL, BODY | changes)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not OidcConfiguration.objects.exists()
    assert not Event.objects.exists()


def test_it_counts_at_once(
    client_of: ClientOf, root: User, provider: Provider, nobody: APIClient
) -> None:
    client = client_of(root)
    before = nobody.get("/api/v1/oidc/login").status_code

    client.post(URL, BODY | {"issuerUrl": provider.issuer})
    end = walk(Client(), provider)
    client.delete(URL)

    assert (before, end) == (404, "/")
    assert nobody.get("/api/v1/oidc/login").status_code == 404


# --- trying it out -------------------------------------------------------------------------------


def report(client: APIClient) -> dict[str, Any]:
    answer = client.post("/api/v1/oidc/test")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_trying_it_out_reads_what_the_provider_publishes(
    client_of: ClientOf, root: User, provider: Provider, configuration: OidcConfiguration
) -> None:
    found = report(client_of(root))

    assert found == {"success": True, "issuer": provider.issuer, "error": None}
    assert provider.tell() == 1


def test_trying_it_out_says_what_is_wrong(
    client_of: ClientOf, root: User, provider: Provider
) -> None:
    client = client_of(root)
    unset = report(client)
    own = start()
    reset(own)
    configuration = OidcConfiguration.objects.create(
        issuer_url=f"{own.issuer}/another", client_id="kanban", client_secret=SECRET
    )
    elsewhere = report(client)
    configuration.issuer_url = own.issuer
    configuration.save()
    walk(Client(), own)
    stop(own)
    down = report(client)

    assert unset == {
        "success": False,
        "issuer": None,
        "error": "No identity provider is set up.",
    }
    address = f"{own.issuer}/another/.well-known/openid-configuration"
    assert elsewhere["error"] == f"{address} answered 404."
    # What was remembered of the provider does not count.
    assert (down["success"], down["issuer"]) == (False, None)
    assert "cannot be reached" in down["error"]


# --- taking it away ------------------------------------------------------------------------------


def by_provider_only(user: User) -> None:
    user.auth_provider = AuthProvider.OIDC
    user.password = make_password(None)
    user.save()


def test_it_can_be_taken_away(
    client_of: ClientOf, root: User, configuration: OidcConfiguration
) -> None:
    client = client_of(root)

    assert client.delete(URL).status_code == 204
    assert client.get(URL).json() == {"data": None}
    assert client.delete(URL).status_code == 204


def test_it_stays_while_nobody_could_run_the_server_without_it(
    client_of: ClientOf, root: User, configuration: OidcConfiguration
) -> None:
    by_provider_only(root)
    factories.User.create(role=Role.SUPER_ADMIN, is_active=False)
    factories.User.create(role=Role.ADMIN)

    answer = client_of(root).delete(URL)

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert OidcConfiguration.objects.exists()


def test_without_sign_in_it_may_go(
    client_of: ClientOf, root: User, configuration: OidcConfiguration
) -> None:
    by_provider_only(root)
    ServerSettings.objects.create(auth_enabled=False)

    assert client_of(root).delete(URL).status_code == 204


# --- a secret that no key opens ------------------------------------------------------------------


@pytest.fixture
def lost_key(configuration: OidcConfiguration) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_oidcconfiguration SET client_secret = 'gAAAAA'")


@pytest.mark.usefixtures("lost_key")
def test_a_lost_key_stops_sign_in_and_nothing_else(
    client_of: ClientOf, browser_of: BrowserOf, root: User, provider: Provider
) -> None:
    client = client_of(root)

    assert client.get(URL).json()["data"]["clientSecret"] == "****"
    assert report(client)["success"] is True
    assert Client().get("/accounts/login/").status_code == 200
    page = browser_of(root).get("/admin/accounts/oidcconfiguration/1/change/")
    assert page.status_code == 200
    assert begin(Client()) == "/accounts/login/?error=oidc_secret"
    # Entered again, it is readable again.
    assert client.post(URL, BODY | {"issuerUrl": provider.issuer}).status_code == 200
    assert walk(Client(), provider) == "/"
