"""Who belongs to an organization."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from apps.accounts.models import User
from apps.core import problems
from apps.core.models import Event
from apps.orgs import operations
from apps.orgs.models import Organization
from tests import factories
from tests.people import ClientOf, actor_of


def members(organization: Organization) -> list[tuple[str, str]]:
    return list(organization.memberships.order_by("created_at").values_list("user__email", "role"))


BOTH = [("ada@example.org", "admin"), ("bob@example.org", "member")]


def url(organization: Organization, user: User | None = None) -> str:
    path = f"/api/v1/organizations/{organization.public_id}/members"
    return path if user is None else f"{path}/{user.public_id}"


def test_they_are_listed(
    client_of: ClientOf, ada: User, bob: User, organization: Organization
) -> None:
    assert client_of(bob).get(url(organization)).json() == {
        "data": [
            {
                "userId": ada.public_id,
                "email": "ada@example.org",
                "displayName": "Ada",
                "role": "admin",
            },
            {
                "userId": bob.public_id,
                "email": "bob@example.org",
                "displayName": "Bob",
                "role": "member",
            },
        ]
    }


def test_an_administrator_lets_people_in(
    client_of: ClientOf, ada: User, eve: User, organization: Organization
) -> None:
    answer = client_of(ada).post(url(organization), {"email": "EVE@example.org"})

    assert answer.status_code == 201
    assert answer.json()["data"]["role"] == "member"
    assert members(organization) == [*BOTH, ("eve@example.org", "member")]
    event = Event.objects.get()
    assert (event.topic, event.kind) == (f"org.{organization.public_id}", "membership.created")
    assert event.data == {
        "organizationId": organization.public_id,
        "member": answer.json()["data"],
    }


def test_only_people_with_accounts_can_be_let_in(
    client_of: ClientOf, ada: User, organization: Organization
) -> None:
    answer = client_of(ada).post(url(organization), {"email": "nobody@example.org"})

    assert answer.status_code == 404
    assert members(organization) == BOTH


def test_nobody_is_let_in_twice(client_of: ClientOf, ada: User, organization: Organization) -> None:
    answer = client_of(ada).post(url(organization), {"email": "bob@example.org"})

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert members(organization) == BOTH
    assert not Event.objects.exists()


def test_roles_change(
    client_of: ClientOf, ada: User, bob: User, organization: Organization
) -> None:
    answer = client_of(ada).patch(url(organization, bob), {"role": "admin"})

    assert answer.json()["data"]["role"] == "admin"
    assert members(organization) == [BOTH[0], ("bob@example.org", "admin")]
    assert Event.objects.get().kind == "membership.updated"


def test_the_last_administrator_stays_one(
    client_of: ClientOf, ada: User, root: User, organization: Organization
) -> None:
    answers = [
        client_of(ada).patch(url(organization, ada), {"role": "member"}),
        client_of(ada).delete(url(organization, ada)),
        client_of(root).delete(url(organization, ada)),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert members(organization) == BOTH
    assert not Event.objects.exists()


def test_a_member_leaves(client_of: ClientOf, bob: User, organization: Organization) -> None:
    client = client_of(bob)

    answer = client.delete(url(organization, bob))

    assert answer.status_code == 204
    assert members(organization) == BOTH[:1]
    assert client.get(url(organization)).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_demote_each_other(ada: User, bob: User) -> None:
    organization = factories.Organization.create(admin=ada)
    factories.Membership.create(organization=organization, user=bob, role="admin")
    together = threading.Barrier(2)
    refusals: list[int] = []

    def demote(who: User, whom: User) -> None:
        try:
            together.wait(10)
            operations.change_member(
                actor=actor_of(who), organization=organization, user=whom, role="member"
            )
        except problems.Problem as problem:
            refusals.append(problem.status)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=demote, args=pair) for pair in ((ada, bob), (bob, ada))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    # The second one is no administrator any more when its turn comes.
    assert refusals == [403]
    assert sorted(role for _email, role in members(organization)) == ["admin", "member"]


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_both_leave(ada: User, bob: User) -> None:
    organization = factories.Organization.create(admin=ada)
    factories.Membership.create(organization=organization, user=bob, role="admin")
    together = threading.Barrier(2)
    refusals: list[int] = []

    def leave(who: User) -> None:
        try:
            together.wait(10)
            operations.remove_member(actor=actor_of(who), organization=organization, user=who)
        except problems.Problem as problem:
            refusals.append(problem.status)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=leave, args=[who]) for who in (ada, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert refusals == [409]
    assert [role for _email, role in members(organization)] == ["admin"]
