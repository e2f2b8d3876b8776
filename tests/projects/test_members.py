from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from pytest_django import Settings

from apps.accounts import tasks as account_tasks
from apps.accounts.models import User
from apps.core import problems
from apps.core.models import Event
from apps.projects import operations, tasks
from apps.projects.models import Invitation, Project, ProjectMember
from tests import factories
from tests.people import ClientOf, actor_of


def members_url(project: Project) -> str:
    return f"/api/v1/projects/{project.public_id}/members"


def test_the_list_shows_owner_members_and_invitations(
    ada: User, bob: User, project: Project, client_of: ClientOf
) -> None:
    factories.Invitation.create(project=project, email="new@example.org", role="admin")
    assert client_of(bob).get(members_url(project)).json()["data"] == [
        {
            "userId": ada.public_id,
            "email": "ada@example.org",
            "displayName": "Ada",
            "role": "admin",
            "status": "active",
        },
        {
            "userId": bob.public_id,
            "email": "bob@example.org",
            "displayName": "Bob",
            "role": "member",
            "status": "active",
        },
        {
            "userId": None,
            "email": "new@example.org",
            "displayName": None,
            "role": "admin",
            "status": "pending",
        },
    ]


def test_somebody_with_an_account_joins_at_once(
    ada: User, eve: User, project: Project, client_of: ClientOf
) -> None:
    answer = client_of(ada).post(members_url(project), {"email": " EVE@Example.org "})
    assert answer.status_code == 201
    assert answer.json()["data"] == {
        "userId": eve.public_id,
        "email": "eve@example.org",
        "displayName": "Eve",
        "role": "member",
        "status": "active",
    }
    heard = Event.objects.order_by("topic").values_list("topic", "kind")
    assert list(heard) == [
        (f"project.{project.public_id}", "member.added"),
        (f"user.{eve.public_id}", "member.added"),
    ]
    assert client_of(eve).get(f"/api/v1/projects/{project.public_id}").status_code == 200


def test_adding_somebody_again_is_a_conflict(
    ada: User, bob: User, project: Project, client_of: ClientOf
) -> None:
    for user in (ada, bob):
        answer = client_of(ada).post(members_url(project), {"email": user.email})
        assert answer.status_code == 409
    assert ProjectMember.objects.count() == 1


def test_an_unknown_email_is_invited_and_again_only_changes_the_role(
    ada: User, project: Project, client_of: ClientOf
) -> None:
    first = client_of(ada).post(members_url(project), {"email": "New@example.org"})
    again = client_of(ada).post(members_url(project), {"email": "new@EXAMPLE.org", "role": "admin"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["data"]["status"] == "pending"
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role, invitation.invited_by) == (
        "new@example.org",
        "admin",
        ada,
    )


def test_who_is_invited_is_written_to_while_the_invitation_stands(
    ada: User, project: Project, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    settings.KANBANAI_SENDS_MAIL = True
    operations.add_member(actor=actor_of(ada), project=project, email="new@example.org")
    event = Event.objects.get(kind="member.invited")
    tasks.mail_invitation(event_id=event.pk)
    account_tasks.send_mails()
    (mail,) = mailoutbox
    assert (mail.to, mail.subject) == (["new@example.org"], "[KanbanAI] Ada invites you to Engine")
    assert "http://testserver/accounts/signup/" in mail.body
    operations.remove_invitation(actor=actor_of(ada), project=project, email="new@example.org")
    tasks.mail_invitation(event_id=event.pk)
    account_tasks.send_mails()
    assert len(mailoutbox) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "email"),
        ({"email": "nonsense"}, "email"),
        ({"email": "a" * 250 + "@example.org"}, "email"),
        ({"email": "a\0b@example.org"}, "email"),
        ({"email": ["a@example.org"]}, "email"),
        ({"email": "a@example.org", "role": "owner"}, "role"),
        ({"email": "a@example.org", "role": None}, "role"),
        ({"email": "a@example.org", "role": 5}, "role"),
    ],
)
def test_a_wrong_field_adds_nobody(
    ada: User, project: Project, client_of: ClientOf, values: dict[str, Any], field: str
) -> None:
    answer = client_of(ada).post(members_url(project), values)
    assert answer.status_code == 400
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert not Invitation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_add_a_person_once(ada: User, eve: User, project: Project) -> None:
    outcomes: list[str] = []

    def add() -> None:
        try:
            operations.add_member(actor=actor_of(ada), project=project, email=eve.email)
            outcomes.append("added")
        except problems.Conflict:
            outcomes.append("conflict")
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["added", "conflict"]
    assert Event.objects.filter(kind="member.added", topic__startswith="project").count() == 1


def test_a_role_is_changed_once(
    ada: User, bob: User, project: Project, client_of: ClientOf
) -> None:
    url = f"{members_url(project)}/{bob.public_id}"
    for _ in range(2):
        answer = client_of(ada).patch(url, {"role": "admin"})
        assert (answer.status_code, answer.json()["data"]["role"]) == (200, "admin")
    assert Event.objects.filter(kind="member.updated").count() == 2  # project and person, once


def test_the_owner_stays_what_they_are(ada: User, project: Project, client_of: ClientOf) -> None:
    url = f"{members_url(project)}/{ada.public_id}"
    assert client_of(ada).patch(url, {"role": "member"}).status_code == 409
    assert client_of(ada).delete(url).status_code == 409


def test_who_is_removed_hears_it_and_sees_the_project_no_more(
    ada: User, bob: User, project: Project, client_of: ClientOf
) -> None:
    url = f"{members_url(project)}/{bob.public_id}"
    assert client_of(ada).delete(url).status_code == 204
    assert client_of(bob).get(f"/api/v1/projects/{project.public_id}").status_code == 404
    assert client_of(ada).delete(url).status_code == 404
    events = Event.objects.filter(kind="member.removed").order_by("topic")
    assert [event.topic for event in events] == [
        f"project.{project.public_id}",
        f"user.{bob.public_id}",
    ]
    assert events[0].data["userId"] == bob.public_id


def test_everybody_may_leave(bob: User, project: Project, client_of: ClientOf) -> None:
    answer = client_of(bob).delete(f"{members_url(project)}/{bob.public_id}")
    assert answer.status_code == 204
    assert not ProjectMember.objects.exists()


def test_an_invitation_is_taken_back_whatever_its_case(
    ada: User, project: Project, client_of: ClientOf
) -> None:
    factories.Invitation.create(project=project, email="new+tag@example.org")
    url = f"/api/v1/projects/{project.public_id}/invitations/New%2BTag%40example.org"
    assert client_of(ada).delete(url).status_code == 204
    assert client_of(ada).delete(url).status_code == 404
    assert not Invitation.objects.exists()


def test_a_new_account_takes_what_waits_for_it(ada: User, project: Project) -> None:
    other = factories.Project.create()
    factories.Invitation.create(project=project, email="new@example.org", role="admin")
    factories.Invitation.create(project=other, email="new@example.org")
    factories.Invitation.create(project=other, email="somebody@example.org")
    new = factories.User.create(email="new@example.org")
    operations.accept_invitations(actor=actor_of(new), user=new)
    joined = ProjectMember.objects.filter(user=new).order_by("project_id")
    assert [(member.project_id, member.role) for member in joined] == sorted(
        [(project.pk, "admin"), (other.pk, "member")]
    )
    assert [invitation.email for invitation in Invitation.objects.all()] == ["somebody@example.org"]
    operations.accept_invitations(actor=actor_of(new), user=new)
    assert ProjectMember.objects.filter(user=new).count() == 2


def test_a_persons_projects_go_to_the_heir(
    ada: User, bob: User, root: User, project: Project
) -> None:
    operations.transfer_projects(actor=actor_of(root), user=ada, heir=bob)
    project.refresh_from_db()
    assert project.owner == bob
    assert not ProjectMember.objects.exists()
    told = Event.objects.filter(kind="project.transferred").values_list("topic", flat=True)
    assert set(told) == {f"user.{ada.public_id}", f"user.{bob.public_id}"}


def test_nobody_but_admins_of_the_server_hands_projects_over(
    ada: User, eve: User, project: Project
) -> None:
    with pytest.raises(problems.Forbidden):
        operations.transfer_projects(actor=actor_of(eve), user=ada, heir=eve)
    project.refresh_from_db()
    assert project.owner == ada
