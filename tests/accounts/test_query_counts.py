"""How many statements accounts take; lists take the same for one row and for three."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.accounts import credentials, operations
from apps.accounts.models import User
from tests import factories
from tests.factories import PASSWORD
from tests.people import BrowserOf, ClientOf, actor_of
from tests.query_counts import CountQueries


def test_being_somebody(
    client_of: ClientOf, browser_of: BrowserOf, ada: User, count_queries: CountQueries
) -> None:
    secret = operations.create_token(actor=actor_of(ada), name="laptop").secret
    script = APIClient()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    script.get("/api/v1/auth/me")
    client, browser = client_of(ada), browser_of(ada)
    browser.get("/api/v1/auth/me")

    with count_queries("GET me with a signed token"):
        client.get("/api/v1/auth/me")
    with count_queries("GET me with a personal token used within a minute"):
        script.get("/api/v1/auth/me")
    with count_queries("GET me with a session"):
        browser.get("/api/v1/auth/me")


def test_coming_in(nobody: APIClient, root: User, count_queries: CountQueries) -> None:
    with count_queries("GET auth-status"):
        nobody.get("/api/v1/settings/auth-status")
    with count_queries("POST login"):
        login = {"email": "root@example.org", "password": PASSWORD}
        assert nobody.post("/api/v1/auth/login", login).status_code == 200
    with count_queries("POST register"):
        new = {"email": "new@example.org", "password": PASSWORD}
        assert nobody.post("/api/v1/auth/register", new).status_code == 201


@pytest.mark.parametrize("more", [0, 2])
def test_lists(client_of: ClientOf, root: User, count_queries: CountQueries, more: int) -> None:
    factories.ApiToken.create_batch(1 + more, user=root)
    factories.User.create_batch(1 + more)
    client = client_of(root)

    with count_queries("GET tokens"):
        tokens = client.get("/api/v1/user/tokens")
    with count_queries("GET admin users"):
        client.get("/api/v1/admin/users")
    with count_queries("GET users search"):
        client.get("/api/v1/users/search", {"q": "example"})

    assert len(tokens.json()["data"]) == 1 + more


def test_writes(client_of: ClientOf, ada: User, count_queries: CountQueries) -> None:
    client = client_of(ada)

    with count_queries("POST token"):
        made = client.post("/api/v1/user/tokens", {"name": "laptop"})
    with count_queries("DELETE token"):
        client.delete(f"/api/v1/user/tokens/{made.json()['data']['id']}")
    with count_queries("POST ticket"):
        client.post("/api/v1/realtime/tickets")
    with count_queries("PUT user settings"):
        client.put("/api/v1/user/settings", {"theme": "light"})


@pytest.mark.parametrize("count", [1, 50])
def test_asking_again_costs_the_same_for_many(count_queries: CountQueries, count: int) -> None:
    people = factories.User.create_batch(count)
    claims = [credentials.of_jwt(credentials.issue_jwt(user)) for user in people]
    claims += [
        credentials.of_token(operations.create_token(actor=actor_of(user), name="a").secret)
        for user in people
    ]

    with count_queries("credentials.ended"):
        assert credentials.ended(claims) == set()
