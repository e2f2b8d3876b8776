"""Backups of the whole server: made while it works, listed, downloaded, and put back."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from rest_framework.test import APIClient

from apps.accounts.models import Notification, OidcConfiguration, User
from apps.boards import files
from apps.boards.models import Attachment, Board, Card
from apps.core import problems
from apps.core.actors import Actor
from apps.dashboard import operations
from apps.dashboard.backups import databases, making, restoring, shelf
from apps.projects.models import Project
from tests import factories
from tests.dashboard import worlds
from tests.people import ClientOf

pytestmark = pytest.mark.django_db(transaction=True)
BACKUPS = "/api/v1/backups"
SYSTEM = Actor.system("backup")
NAME = re.compile(r"backup-\d{8}-\d{6}\.zip")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, settings: Any) -> Path:
    settings.KANBANAI_DATA_DIR = tmp_path / "data"
    settings.KANBANAI_DATA_DIR.mkdir()
    settings.MEDIA_ROOT = settings.KANBANAI_DATA_DIR / "files"
    return tmp_path / "data"


@pytest.fixture
def furnished(project: Project, ada: User, bob: User) -> Project:
    return worlds.furnish(project, ada, bob)


def make() -> Path:
    return shelf.folder() / operations.make_backup(actor=SYSTEM).filename


def empty_the_server() -> None:
    """As a new one would be."""
    call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
    shutil.rmtree(live_settings.MEDIA_ROOT, ignore_errors=True)


def manifest_of(place: Path) -> dict[str, Any]:
    with zipfile.ZipFile(place) as archive:
        found: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return found


def test_a_backup_holds_the_database_the_files_and_their_sums(furnished: Project) -> None:
    place = make()

    assert NAME.fullmatch(place.name)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    manifest = manifest_of(place)
    assert manifest["database"]["engine"] == connection.vendor
    assert "0001_initial" in manifest["database"]["migrations"]["boards"]
    assert manifest["attachments"] == 1
    assert manifest["repositories"] == [furnished.path]
    with zipfile.ZipFile(place) as archive:
        sums = {
            info.filename: hashlib.sha256(archive.read(info)).hexdigest()
            for info in archive.infolist()
            if info.filename != "manifest.json"
        }
    assert sums == {member["name"]: member["sha256"] for member in manifest["members"]}
    assert [name for name in sums if name.startswith("files/")] == [
        f"files/{Attachment.objects.get().path}"
    ]
    assert sorted(entry.name for entry in shelf.folder().iterdir()) == [".lock", place.name]


def test_no_key_is_in_a_backup(furnished: Project, own_folders: Path) -> None:
    (own_folders / "encryption-keys").write_text("the-encryption-key")
    (own_folders / "secret-key").write_text("the-secret-key")

    place = make()

    with zipfile.ZipFile(place) as archive:
        for info in archive.infolist():
            content = archive.read(info)
            assert b"the-encryption-key" not in content
            assert b"the-secret-key" not in content
            assert "key" not in info.filename


def test_what_was_backed_up_comes_back(furnished: Project, root: User) -> None:
    OidcConfiguration.objects.create(
        issuer_url="https://id.example.org", client_id="a", client_secret="a secret of the server"
    )
    before = worlds.document_of(furnished)
    people = sorted(User.objects.values_list("pk", "email", "password"))
    plan_file = make()
    Card.objects.all().delete()
    empty_the_server()

    restoring.require_empty()
    report = restoring.restore(restoring.look(plan_file))

    assert report.attachments == 1
    # The provider's, and what the profile of the furnished project holds.
    assert (report.secrets, report.unreadable_secrets) == (2, 0)
    assert report.missing_repositories == [furnished.path]
    assert sorted(User.objects.values_list("pk", "email", "password")) == people
    after = worlds.document_of(Project.objects.get())
    assert {**after, "exportedAt": ""} == {**before, "exportedAt": ""}
    assert OidcConfiguration.objects.get().client_secret == "a secret of the server"
    file = Path(live_settings.MEDIA_ROOT) / Attachment.objects.get().path
    assert file.read_bytes() == b"What was said.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Counters go on where they were.
    card = factories.Card.create(column=Board.objects.get(name="Main Board").columns.first())
    card.assignees.add(card.project.owner)
    assert card.key == "ABC-5"


def test_a_server_without_the_keys_is_told_so(furnished: Project, settings: Any) -> None:
    OidcConfiguration.objects.create(
        issuer_url="https://id.example.org", client_id="a", client_secret="a secret of the server"
    )
    place = make()
    empty_the_server()
    settings.KANBANAI_ENCRYPTION_KEYS = ("YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE=",)

    report = restoring.restore(restoring.look(place))

    assert (report.secrets, report.unreadable_secrets) == (2, 2)


def test_a_backup_is_of_one_moment_while_everything_goes_on(furnished: Project) -> None:
    column = furnished.boards.get(name="Main Board").columns.get(key="backlog")
    before = Card.objects.count()
    enough, failures = threading.Event(), []
    written = threading.Semaphore(0)

    def write(number: int) -> None:
        try:
            while not enough.is_set():
                with transaction.atomic():
                    project = Project.objects.select_for_update().get(pk=furnished.pk)
                    card = factories.Card.create(
                        column=column, project=project, rank=f"b{number}{os.urandom(8).hex()}"
                    )
                    worlds._attach(card, project.owner, "a.txt", os.urandom(2000))
                written.release()
        except Exception as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for writer in writers:
        writer.start()
    assert written.acquire(timeout=60)
    places = [make(), make()]
    enough.set()
    for writer in writers:
        writer.join()
    assert failures == []
    assert Card.objects.count() > before

    for place in places:
        empty_the_server()
        restoring.restore(restoring.look(place))
        project = Project.objects.get()
        numbers = sorted(project.cards.values_list("number", flat=True))
        assert numbers == list(range(1, project.next_ticket_number))
        assert Attachment.objects.count() == len(numbers) - 3
        for attachment in Attachment.objects.all():
            file = Path(live_settings.MEDIA_ROOT) / attachment.path
            assert file.stat().st_size == attachment.size


def test_only_the_last_ones_are_kept(furnished: Project, settings: Any) -> None:
    settings.KANBANAI_BACKUPS_KEPT = 2
    old = [f"backup-20240101-00000{number}.zip" for number in range(3)]
    for name in old:
        (shelf.folder() / name).write_bytes(b"old")
    (shelf.folder() / "mine.zip").write_bytes(b"not a backup")

    newest = make().name

    assert [one.filename for one in shelf.backups()] == [newest, old[2]]
    assert (shelf.folder() / "mine.zip").exists()


def test_two_at_once_are_one_and_a_conflict(furnished: Project) -> None:
    with shelf.alone(), pytest.raises(problems.Conflict):
        operations.make_backup(actor=SYSTEM)

    assert shelf.backups() == []
    make()
    make()
    assert len(shelf.backups()) == 2


def test_files_that_come_and_go_meanwhile_are_no_trouble(furnished: Project) -> None:
    root = Path(str(live_settings.MEDIA_ROOT)) / files.FOLDER
    enough = threading.Event()

    def come_and_go(name: str) -> None:
        while not enough.is_set():
            (root / name).mkdir()
            for number in range(5):
                (root / name / str(number)).write_bytes(b"x")
            shutil.rmtree(root / name)

    others = [threading.Thread(target=come_and_go, args=(name,)) for name in ("one", "two")]
    for other in others:
        other.start()
    try:
        for _ in range(200):
            making._require_room()
    finally:
        enough.set()
        for other in others:
            other.join()


def test_a_full_disk_leaves_nothing(furnished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_named: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(databases, "sync_to_disk", full)

    with pytest.raises(problems.Unavailable, match="disk is full"):
        operations.make_backup(actor=SYSTEM)

    assert [entry.name for entry in shelf.folder().iterdir()] == [".lock"]


def test_too_little_room_is_said_before_anything_is_written(
    furnished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: usage)

    with pytest.raises(problems.Unavailable, match="0 MB are free"):
        operations.make_backup(actor=SYSTEM)


def test_a_backup_of_an_older_version_is_brought_up_to_date(furnished: Project) -> None:
    now = databases.state()
    call_command("migrate", "accounts", "0002", verbosity=0)
    try:
        place = make()
    finally:
        call_command("migrate", verbosity=0)
    empty_the_server()

    plan = restoring.look(place)
    restoring.restore(plan)

    assert plan.migrations["accounts"][-1].startswith("0002")
    assert databases.state() == now
    assert Card.objects.count() == 4
    assert Notification.objects.count() == 0


# --- over REST -----------------------------------------------------------------------------------


def test_super_admins_alone_see_and_make_backups(
    furnished: Project, callers: dict[str, APIClient]
) -> None:
    name = make().name
    addresses = [("get", BACKUPS), ("get", f"{BACKUPS}/{name}"), ("post", BACKUPS)]

    codes = {
        caller: [getattr(client, method)(address).status_code for method, address in addresses]
        for caller, client in callers.items()
    }

    assert codes == {
        "nobody": [401, 401, 401],
        "ada": [403, 403, 403],
        "bob": [403, 403, 403],
        "eve": [403, 403, 403],
        "root": [200, 200, 201],
    }
    assert len(shelf.backups()) == 2


def test_backups_are_listed_and_downloaded(
    furnished: Project, client_of: ClientOf, root: User
) -> None:
    client = client_of(root)

    made = client.post(BACKUPS).json()["data"]
    listed = client.get(BACKUPS).json()
    response: Any = client.get(f"{BACKUPS}/{made['filename']}")

    assert listed == {"data": [made], "meta": {"busy": False}}
    assert response["Content-Disposition"] == f'attachment; filename="{made["filename"]}"'
    assert response["Content-Type"] == "application/zip"
    content = b"".join(response.streaming_content)
    assert len(content) == made["size"]
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


def test_a_download_can_be_taken_up_again(
    furnished: Project, client_of: ClientOf, root: User
) -> None:
    place = make()
    whole, client = place.read_bytes(), client_of(root)

    def part(asked: str) -> tuple[int, bytes, str]:
        response: Any = client.get(f"{BACKUPS}/{place.name}", headers={"Range": asked})
        body = b"".join(response.streaming_content) if response.streaming else b""
        return response.status_code, body, response.headers.get("Content-Range", "")

    size = len(whole)
    assert part("bytes=0-9") == (206, whole[:10], f"bytes 0-9/{size}")
    assert part("bytes=100-") == (206, whole[100:], f"bytes 100-{size - 1}/{size}")
    assert part("bytes=-7") == (206, whole[-7:], f"bytes {size - 7}-{size - 1}/{size}")
    assert part(f"bytes={size}-") == (200, whole, "")
    assert part("lines=1-2")[0:2] == (200, whole)


@pytest.mark.parametrize(
    "name",
    [
        "backup-20240101-000000.zip",
        "backup-20240101-000000.zip.part",
        "..",
        "%2e%2e",
        "..%2fsecret-key",
        "..%2Fbackups%2F",
        ".lock",
        "backup-99999999-999999.zip",
        "a" * 5000,
    ],
)
def test_only_what_is_listed_is_downloaded(
    furnished: Project, client_of: ClientOf, root: User, own_folders: Path, name: str
) -> None:
    make()
    (own_folders / "secret-key").write_text("secret")
    (shelf.folder() / "backup-20240102-000000.zip").symlink_to(own_folders / "secret-key")

    codes = {
        client_of(root).get(f"{BACKUPS}/{one}").status_code
        for one in (name, "backup-20240102-000000.zip")
    }

    assert codes == {404}


# --- what is wrong with a backup ----------------------------------------------------------------


Change = Callable[[dict[str, bytes], dict[str, Any]], None]


def rewritten(place: Path, change: Change) -> Path:
    with zipfile.ZipFile(place) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    target = place.with_name("changed.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))
    return target


def _newer(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["database"]["migrations"]["boards"].append("9999_of_tomorrow")


def _other_engine(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["database"]["engine"] = "oracle"


def _altered(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = next(name for name in members if name.startswith("files/"))
    members[name] = b"What was never said.\n"


def _lacking(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del members[next(name for name in members if name.startswith("files/"))]


def _more(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["files/attachments/extra"] = b"x"


def _escaping(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    content = b"evil"
    members["files/../../evil"] = content
    digest = hashlib.sha256(content).hexdigest()
    manifest["members"].append({"name": "files/../../evil", "size": 4, "sha256": digest})


def _of_tomorrow(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["format"] = 2


def _with_another_database(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    _add(members, manifest, "database/other-one", b"x")


def _add(members: dict[str, bytes], manifest: dict[str, Any], name: str, content: bytes) -> None:
    members[name] = content
    listed = [one for one in manifest["members"] if one["name"] != name]
    digest = hashlib.sha256(content).hexdigest()
    listed.append({"name": name, "size": len(content), "sha256": digest})
    manifest["members"] = listed


def _shapeless(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["members"] = "all"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_newer, "newer version"),
        (_other_engine, "export the projects there and import them here"),
        (_altered, "is not what it was"),
        (_lacking, "does not hold what its list says"),
        (_more, "does not hold what its list says"),
        (_escaping, "has a member with the name"),
        (_of_tomorrow, "reads backups of format 1"),
        (_shapeless, "no proper list of members"),
        (_with_another_database, "other-one is no part of a database"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused(
    furnished: Project, change: Change, said: str
) -> None:
    changed = rewritten(make(), change)

    with pytest.raises(databases.Broken, match=said):
        restoring.look(changed)


@pytest.mark.parametrize(
    "columns",
    [
        b"id) FROM PROGRAM 'true' WITH (FORMAT text) --",
        b'"id","no_such_column"',
        b'"id","id"',
        b"",
        b"\xff",
    ],
)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite is copied as one file")
def test_columns_that_a_table_does_not_have_are_refused(furnished: Project, columns: bytes) -> None:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        _add(members, manifest, "database/accounts_user.copy", columns + b"\n")

    changed = rewritten(make(), change)
    empty_the_server()

    with pytest.raises(databases.Broken, match="accounts_user"):
        restoring.restore(restoring.look(changed))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_archive_is_refused(tmp_path: Path, db: None, content: bytes) -> None:
    place = tmp_path / "backup.zip"
    place.write_bytes(content)

    with pytest.raises(databases.Broken, match="is no backup"):
        restoring.look(place)


def test_a_cut_off_backup_is_refused(furnished: Project) -> None:
    place = make()
    content = place.read_bytes()
    place.write_bytes(content[: len(content) // 2])

    with pytest.raises(databases.Broken, match="is no backup"):
        restoring.look(place)


def test_nothing_is_restored_over_what_is_there(furnished: Project) -> None:
    place = make()

    with pytest.raises(databases.Broken, match="not empty"):
        restoring.require_empty()
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(place), "--yes")

    assert Card.objects.count() == 4


def test_the_command_restores_and_says_what_to_bring(
    furnished: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("backup")
    path = Path(capsys.readouterr().out.partition(" (")[0])
    empty_the_server()

    call_command("restore", str(path), "--yes")

    said = capsys.readouterr().out
    assert "Restored: the database and 1 files of cards." in said
    assert f"Bring the repository {furnished.path}" in said
    assert Card.objects.count() == 4


def test_a_running_server_is_not_restored_into(db: None, own_folders: Path, tmp_path: Path) -> None:
    from kanbanai.supervisor import preflight  # noqa: PLC0415 - for this test alone

    preflight.require_data_dir(own_folders)
    lock = preflight.lock_data_dir(own_folders)
    try:
        with pytest.raises(CommandError, match="already running"):
            call_command("restore", str(tmp_path / "backup.zip"), "--yes")
    finally:
        os.close(lock)
