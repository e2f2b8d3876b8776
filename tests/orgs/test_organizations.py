"""Organizations: make, show, rename, delete."""

from __future__ import annotations

from apps.accounts.models import User
from apps.core.models import Event
from apps.orgs.models import Membership, Organization
from tests import factories
from tests.people import ClientOf

URL = "/api/v1/organizations"


def told() -> list[tuple[str, str]]:
    return list(Event.objects.order_by("id").values_list("topic", "kind"))


def test_its_maker_administers_it(client_of: ClientOf, ada: User) -> None:
    answer = client_of(ada).post(URL, {"name": " Engines "})

    organization = Organization.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"data": {"id": organization.public_id, "name": "Engines"}}
    assert list(Membership.objects.values_list("user", "role")) == [(ada.pk, "admin")]
    assert told() == [(f"org.{organization.public_id}", "organization.created")]


def test_everybody_lists_their_own(
    client_of: ClientOf, ada: User, bob: User, eve: User, organization: Organization
) -> None:
    second = factories.Organization.create(name="Bridges", admin=bob)
    first = {"id": organization.public_id, "name": "Engines"}

    assert client_of(ada).get(URL).json() == {"data": [first]}
    assert client_of(bob).get(URL).json() == {
        "data": [first, {"id": second.public_id, "name": "Bridges"}]
    }
    assert client_of(eve).get(URL).json() == {"data": []}


def test_an_administrator_renames_it(
    client_of: ClientOf, ada: User, organization: Organization
) -> None:
    client = client_of(ada)
    path = f"{URL}/{organization.public_id}"

    changed = client.patch(path, {"name": "Analytical Engines"})
    same = client.patch(path, {})

    expected = {"data": {"id": organization.public_id, "name": "Analytical Engines"}}
    assert changed.json() == same.json() == client.get(path).json() == expected
    assert told() == [(f"org.{organization.public_id}", "organization.updated")]


def test_an_empty_one_is_deleted(
    client_of: ClientOf, ada: User, organization: Organization
) -> None:
    answer = client_of(ada).delete(f"{URL}/{organization.public_id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert not Organization.objects.exists()
    assert told() == [(f"org.{organization.public_id}", "organization.deleted")]


def test_one_with_projects_stays(
    client_of: ClientOf, ada: User, organization: Organization
) -> None:
    factories.Project.create(owner=ada, organization=organization)

    answer = client_of(ada).delete(f"{URL}/{organization.public_id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "ORGANIZATION_NOT_EMPTY")
    assert Organization.objects.get() == organization
    assert told() == []


def test_an_administrator_who_is_deleted_leaves_it_to_an_heir(
    client_of: ClientOf, ada: User, bob: User, root: User, organization: Organization
) -> None:
    answer = client_of(root).delete(f"/api/v1/admin/users/{ada.public_id}")

    assert answer.status_code == 204
    assert set(organization.memberships.values_list("user", "role")) == {
        (bob.pk, "member"),
        (root.pk, "admin"),
    }
