"""`Idempotency-Key`: the same POST again has no second effect and gets the first answer again."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from functools import partial
from typing import Any, cast

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.boards import operations as board_operations
from apps.boards.models import Attachment, Column
from apps.core import renewals, replays, tasks
from apps.core.models import KeptAnswer
from apps.orgs import operations as org_operations
from apps.orgs.models import Organization
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf, actor_of
from tests.threads import LIMIT_SECONDS, at_once

URL = "/api/v1/organizations"
PASSWORD = "a long enough pass phrase"


def post(client: APIClient, name: str = "Mills", *, key: str = "k-1", path: str = URL) -> Any:
    return client.post(path, {"name": name}, HTTP_IDEMPOTENCY_KEY=key)


def test_the_first_answer_comes_again(client_of: ClientOf, ada: User) -> None:
    first = post(client_of(ada))
    second = post(client_of(ada))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    for name in ("ETag", "Content-Type"):
        assert first.headers[name] == second.headers[name]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert Organization.objects.count() == 1


def test_both_prefixes_are_one_address(client_of: ClientOf, ada: User) -> None:
    post(client_of(ada))

    again = post(client_of(ada), path="/api/organizations")

    assert again.headers["Idempotent-Replayed"] == "true"


def test_an_answer_without_a_body_comes_again(
    client_of: ClientOf, ada: User, project: Project
) -> None:
    path = f"/api/v1/projects/{project.public_id}/mark-all-read"
    answers = [client_of(ada).post(path, HTTP_IDEMPOTENCY_KEY="k-1") for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    assert answers[1].headers["Idempotent-Replayed"] == "true"


def test_another_request_with_the_key_is_a_conflict(
    client_of: ClientOf, ada: User, organization: Organization
) -> None:
    client = client_of(ada)
    post(client)

    others = [
        post(client, "Looms"),
        post(client, path=f"{URL}?a=b"),
        client.post("/api/v1/user/tokens", {"name": "Mills"}, HTTP_IDEMPOTENCY_KEY="k-1"),
        client.post(
            URL,
            {"name": "Mills"},
            HTTP_IDEMPOTENCY_KEY="k-1",
            HTTP_X_ORGANIZATION_ID=organization.public_id,
        ),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in others] == [
        (409, "CONFLICT")
    ] * 4
    assert not any("Retry-After" in answer.headers for answer in others)
    assert Organization.objects.count() == 2


def test_keys_are_each_persons_own(client_of: ClientOf, ada: User, eve: User) -> None:
    first, second = post(client_of(ada)), post(client_of(eve))

    assert (second.status_code, "Idempotent-Replayed" in second.headers) == (201, False)
    assert first.json()["data"]["id"] != second.json()["data"]["id"]


def test_what_a_session_was_shown_is_not_shown_to_a_token(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)
    body = {"name": "ci", "scope": "write"}
    made = client.post("/api/v1/user/tokens", body, HTTP_IDEMPOTENCY_KEY="k-1")
    script = APIClient()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {made.json()['data']['secret']}")

    again = script.post("/api/v1/user/tokens", body, format="json", HTTP_IDEMPOTENCY_KEY="k-1")

    assert made.status_code == 201
    assert again.status_code == 403


def test_who_may_no_longer_call_gets_nothing_again(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)
    post(client)
    User.objects.filter(pk=ada.pk).update(is_active=False)

    assert post(client).status_code == 401


def test_visitors_share_no_keys(nobody: APIClient, root: User, db: None) -> None:
    def register(email: str) -> Any:
        body = {"email": email, "password": PASSWORD}
        return nobody.post("/api/v1/auth/register", body, HTTP_IDEMPOTENCY_KEY="k-1")

    first, other = register("a@example.org"), register("b@example.org")
    again = register("a@example.org")

    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["data"]["user"]["id"] != other.json()["data"]["user"]["id"]
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "a\x7f", "x" * 256])
def test_a_key_must_be_plain_and_short(client_of: ClientOf, ada: User, key: str) -> None:
    answer = post(client_of(ada), key=key)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert not Organization.objects.exists()


@pytest.mark.parametrize("key", ["x", "x" * 255, '"8e03978e-40d5"', "~!@#$%^&*()"])
def test_any_plain_key_is_taken(client_of: ClientOf, ada: User, key: str) -> None:
    assert [post(client_of(ada), key=key).status_code for _ in range(2)] == [201, 201]
    assert Organization.objects.count() == 1


def test_a_key_means_nothing_on_other_methods(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)
    path = f"{URL}/{post(client).json()['data']['id']}"

    answers = [client.patch(path, {"name": n}, HTTP_IDEMPOTENCY_KEY="k-1") for n in ("A", "B")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert client.get(path, HTTP_IDEMPOTENCY_KEY="").json()["data"]["name"] == "B"


def test_a_refused_request_may_be_mended_under_its_key(client_of: ClientOf, ada: User) -> None:
    client = client_of(ada)
    refused = [post(client, ""), post(client, "")]
    mended = post(client, "Mills")

    assert [answer.status_code for answer in refused] == [400, 400]
    assert not any("Idempotent-Replayed" in answer.headers for answer in refused)
    assert mended.status_code == 201


def test_a_crash_leaves_the_key_free(
    client_of: ClientOf, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(**_named: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(org_operations, "create_organization", crash)
        assert post(client_of(ada)).status_code == 500
    assert not KeptAnswer.objects.exists()

    assert post(client_of(ada)).status_code == 201


def test_secrets_are_kept_encrypted(client_of: ClientOf, root: User) -> None:
    body = {"email": "new@example.org", "name": "New", "role": "user"}
    answers = [
        client_of(root).post("/api/v1/admin/users", body, HTTP_IDEMPOTENCY_KEY="k-1")
        for _ in range(2)
    ]

    password = answers[0].json()["data"]["generatedPassword"]
    assert answers[1].json()["data"]["generatedPassword"] == password
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM core_keptanswer")
        (row,) = cursor.fetchall()
    assert password not in str(row)
    assert "k-1" not in row
    assert password in KeptAnswer.objects.get().body


def test_a_file_sent_again_is_attached_once(
    client_of: ClientOf, ada: User, project: Project, columns: dict[str, Column]
) -> None:
    card = board_operations.create_card(actor=actor_of(ada), column=columns["done"], title="A")
    path = f"/api/v1/projects/{project.public_id}/cards/{card.public_id}/attachments"

    def send(content: bytes, name: str = "a.txt") -> Any:
        file = SimpleUploadedFile(name, content, content_type="text/plain")
        return client_of(ada).post(
            path, {"file": file}, format="multipart", HTTP_IDEMPOTENCY_KEY="k-1"
        )

    # Large enough to be spooled to disk.
    large = b"gears " * 600_000
    first, again = send(large), send(large)
    others = [send(large[:-1] + b"!"), send(large, "b.txt")]

    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [answer.status_code for answer in others] == [409, 409]
    stored = Attachment.objects.get()
    assert stored.size == len(large)
    shown = client_of(ada).get(f"/api/v1/attachments/{stored.public_id}")
    assert b"".join(cast("Any", shown).streaming_content) == large


def test_an_answer_is_forgotten_after_a_day(client_of: ClientOf, ada: User) -> None:
    first = post(client_of(ada))
    day = timedelta(hours=24)
    KeptAnswer.objects.update(claimed_at=timezone.now() - day + timedelta(minutes=1))
    assert post(client_of(ada)).content == first.content
    assert tasks.prune_answers() == 0

    KeptAnswer.objects.update(claimed_at=timezone.now() - day - timedelta(seconds=1))
    assert post(client_of(ada)).json()["data"]["id"] != first.json()["data"]["id"]

    KeptAnswer.objects.update(claimed_at=timezone.now() - day - timedelta(seconds=1))
    assert tasks.prune_answers() == 1
    assert not KeptAnswer.objects.exists()


def leave_at_work(client: APIClient) -> None:
    """What a process leaves behind that was killed in the middle of its work."""
    post(client)
    KeptAnswer.objects.update(status=None, body="", headers={})


def test_who_waits_too_long_is_told_to_come_back(
    client_of: ClientOf, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "PATIENCE_SECONDS", 0.1)
    leave_at_work(client_of(ada))

    answer = post(client_of(ada))

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert answer.headers["Retry-After"] == "5"
    assert Organization.objects.count() == 1


def test_a_killed_process_does_not_hold_its_key_for_ever(client_of: ClientOf, ada: User) -> None:
    leave_at_work(client_of(ada))
    KeptAnswer.objects.update(claimed_at=timezone.now() - renewals.LEASE - timedelta(seconds=1))

    answers = [post(client_of(ada)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"]


def test_a_late_answer_does_not_replace_the_one_that_took_over(db: None) -> None:
    now = timezone.now()
    KeptAnswer.objects.create(key="a", fingerprint="f", claim="new", claimed_at=now)

    replays.settle(replays.Claim(key="a", claim="old"), HttpResponse("late", status=201))
    replays.free(replays.Claim(key="a", claim="old"))

    assert KeptAnswer.objects.get().status is None


@pytest.mark.django_db(transaction=True)
def test_of_the_same_requests_at_once_one_is_done_and_all_are_answered(
    client_of: ClientOf, ada: User
) -> None:
    works = [partial(post, client_of(ada)) for _ in range(6)]
    answers = at_once(*works)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer for answer in answers if "Idempotent-Replayed" in answer.headers]
    assert len(replayed) == 5
    assert Organization.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_second_waits_for_the_first_and_does_its_work_where_that_failed(
    client_of: ClientOf, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = org_operations.create_organization
    begun, asked = threading.Event(), threading.Event()
    take = replays._take

    def taking(mine: replays.Claim, fingerprint: str) -> bool:
        taken = take(mine, fingerprint)
        if not taken:
            asked.set()
        return taken

    def failing_once(**named: Any) -> Organization:
        if not begun.is_set():
            begun.set()
            assert asked.wait(LIMIT_SECONDS)
            raise RuntimeError
        return create(**named)

    monkeypatch.setattr(replays, "_take", taking)
    monkeypatch.setattr(org_operations, "create_organization", failing_once)

    def second() -> int:
        assert begun.wait(LIMIT_SECONDS)
        return int(post(client_of(ada)).status_code)

    def first() -> int:
        return int(post(client_of(ada)).status_code)

    assert at_once(first, second) == [500, 201]
    assert Organization.objects.count() == 1


def test_a_body_that_is_no_json_is_refused_before_and_after(client_of: ClientOf, ada: User) -> None:
    for _ in range(2):
        answer = client_of(ada).post(
            URL, b"\xff{", content_type="application/json", HTTP_IDEMPOTENCY_KEY="k-1"
        )
        assert answer.status_code == 400
    assert not KeptAnswer.objects.exists()


def test_everything_that_is_kept_can_be_encrypted_anew(client_of: ClientOf, ada: User) -> None:
    first = post(client_of(ada))
    factories.Organization.create(name="Other", admin=ada)

    kept = KeptAnswer.objects.get()

    assert json.loads(kept.body) == first.json()
    assert kept.status == 201
