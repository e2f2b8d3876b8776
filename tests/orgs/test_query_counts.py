"""How many statements organizations take; lists take the same for one row and for three."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.orgs.models import Organization
from tests import factories
from tests.people import ClientOf
from tests.query_counts import CountQueries

URL = "/api/v1/organizations"


@pytest.fixture
def client(client_of: ClientOf, ada: User) -> APIClient:
    return client_of(ada)


@pytest.mark.parametrize("more", [0, 2])
def test_lists(
    client: APIClient, ada: User, organization: Organization, count_queries: CountQueries, more: int
) -> None:
    for _ in range(more):
        factories.Organization.create(admin=ada)
        factories.Membership.create(organization=organization)

    with count_queries("GET organizations"):
        answer = client.get(URL)
    with count_queries("GET members"):
        members = client.get(f"{URL}/{organization.public_id}/members")

    assert len(answer.json()["data"]) == 1 + more
    assert len(members.json()["data"]) == 2 + more


def test_one(client: APIClient, organization: Organization, count_queries: CountQueries) -> None:
    with count_queries("GET organization"):
        client.get(f"{URL}/{organization.public_id}")


def test_writes(
    client: APIClient, bob: User, eve: User, organization: Organization, count_queries: CountQueries
) -> None:
    one = f"{URL}/{organization.public_id}"
    with count_queries("POST organizations"):
        assert client.post(URL, {"name": "New"}).status_code == 201
    with count_queries("PATCH organization"):
        assert client.patch(one, {"name": "New"}).status_code == 200
    with count_queries("POST member"):
        body = {"email": "eve@example.org"}
        assert client.post(f"{one}/members", body).status_code == 201
    with count_queries("PATCH member"):
        path = f"{one}/members/{bob.public_id}"
        assert client.patch(path, {"role": "admin"}).status_code == 200
    with count_queries("DELETE member"):
        assert client.delete(f"{one}/members/{eve.public_id}").status_code == 204
    with count_queries("DELETE organization"):
        assert client.delete(one).status_code == 204
