"""The numbers of SQL statements of conditional and repeated requests."""

from __future__ import annotations

from apps.accounts.models import User
from apps.orgs.models import Organization
from tests.people import ClientOf
from tests.query_counts import CountQueries

URL = "/api/v1/organizations"


def test_conditions_cost_nothing_when_there_are_none(
    client_of: ClientOf, ada: User, organization: Organization, count_queries: CountQueries
) -> None:
    client = client_of(ada)
    path = f"{URL}/{organization.public_id}"
    tag = client.get(path).headers["ETag"]

    with count_queries("GET"):
        client.get(path)
    with count_queries("GET with If-None-Match"):
        assert client.get(path, HTTP_IF_NONE_MATCH=tag).status_code == 304
    with count_queries("PATCH"):
        client.patch(path, {"name": "Looms"})
    tag = client.get(path).headers["ETag"]
    with count_queries("PATCH with If-Match"):
        assert client.patch(path, {"name": "Mills"}, HTTP_IF_MATCH=tag).status_code == 200


def test_the_statements_a_key_costs(
    client_of: ClientOf, ada: User, count_queries: CountQueries
) -> None:
    client = client_of(ada)
    body = {"name": "Mills"}

    with count_queries("POST"):
        client.post(URL, body)
    with count_queries("POST with Idempotency-Key"):
        assert client.post(URL, body, HTTP_IDEMPOTENCY_KEY="k-1").status_code == 201
    with count_queries("POST replayed"):
        again = client.post(URL, body, HTTP_IDEMPOTENCY_KEY="k-1")
    assert again.headers["Idempotent-Replayed"] == "true"
