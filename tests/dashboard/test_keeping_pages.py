"""The pages of backups, of exports and of imports, as a browser gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.dashboard.backups import shelf
from apps.projects.models import Project
from tests.dashboard import worlds
from tests.people import BrowserOf


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, settings: Any) -> None:
    settings.KANBANAI_DATA_DIR = tmp_path / "data"
    settings.KANBANAI_DATA_DIR.mkdir()
    settings.MEDIA_ROOT = settings.KANBANAI_DATA_DIR / "files"


@pytest.fixture
def furnished(project: Project, ada: User, bob: User) -> Project:
    return worlds.furnish(project, ada, bob)


@pytest.mark.django_db(transaction=True)
def test_a_super_admin_makes_a_backup_on_its_page(browser_of: BrowserOf, root: User) -> None:
    browser = browser_of(root)

    empty = browser.get("/settings/backups").content.decode()
    made = browser.post("/settings/backups", follow=True)

    assert "No backups yet" in empty
    assert made.redirect_chain == [("/settings/backups", 302)]
    [backup] = shelf.backups()
    assert f'href="/api/v1/backups/{backup.filename}"' in made.content.decode()
    assert browser.get(f"/api/v1/backups/{backup.filename}").status_code == 200


def test_others_see_no_backups(browser_of: BrowserOf, ada: User) -> None:
    browser = browser_of(ada)

    assert browser.get("/settings/backups").status_code == 403
    assert browser.post("/settings/backups").status_code == 403
    assert shelf.backups() == []
    assert "/settings/backups" not in browser.get("/settings/profile").content.decode()


def test_a_backup_under_way_is_said(browser_of: BrowserOf, root: User, db: None) -> None:
    with shelf.alone():
        page = browser_of(root).get("/settings/backups").content.decode()
        refused = browser_of(root).post("/settings/backups", follow=True).content.decode()

    assert "A backup is being made." in page
    assert "A backup is being made already." in refused


def test_the_settings_of_a_project_offer_its_export(
    furnished: Project, browser_of: BrowserOf, bob: User
) -> None:
    browser = browser_of(bob)
    address = f"/projects/{furnished.public_id}/settings"

    page = browser.get(f"{address}?section=export").content.decode()

    export = f"/api/v1/projects/{furnished.public_id}/export"
    assert f'href="{export}?attachments=content"' in page
    assert browser.get(export).status_code == 200
    assert browser.post(address, {"section": "export"}).status_code < 500


def test_a_document_is_imported_on_its_page(
    furnished: Project, browser_of: BrowserOf, eve: User
) -> None:
    document = json.dumps(worlds.document_of(furnished)).encode()
    browser = browser_of(eve)

    shown = browser.get("/projects/import").content.decode()
    answer = browser.post("/projects/import", {"file": SimpleUploadedFile("x.json", document)})

    assert 'type="file"' in shown
    mine = Project.objects.get(owner=eve)
    board = mine.boards.get(name="Main Board")
    assert answer["Location"] == f"/boards/{board.public_id}"
    assert browser.get(answer["Location"]).status_code == 200


def test_a_document_that_is_too_large_is_said_to_be(
    browser_of: BrowserOf, eve: User, settings: Any
) -> None:
    settings.KANBANAI_MAX_IMPORT_BYTES = 1024 * 1024
    large = SimpleUploadedFile("x.json", b" " * (1024 * 1024 + 1))

    answer = browser_of(eve).post("/projects/import", {"file": large})

    assert answer.status_code == 422
    assert "A document may have at most 1 MB." in answer.content.decode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not valid JSON"),
        (b"{}", "documents of version 1"),
        (b'{"version":1,"kind":"kanbanai.project"}', "project: This must be an object."),
    ],
)
def test_a_bad_document_is_explained(
    browser_of: BrowserOf, eve: User, content: bytes, said: str
) -> None:
    answer = browser_of(eve).post(
        "/projects/import", {"file": SimpleUploadedFile("x.json", content)}
    )

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Project.objects.count() == 0


def test_a_form_without_a_document_is_shown_again(browser_of: BrowserOf, eve: User) -> None:
    assert browser_of(eve).post("/projects/import", {}).status_code == 422
