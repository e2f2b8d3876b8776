"""People are told of agents, scripts and invitations: in the list, live, and by real mail."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection
from rest_framework.test import APIClient

from apps.accounts import operations as account_operations
from apps.accounts import tasks as account_tasks
from apps.accounts.models import Notification, OutgoingMail, User
from apps.accounts.operations import Notice
from apps.accounts.operations import notices as mails
from apps.agents import events as agent_events
from apps.agents.models import Approval, Attempt
from apps.agents.states import Status
from apps.boards.models import Column
from apps.core.actors import Actor
from apps.core.models import Event
from apps.dashboard import notices
from apps.orgs import operations as org_operations
from apps.orgs.models import Organization
from apps.projects import events as project_events
from apps.projects import operations as project_operations
from apps.projects import tasks as project_tasks
from apps.projects.models import Project, Script, ScriptRun
from tests import factories
from tests.mailbox import Mailbox, body_of, listening
from tests.people import BrowserOf, ClientOf, actor_of

RUNNER = Actor.system("runner")
NOTICES = "/api/v1/notifications"


def hears(user: User, **wishes: Any) -> None:
    account_operations.update_notifications(actor=actor_of(user), changes=wishes)


def told(event: Event | None = None) -> list[tuple[str, str]]:
    """Who was told, and of what, after the newest event (or the given one)."""
    notices.tell(event or Event.objects.latest("pk"))
    return list(
        Notification.objects.order_by("user__email", "created_at").values_list(
            "user__email", "title"
        )
    )


@pytest.fixture
def attempt(columns: dict[str, Column], ada: User, bob: User) -> Attempt:
    """Bob started an agent on ada's card."""
    card = factories.Card.create(column=columns["inProgress"], title="Mend it", created_by=ada)
    return factories.Attempt.create(card=card, succeeded=True, started_by=bob, summary="Mended.")


# --- who hears of what ---------------------------------------------------------------------------


def test_an_agent_s_end_is_told_to_those_it_concerns(attempt: Attempt, project: Project) -> None:
    agent_events.attempt_completed(attempt, actor=RUNNER)

    assert told() == [
        ("ada@example.org", "ABC-1 is done: Mend it"),
        ("bob@example.org", "ABC-1 is done: Mend it"),
    ]
    notification = Notification.objects.filter(user__email="ada@example.org").get()
    assert notification.event == "agentCompleted"
    assert notification.body == "Mended."
    card = attempt.card
    assert notification.path == f"/boards/{card.board.public_id}/cards/{card.public_id}"
    assert notification.project_id == project.pk


def test_a_failure_says_why(attempt: Attempt) -> None:
    attempt.status, attempt.reason = Status.FAILED, "host_lost"
    attempt.save()
    agent_events.attempt_completed(attempt, actor=RUNNER)

    assert told()[0] == ("ada@example.org", "ABC-1 failed: Mend it")
    assert Notification.objects.all()[0].event == "agentFailed"
    assert Notification.objects.all()[0].body != ""


def test_a_stop_is_no_news(attempt: Attempt) -> None:
    attempt.status = Status.STOPPED
    attempt.save()
    agent_events.attempt_completed(attempt, actor=RUNNER)

    assert told() == []


def test_assignees_hear_too_and_strangers_do_not(attempt: Attempt, eve: User) -> None:
    carol = factories.User.create(email="carol@example.org")
    factories.ProjectMember.create(project=attempt.project, user=carol)
    attempt.card.assignees.set([carol, eve])
    agent_events.attempt_completed(attempt, actor=RUNNER)

    assert [email for email, _title in told()] == [
        "ada@example.org",
        "bob@example.org",
        "carol@example.org",
    ]


def test_whoever_left_the_project_hears_nothing(attempt: Attempt, bob: User) -> None:
    attempt.project.members.all().delete()
    agent_events.attempt_completed(attempt, actor=RUNNER)

    assert [email for email, _title in told()] == ["ada@example.org"]


def test_the_owner_hears_where_nobody_is_left(attempt: Attempt, eve: User) -> None:
    attempt.card.created_by = None
    attempt.card.save()
    Attempt.objects.update(started_by=eve)
    agent_events.attempt_completed(attempt, actor=RUNNER)

    assert [email for email, _title in told()] == ["ada@example.org"]


def test_nobody_is_told_of_what_they_did(attempt: Attempt, ada: User) -> None:
    agent_events.attempt_completed(attempt, actor=actor_of(ada))

    assert [email for email, _title in told()] == ["bob@example.org"]


@pytest.mark.parametrize(
    ("kind", "words", "event"),
    [
        (Approval.Kind.PERMISSION, "needs your permission", "approvalNeeded"),
        (Approval.Kind.PLAN, "has a plan", "approvalNeeded"),
        (Approval.Kind.QUESTION, "asks", "inputNeeded"),
    ],
)
def test_a_question_of_an_agent_is_told(
    attempt: Attempt, kind: str, words: str, event: str
) -> None:
    approval = factories.Approval.create(attempt=attempt, kind=kind, title="Run make?")
    agent_events.attempt_approval_requested(attempt, approval, actor=RUNNER)

    assert told()[0] == ("ada@example.org", f"ABC-1 {words}: Mend it")
    found = Notification.objects.all()[0]
    assert (found.event, found.body) == (event, "Run make?")


def test_a_question_that_was_answered_is_not_told(attempt: Attempt) -> None:
    approval = factories.Approval.create(attempt=attempt)
    agent_events.attempt_approval_requested(attempt, approval, actor=RUNNER)
    Approval.objects.update(status=Approval.Status.ANSWERED)

    assert told() == []


def test_an_agent_that_waits_for_words_is_told(attempt: Attempt) -> None:
    attempt.status, attempt.waiting_for = Status.WAITING, "input"
    attempt.save()
    agent_events.attempt_status_changed(attempt, actor=RUNNER)
    assert told()[0] == ("ada@example.org", "ABC-1 waits for you: Mend it")

    attempt.status, attempt.waiting_for = Status.RUNNING, ""
    attempt.save()
    agent_events.attempt_status_changed(attempt, actor=RUNNER)
    assert len(told()) == 2


def test_the_same_event_is_told_once(attempt: Attempt) -> None:
    agent_events.attempt_completed(attempt, actor=RUNNER)
    event = Event.objects.latest("pk")

    assert len(told(event)) == 2
    assert len(told(event)) == 2


def test_a_script_tells_whoever_ran_it_and_wants_to_hear(
    board: Any, project: Project, ada: User, bob: User
) -> None:
    script = Script.objects.create(project=project, name="Lint", command="true", rank="a0")
    run = ScriptRun.objects.create(script=script, status="failed", started_by=bob)
    project_events.run_changed("script.finished", run, actor=RUNNER)
    assert told() == []

    hears(bob, events={"scriptFinished": True})
    hears(ada, events={"scriptFinished": True})
    project_events.run_changed("script.finished", run, actor=RUNNER)
    assert told() == [("bob@example.org", "Lint failed in Engine")]


def test_a_new_member_is_told(board: Any, project: Project, ada: User, eve: User) -> None:
    project_operations.add_member(actor=actor_of(ada), project=project, email=eve.email)

    for event in Event.objects.filter(kind="member.added"):
        notices.tell(event)

    assert told(Event.objects.filter(kind="member.added").first()) == [
        ("eve@example.org", "Ada added you to Engine")
    ]


def test_a_new_member_of_an_organization_is_told(
    organization: Organization, ada: User, eve: User
) -> None:
    org_operations.add_member(
        actor=actor_of(ada), organization=organization, email=eve.email, role="member"
    )

    assert told(Event.objects.filter(kind="membership.created").latest("pk")) == [
        ("eve@example.org", "Ada added you to the organization Engines")
    ]


# --- how they hear it ----------------------------------------------------------------------------


def notice(source: str = "event:1", **values: Any) -> Notice:
    facts: dict[str, Any] = {"event": "agentCompleted", "title": "Done", "path": "/inbox"}
    return Notice(**(facts | values), source=source)


def test_an_event_that_is_switched_off_is_not_told(ada: User) -> None:
    hears(ada, events={"agentCompleted": False})

    assert account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice()) == []
    assert Notification.objects.count() == 0


def test_with_every_channel_off_nothing_is_told(ada: User) -> None:
    hears(ada, inApp=False)

    assert account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice()) == []


def test_open_pages_are_told_how(ada: User) -> None:
    hears(ada, sound=True)
    [row] = account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())

    event = Event.objects.latest("pk")
    assert (event.kind, event.topic) == ("notification.created", f"user.{ada.public_id}")
    assert event.data["channels"] == ["inApp", "sound"]
    assert event.data["unreadCount"] == 1
    assert event.data["notification"]["id"] == row.public_id


def test_a_notification_for_the_browser_alone_is_in_no_list(ada: User, client_of: ClientOf) -> None:
    hears(ada, inApp=False, browser=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())

    assert Event.objects.latest("pk").data["channels"] == ["browser"]
    assert client_of(ada).get(NOTICES).json()["data"] == []


def test_long_and_broken_words_are_made_to_fit(ada: User) -> None:
    [row] = account_operations.notify(
        actor=RUNNER, people=[ada.pk], notice=notice(title="a\nb" + "x" * 400, body="y" * 900)
    )

    assert len(row.title) == 300
    assert row.title.startswith("a bx")
    assert len(row.body) == 500


@pytest.mark.django_db(transaction=True)
def test_two_at_once_tell_once(ada: User) -> None:
    barrier, failures = threading.Barrier(2), []

    def tell() -> None:
        barrier.wait()
        try:
            account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())
        except Exception as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=tell) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert Notification.objects.count() == 1
    assert Event.objects.filter(kind="notification.created").count() == 1


# --- the list ------------------------------------------------------------------------------------


@pytest.fixture
def three(ada: User, bob: User) -> list[Notification]:
    """Three things ada was told, the newest last, and one that bob was."""
    rows = []
    for number in range(3):
        with time_machine.travel(dt.datetime(2026, 1, 1 + number, tzinfo=dt.UTC), tick=False):
            rows += account_operations.notify(
                actor=RUNNER, people=[ada.pk], notice=notice(f"event:{number}", title=f"N{number}")
            )
    account_operations.notify(actor=RUNNER, people=[bob.pk], notice=notice("event:9"))
    return rows


def test_one_s_own_are_listed_the_newest_first(
    three: list[Notification], client_of: ClientOf, ada: User
) -> None:
    client = client_of(ada)

    first = client.get(f"{NOTICES}?limit=2").json()
    cursor = first["meta"]["nextCursor"]
    rest = client.get(f"{NOTICES}?limit=2&cursor={cursor}").json()

    assert [row["title"] for row in first["data"]] == ["N2", "N1"]
    assert first["meta"] == {"nextCursor": cursor, "hasMore": True, "unreadCount": 3}
    assert [row["title"] for row in rest["data"]] == ["N0"]
    assert rest["meta"] == {"nextCursor": None, "hasMore": False, "unreadCount": 3}
    assert rest["data"][0] == {
        "id": three[0].public_id,
        "event": "agentCompleted",
        "title": "N0",
        "body": "",
        "path": "/inbox",
        "projectId": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "readAt": None,
    }


def test_reading_one_leaves_the_others(
    three: list[Notification], client_of: ClientOf, ada: User
) -> None:
    client = client_of(ada)

    answer = client.post(f"{NOTICES}/{three[1].public_id}/read")
    again = client.post(f"{NOTICES}/{three[1].public_id}/read")

    assert answer.status_code == 200
    assert answer.json()["data"]["readAt"] == again.json()["data"]["readAt"] is not None
    unread = client.get(f"{NOTICES}?unread=true").json()
    assert [row["title"] for row in unread["data"]] == ["N2", "N0"]
    read = Event.objects.filter(kind="notification.read")
    assert [event.data for event in read] == [{"unreadCount": 2}]


def test_all_can_be_read_at_once(
    three: list[Notification], client_of: ClientOf, ada: User, bob: User
) -> None:
    assert client_of(ada).post(f"{NOTICES}/read").status_code == 204

    assert client_of(ada).get(NOTICES).json()["meta"]["unreadCount"] == 0
    assert client_of(bob).get(NOTICES).json()["meta"]["unreadCount"] == 1


def test_others_read_nothing_of_mine(
    three: list[Notification], callers: dict[str, APIClient]
) -> None:
    address = f"{NOTICES}/{three[0].public_id}/read"

    codes = {name: client.post(address).status_code for name, client in callers.items()}

    assert codes == {"nobody": 401, "ada": 200, "bob": 404, "eve": 404, "root": 404}
    assert callers["nobody"].get(NOTICES).status_code == 401


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=x", "unread=perhaps"])
def test_a_wrong_query_is_explained(client_of: ClientOf, ada: User, query: str) -> None:
    answer = client_of(ada).get(f"{NOTICES}?{query}")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_the_bell_counts_and_the_page_lists(
    three: list[Notification], browser_of: BrowserOf, ada: User
) -> None:
    browser = browser_of(ada)

    page = browser.get("/notifications").content.decode()
    bell = browser.get("/notifications/bell").content.decode()
    followed = browser.post(f"/notifications/{three[2].public_id}")

    assert 'aria-label="3 unread notifications"' in page
    assert page.index(">N2<") < page.index(">N1<") < page.index(">N0<")
    assert f'data-newest="{three[2].public_id}"' in bell
    assert followed["Location"] == "/inbox"
    assert 'aria-label="2 unread notifications"' in browser.get("/inbox").content.decode()
    browser.post("/notifications/read")
    assert 'aria-label="Notifications"' in browser.get("/inbox").content.decode()


def test_a_page_with_a_wrong_cursor_is_no_crash(browser_of: BrowserOf, ada: User) -> None:
    assert browser_of(ada).get("/notifications?cursor=%00x").status_code == 400


def test_old_ones_are_forgotten(three: list[Notification], settings: Any) -> None:
    with time_machine.travel(dt.datetime(2026, 4, 2, tzinfo=dt.UTC), tick=False):
        account_tasks.forget_old_notices()

    assert sorted(Notification.objects.values_list("title", flat=True)) == ["Done", "N1", "N2"]


# --- mail ----------------------------------------------------------------------------------------


@pytest.fixture
def post(settings: Any) -> Iterator[Mailbox]:
    """A mail server, and a product that uses it."""
    mailbox = Mailbox()
    with listening(mailbox):
        _uses(settings, mailbox)
        yield mailbox


def _uses(settings: Any, mailbox: Mailbox) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = mailbox.port
    settings.EMAIL_TIMEOUT = 10
    settings.KANBANAI_SENDS_MAIL = True
    settings.KANBANAI_PUBLIC_ORIGIN = "https://kanban.example.org"
    settings.DEFAULT_FROM_EMAIL = "KanbanAI <kanban@example.org>"


def states() -> list[tuple[str, str, int, str]]:
    return list(OutgoingMail.objects.order_by("pk").values_list("to", "state", "tries", "problem"))


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds))


def test_a_mail_says_it_in_text_and_html_with_a_link(
    attempt: Attempt, post: Mailbox, ada: User
) -> None:
    hears(ada, email=True)
    attempt.card.title = "Mend <b>it</b> ü"
    attempt.card.save()
    agent_events.attempt_completed(attempt, actor=RUNNER)
    notices.tell(Event.objects.latest("pk"))

    account_tasks.send_mails()
    account_tasks.send_mails()

    [mail] = post.mails
    assert mail["To"] == "ada@example.org"
    assert mail["From"] == "KanbanAI <kanban@example.org>"
    assert mail["Subject"].strip() == "[KanbanAI] ABC-1 is done: Mend <b>it</b> ü"
    assert mail["Auto-Submitted"] == "auto-generated"
    address = (
        f"https://kanban.example.org/boards/{attempt.board.public_id}"
        f"/cards/{attempt.card.public_id}"
    )
    html = body_of(mail, "html")
    assert body_of(mail).split("\n\n") == [
        "Hello Ada,",
        "ABC-1 is done: Mend <b>it</b> ü",
        "Mended.",
        f"Open the card: {address}\n",
    ]
    assert f'<a href="{address}">Open the card</a>' in html
    assert "Mend &lt;b&gt;it&lt;/b&gt;" in html
    assert states() == [("ada@example.org", "sent", 1, "")]


def test_a_mail_waits_for_a_server_that_is_down(ada: User, settings: Any) -> None:
    mailbox = Mailbox()
    with listening(mailbox):
        _uses(settings, mailbox)
    hears(ada, email=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())

    account_tasks.send_mails()
    assert states() == [("ada@example.org", "waiting", 1, "The mail server cannot be reached.")]
    with listening(mailbox):
        account_tasks.send_mails()
        assert mailbox.mails == []
        with later(31):
            account_tasks.send_mails()

    assert len(mailbox.mails) == 1
    assert states() == [("ada@example.org", "sent", 2, "")]


def test_the_pauses_grow_and_end(ada: User, settings: Any) -> None:
    mailbox = Mailbox()
    with listening(mailbox):
        _uses(settings, mailbox)
    hears(ada, email=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())
    pauses = []
    for _ in range(12):
        mail = OutgoingMail.objects.get()
        with time_machine.travel(mail.due_at, tick=False):
            account_tasks.send_mails()
        pauses.append((OutgoingMail.objects.get().due_at - mail.due_at).total_seconds())

    assert pauses[:4] == [30, 60, 120, 240]
    assert max(pauses) == 4 * 3600
    assert states()[0][1:3] == ("failed", 12)


def test_a_wrong_address_is_given_up_and_a_busy_one_is_not(
    ada: User, bob: User, post: Mailbox
) -> None:
    post.refuses = {"ada@example.org": "550 no such person", "bob@example.org": "450 later"}
    for user in (ada, bob):
        hears(user, email=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk, bob.pk], notice=notice())

    account_tasks.send_mails()
    assert sorted(states()) == [
        ("ada@example.org", "failed", 1, "The address was refused."),
        ("bob@example.org", "waiting", 1, "The address was refused."),
    ]
    post.refuses = {}
    with later(31):
        account_tasks.send_mails()

    assert [mail["To"] for mail in post.mails] == ["bob@example.org"]


def test_a_mail_the_server_does_not_take_is_given_up(ada: User, post: Mailbox) -> None:
    post.answer = "554 spam"
    hears(ada, email=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())

    account_tasks.send_mails()

    assert states() == [("ada@example.org", "failed", 1, "The mail server answered 554.")]


def test_what_a_crash_left_is_sent_when_its_claim_ends(ada: User, post: Mailbox) -> None:
    hears(ada, email=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())
    OutgoingMail.objects.update(
        state="sending", due_at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)
    )

    account_tasks.send_mails()
    assert post.mails == []
    with later(121):
        account_tasks.send_mails()

    assert len(post.mails) == 1


@pytest.mark.django_db(transaction=True)
def test_several_workers_send_each_mail_once(post: Mailbox) -> None:
    users = [factories.User.create(email=f"many{number}@example.org") for number in range(12)]
    for user in users:
        hears(user, email=True)
    people = [user.pk for user in users]
    account_operations.notify(actor=RUNNER, people=people, notice=notice())

    def work() -> None:
        account_tasks.send_mails()
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(str(mail["To"]) for mail in post.mails) == sorted(user.email for user in users)
    assert {state for _to, state, _tries, _problem in states()} == {"sent"}


def test_an_invitation_is_mailed_to_an_address_without_an_account(
    board: Any, project: Project, ada: User, post: Mailbox
) -> None:
    project_operations.add_member(actor=actor_of(ada), project=project, email="new@example.org")
    event = Event.objects.filter(kind="member.invited").get()

    project_tasks.mail_invitation(event_id=event.pk)
    project_tasks.mail_invitation(event_id=event.pk)
    account_tasks.send_mails()

    [mail] = post.mails
    assert mail["To"] == "new@example.org"
    assert body_of(mail).split("\n\n") == [
        "Hello,",
        "Ada invites you to Engine",
        (
            "Ada wants you to work with them. Make an account with this e-mail address "
            "(new@example.org), and the project is yours to see. If you do not know Ada, nothing "
            "is expected of you."
        ),
        "Make an account: https://kanban.example.org/accounts/signup/\n",
    ]
    assert Notification.objects.count() == 0


def test_an_invitation_to_many_projects_at_once_is_one_mail(
    board: Any, project: Project, ada: User, bob: User, post: Mailbox
) -> None:
    others = factories.Project.create_batch(2, owner=ada)
    for one in (project, *others):
        for email in ("new@example.org", "other@example.org"):
            project_operations.add_member(actor=actor_of(ada), project=one, email=email)
    bobs = factories.Project.create(owner=bob)
    project_operations.add_member(actor=actor_of(bob), project=bobs, email="new@example.org")

    for event in Event.objects.filter(kind="member.invited").order_by("-pk"):
        project_tasks.mail_invitation(event_id=event.pk)
    account_tasks.send_mails()

    assert sorted(str(mail["To"]) for mail in post.mails) == [
        "new@example.org",
        "new@example.org",
        "other@example.org",
    ]
    assert sum("Bob invites you" in str(mail["Subject"]) for mail in post.mails) == 1


def test_a_later_invitation_to_another_project_is_mailed_too(
    board: Any, project: Project, ada: User, post: Mailbox
) -> None:
    later = factories.Project.create(owner=ada)
    now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    for one, minutes in ((project, 0), (later, 11)):
        with time_machine.travel(now + dt.timedelta(minutes=minutes), tick=False):
            project_operations.add_member(actor=actor_of(ada), project=one, email="n@example.org")

    for event in Event.objects.filter(kind="member.invited"):
        project_tasks.mail_invitation(event_id=event.pk)

    assert OutgoingMail.objects.count() == 2


def test_mails_go_out_in_parts(
    ada: User, bob: User, eve: User, post: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "MOST_MAILS", 2)
    for person in (ada, bob, eve):
        hears(person, email=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk, bob.pk, eve.pk], notice=notice())

    account_tasks.send_mails()
    assert len(post.mails) == 2
    account_tasks.send_mails()
    assert len(post.mails) == 3


def test_an_invitation_that_was_taken_back_is_not_mailed(
    board: Any, project: Project, ada: User, post: Mailbox
) -> None:
    project_operations.add_member(actor=actor_of(ada), project=project, email="new@example.org")
    project_operations.remove_invitation(
        actor=actor_of(ada), project=project, email="new@example.org"
    )

    event = Event.objects.filter(kind="member.invited").get()
    project_tasks.mail_invitation(event_id=event.pk)

    assert OutgoingMail.objects.count() == 0


def test_without_a_mail_server_nothing_is_mailed(ada: User) -> None:
    hears(ada, email=True)

    account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())

    assert OutgoingMail.objects.count() == 0
    assert Notification.objects.count() == 1


def test_the_mails_hold_no_login(ada: User, post: Mailbox, settings: Any) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "kanban", "hunter2"
    hears(ada, email=True)
    account_operations.notify(actor=RUNNER, people=[ada.pk], notice=notice())

    account_tasks.send_mails()

    [(_to, state, _tries, problem)] = states()
    assert state == "waiting"
    assert "hunter2" not in problem
    assert post.mails == []
