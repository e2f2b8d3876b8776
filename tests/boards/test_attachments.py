"""Files of cards: taken in, shown safely, and gone from the disk when they are gone."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.agents import operations as agent_operations
from apps.boards import files, operations, outputs, tasks
from apps.boards.models import Attachment, Board, Card, Column
from apps.core.models import Event
from tests import factories
from tests.people import BrowserOf, ClientOf, actor_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest.fixture
def media(tmp_path: Path, settings: LazySettings) -> Path:
    """Where attachments lie."""
    settings.MEDIA_ROOT = tmp_path / "files"
    return tmp_path / "files"


@pytest.fixture
def card(columns: dict[str, Column], media: Path) -> Card:
    return factories.Card.create(column=columns["backlog"])


def address_of(card: Card) -> str:
    return f"/api/v1/projects/{card.project.public_id}/cards/{card.public_id}/attachments"


def upload(
    client: Client,
    card: Card,
    name: str = "notes.txt",
    data: bytes = b"Hello",
    content_type: str = "text/plain",
) -> dict[str, object]:
    file = SimpleUploadedFile(name, data, content_type)
    answer = client.post(address_of(card), {"file": file}, format="multipart")
    assert answer.status_code == 201, answer.content
    found: dict[str, object] = answer.json()["data"]
    return found


def on_disk(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


def test_a_file_is_taken_in_and_given_back(
    client_of: ClientOf, bob: User, card: Card, media: Path
) -> None:
    shown = upload(client_of(bob), card, "notes.txt", b"Gr\xc3\xbc\xc3\x9fe")

    assert {key: shown[key] for key in ("filename", "contentType", "size")} == {
        "filename": "notes.txt",
        "contentType": "text/plain",
        "size": 7,
    }
    assert client_of(bob).get(address_of(card)).json()["data"] == [shown]
    (stored,) = on_disk(media)
    assert re.fullmatch(r"[0-9a-f]{32}", stored.name)
    assert stored.stat().st_mode & 0o777 == 0o600
    answer = client_of(bob).get(f"/api/v1/attachments/{shown['id']}")
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == b"Gr\xc3\xbc\xc3\x9fe"  # type: ignore[attr-defined]
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == 'inline; filename="notes.txt"'
    assert answer["Content-Length"] == "7"
    event = Event.objects.get(kind="attachment.created")
    assert event.topic == outputs.board_topic(card.board_id)
    assert event.data["cardId"] == card.public_id
    assert event.data["attachment"] == shown


@pytest.mark.parametrize(
    ("name", "data", "said", "kept", "is_inline"),
    [
        ("a.png", PNG, "image/png", "image/png", True),
        ("a.txt", PNG, "text/plain", "image/png", True),
        ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg", "image/jpeg", True),
        ("a.gif", b"GIF89a", "", "image/gif", True),
        ("a.webp", b"RIFF\0\0\0\0WEBP", "", "image/webp", True),
        ("a.txt", b"plain", "", "text/plain", True),
        ("no-name-to-go-by", b"plain", "", "text/plain", True),
        ("empty", b"", "", "text/plain", True),
        ("cut.txt", b"x" * 8191 + "€".encode() * 10, "text/plain", "text/plain", True),
        ("a.png", HTML, "image/png", "text/plain", True),
        ("a.html", HTML, "text/html", "text/html", False),
        ("a.svg", SVG, "image/svg+xml", "image/svg+xml", False),
        ("a.md", b"# Hi", "", "text/markdown", False),
        ("a.pdf", b"%PDF-1.7", "text/plain", "application/pdf", False),
        ("a.txt", b"\0\1\2", "text/plain", "application/octet-stream", False),
        ("a.html", b"\0\1\2", "text/html", "application/octet-stream", False),
        ("a.png", b"\0\1\2", "image/png", "application/octet-stream", False),
        ("a.zip", b"PK\3\4\0", "application/zip", "application/zip", False),
        ("a.bin", b"\0", "x/y\r\nSet-Cookie: a=b", "application/octet-stream", False),
    ],
)
def test_only_what_is_safe_is_shown_in_place(
    client_of: ClientOf,
    bob: User,
    card: Card,
    name: str,
    data: bytes,
    said: str,
    kept: str,
    *,
    is_inline: bool,
) -> None:
    said = said.replace("\r\n", " ")
    shown = upload(client_of(bob), card, name, data, said or "application/octet-stream")

    answer = client_of(bob).get(f"/api/v1/attachments/{shown['id']}")
    assert shown["contentType"] == kept
    assert answer["Content-Type"].partition(";")[0] == kept
    assert answer["Content-Disposition"].startswith("inline" if is_inline else "attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert b"".join(answer.streaming_content) == data  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("schön €.txt", "schön €.txt"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
        ('quote".txt', 'quote".txt'),
    ],
)
def test_a_name_is_only_a_name(
    client_of: ClientOf, bob: User, card: Card, media: Path, name: str, kept: str
) -> None:
    boundary = "b0undary"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{escaped}"\r\n'
        f"Content-Type: text/plain\r\n\r\nx\r\n--{boundary}--\r\n"
    ).encode()
    answer = client_of(bob).generic(
        "POST",
        address_of(card),
        body,  # type: ignore[arg-type] # bytes are what it sends
        f"multipart/form-data; boundary={boundary}",
    )

    assert answer.status_code == 201, answer.content
    assert answer.json()["data"]["filename"] == kept
    (stored,) = on_disk(media)
    assert stored.parent.parent.parent == media
    shown = client_of(bob).get(f"/api/v1/attachments/{answer.json()['data']['id']}")
    assert shown.status_code == 200
    assert "\n" not in shown["Content-Disposition"]


def test_too_much_is_refused(
    client_of: ClientOf, bob: User, card: Card, media: Path, settings: LazySettings
) -> None:
    settings.KANBANAI_MAX_ATTACHMENT_BYTES = 1024 * 1024
    for size in (1024 * 1024 + 1, 3 * 1024 * 1024):
        file = SimpleUploadedFile("big", b"x" * size)
        answer = client_of(bob).post(address_of(card), {"file": file}, format="multipart")
        assert answer.status_code == 413
        assert answer.json()["code"] == "PAYLOAD_TOO_LARGE"
    assert on_disk(media) == []
    assert not Attachment.objects.exists()

    upload(client_of(bob), card, "just.bin", b"x" * 1024 * 1024)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
        (b"nonsense", "multipart/form-data", 400),
        (b"--x\r\n" * 10_000, "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            400,
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\na\r\n--x--',
            "multipart/form-data; boundary=x",
            400,
        ),
        (
            b"".join(
                b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="a"\r\n\r\na\r\n' % n
                for n in range(200)
            )
            + b"--x--\r\n",
            "multipart/form-data; boundary=x",
            400,
        ),
    ],
)
def test_broken_uploads_are_refused(
    client_of: ClientOf,
    bob: User,
    card: Card,
    media: Path,
    body: bytes,
    content_type: str,
    expected: int,
) -> None:
    answer = client_of(bob).generic(
        "POST",
        address_of(card),
        body,  # type: ignore[arg-type] # bytes are what it sends
        content_type,
    )

    assert answer.status_code == expected, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert on_disk(media) == []


@pytest.mark.parametrize(
    ("who", "listed", "made", "read", "gone"),
    [
        ("nobody", 401, 401, 401, 401),
        ("eve", 404, 404, 404, 404),
        ("bob", 200, 201, 200, 204),
        ("ada", 200, 201, 200, 204),
        ("root", 200, 201, 200, 204),
    ],
)
def test_files_belong_to_the_people_of_the_project(
    callers: dict[str, APIClient],
    bob: User,
    card: Card,
    client_of: ClientOf,
    who: str,
    listed: int,
    made: int,
    read: int,
    gone: int,
) -> None:
    shown = upload(client_of(bob), card)
    client, one = callers[who], f"/api/v1/attachments/{shown['id']}"
    count = Attachment.objects.count()

    file = SimpleUploadedFile("second.txt", b"x")
    posted = client.post(address_of(card), {"file": file}, format="multipart")
    assert posted.status_code == made
    assert Attachment.objects.count() == count + (made == 201)
    assert client.get(address_of(card)).status_code == listed
    assert client.get(one).status_code == read
    assert client.delete(one).status_code == gone
    assert Attachment.objects.filter(filename="notes.txt").exists() == (gone != 204)


def test_a_card_of_another_project_has_no_files_here(
    client_of: ClientOf, ada: User, card: Card
) -> None:
    other = factories.Project.create(owner=ada)

    answer = client_of(ada).get(address_of(card).replace(card.project.public_id, other.public_id))

    assert answer.status_code == 404


def test_a_browser_reads_with_its_cookie_and_writes_with_its_token(bob: User, card: Card) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(bob)
    refused = browser.post(address_of(card), {"file": SimpleUploadedFile("a.txt", b"a")})
    assert refused.status_code == 403
    token = browser.get("/projects").cookies[django_settings.CSRF_COOKIE_NAME].value

    taken = browser.post(
        address_of(card),
        {"file": SimpleUploadedFile("a.txt", b"a")},
        headers={"x-csrftoken": token},
    )
    assert taken.status_code == 201, taken.content
    assert browser.get(f"/api/v1/attachments/{taken.json()['data']['id']}").status_code == 200


def test_a_deleted_file_leaves_the_disk_after_the_commit(
    client_of: ClientOf,
    bob: User,
    card: Card,
    media: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    shown = upload(client_of(bob), card)

    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(bob).delete(f"/api/v1/attachments/{shown['id']}")
        assert len(on_disk(media)) == 1
    assert answer.status_code == 204
    assert on_disk(media) == []
    assert Event.objects.get(kind="attachment.deleted").data["attachment"] == shown
    assert client_of(bob).get(f"/api/v1/attachments/{shown['id']}").status_code == 404


def test_files_go_with_their_card(
    client_of: ClientOf,
    bob: User,
    card: Card,
    media: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    upload(client_of(bob), card)
    upload(client_of(bob), card, "second.txt")

    with django_capture_on_commit_callbacks(execute=True):
        operations.delete_card(actor=actor_of(bob), card=card)
    assert on_disk(media) == []


def test_files_go_with_their_board(
    client_of: ClientOf,
    ada: User,
    card: Card,
    board: Board,
    media: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    upload(client_of(ada), card)
    factories.BoardWithColumns.create(project=board.project)

    with django_capture_on_commit_callbacks(execute=True):
        operations.delete_board(actor=actor_of(ada), board=board)
    assert on_disk(media) == []


def test_files_go_with_their_project(
    client_of: ClientOf,
    ada: User,
    card: Card,
    media: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    upload(client_of(ada), card)

    with django_capture_on_commit_callbacks(execute=True):
        agent_operations.delete_project(actor=actor_of(ada), project=card.project)
    assert on_disk(media) == []
    assert not Attachment.objects.exists()


def test_a_card_shows_its_files(client_of: ClientOf, bob: User, card: Card) -> None:
    shown = upload(client_of(bob), card)

    detail = client_of(bob).get(f"/api/v1/projects/{card.project.public_id}/cards/{card.public_id}")

    assert detail.json()["data"]["attachments"] == [shown]


def test_a_file_that_is_gone_from_the_disk_is_not_found(
    client_of: ClientOf, bob: User, card: Card, media: Path
) -> None:
    shown = upload(client_of(bob), card)
    on_disk(media)[0].unlink()

    assert client_of(bob).get(f"/api/v1/attachments/{shown['id']}").status_code == 404


def test_a_card_has_fifty_files(client_of: ClientOf, bob: User, card: Card, media: Path) -> None:
    Attachment.objects.bulk_create(
        Attachment(card=card, filename="a", content_type="a/b", size=1, path=f"p{number}")
        for number in range(50)
    )
    file = SimpleUploadedFile("one-more", b"x")

    answer = client_of(bob).post(address_of(card), {"file": file}, format="multipart")

    assert answer.status_code == 409
    assert on_disk(media) == []


def test_lost_files_are_swept(client_of: ClientOf, bob: User, card: Card, media: Path) -> None:
    upload(client_of(bob), card)
    (kept,) = on_disk(media)
    old, young = kept.with_name("old"), kept.with_name("young")
    for path in (old, young):
        path.touch()
    hours_ago = time.time() - 7200
    for path in (old, kept):
        os.utime(path, (hours_ago, hours_ago))

    assert tasks.remove_lost_files() == 1
    assert not old.exists()
    assert young.exists()
    assert files.place_of(Attachment.objects.get().path) == kept
    assert kept.exists()


@pytest.mark.parametrize("count", [1, 40])
def test_the_list_costs_three_statements(
    client_of: ClientOf,
    bob: User,
    card: Card,
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    Attachment.objects.bulk_create(
        Attachment(card=card, filename="a", content_type="a/b", size=1, path=f"p{number}")
        for number in range(count)
    )
    client = client_of(bob)

    with django_assert_num_queries(3):
        assert len(client.get(address_of(card)).json()["data"]) == count


def test_the_brief_lists_the_files(
    client_of: ClientOf, bob: User, card: Card, browser_of: BrowserOf
) -> None:
    shown = upload(client_of(bob), card, '<b>"x.txt')

    page = browser_of(bob).get(
        f"/boards/{card.board.public_id}/cards/{card.public_id}/drawer?tab=brief"
    )

    assert page.status_code == 200
    text = page.content.decode()
    assert f'href="/api/v1/attachments/{shown["id"]}"' in text
    assert f'data-attachments="{address_of(card)}"' in text
    assert 'data-name="&lt;b&gt;&quot;x.txt"' in text
    assert "Remove &lt;b&gt;&quot;x.txt" in text
    assert "<b>" not in text
