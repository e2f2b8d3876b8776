"""Looking around on the server's disk: what is shown, and what never is."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.projects.models import Project
from tests import factories
from tests.people import ClientOf

BROWSE = "/api/v1/filesystem/browse"
READ = "/api/v1/filesystem/read"


@pytest.fixture
def root_folder(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder that people may look into; the account's home is elsewhere."""
    folder = tmp_path / "srv"
    folder.mkdir()
    settings.KANBANAI_PROJECT_ROOTS = (folder,)
    settings.KANBANAI_DATA_DIR = tmp_path / "data"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def browse(client: APIClient, path: Path | str | None = None, **query: Any) -> Any:
    answer = client.get(BROWSE, {**({"path": str(path)} if path else {}), **query})
    assert answer.status_code == 200, answer.content
    return answer.json()


def names(client: APIClient, path: Path | str | None = None, **query: Any) -> list[str]:
    return [entry["name"] for entry in browse(client, path, **query)["data"]["entries"]]


@pytest.fixture
def client(client_of: ClientOf, ada: User) -> APIClient:
    return client_of(ada)


def test_nobody_looks_without_signing_in(nobody: APIClient, root_folder: Path) -> None:
    assert nobody.get(BROWSE).status_code == 401
    assert nobody.get(READ, {"path": str(root_folder)}).status_code == 401


def test_the_first_root_is_where_one_begins(client: APIClient, root_folder: Path) -> None:
    (root_folder / "alpha" / ".git").mkdir(parents=True)
    (root_folder / "Beta").mkdir()
    (root_folder / "readme.txt").touch()

    assert browse(client) == {
        "data": {
            "path": str(root_folder),
            "parent": None,
            "entries": [
                {
                    "name": "alpha",
                    "path": str(root_folder / "alpha"),
                    "isDirectory": True,
                    "isGitRepo": True,
                },
                {
                    "name": "Beta",
                    "path": str(root_folder / "Beta"),
                    "isDirectory": True,
                    "isGitRepo": False,
                },
            ],
        },
        "meta": {"total": 2, "hasMore": False, "nextCursor": None},
    }


def test_files_come_after_folders_when_they_are_wanted(
    client: APIClient, root_folder: Path
) -> None:
    (root_folder / "zoo").mkdir()
    (root_folder / "a.txt").touch()

    assert names(client, includeFiles="true") == ["zoo", "a.txt"]
    assert browse(client, root_folder / "zoo")["data"]["parent"] == str(root_folder)


def test_a_huge_folder_is_read_in_parts(client: APIClient, root_folder: Path) -> None:
    for number in range(50_000):
        os.mknod(root_folder / f"{number:05}")

    first = browse(client, includeFiles="true", limit=1000)
    assert first["meta"]["total"] == 50_000
    assert [entry["name"] for entry in first["data"]["entries"]] == [
        f"{number:05}" for number in range(1000)
    ]
    (root_folder / "00999").unlink()
    second = browse(client, includeFiles="true", limit=2, cursor=first["meta"]["nextCursor"])
    assert [entry["name"] for entry in second["data"]["entries"]] == ["01000", "01001"]
    assert second["meta"]["hasMore"]


def test_every_entry_comes_once_whatever_its_case(client: APIClient, root_folder: Path) -> None:
    made = ["a", "A", "ä", "Z", "z", "ß", "ss"]
    for name in made:
        (root_folder / name).mkdir()
        (root_folder / f"{name}.txt").touch()

    seen: list[str] = []
    query: dict[str, Any] = {"includeFiles": "true", "limit": 3}
    while True:
        page = browse(client, **query)
        seen += [entry["name"] for entry in page["data"]["entries"]]
        if not page["meta"]["hasMore"]:
            break
        query["cursor"] = page["meta"]["nextCursor"]
    assert sorted(seen) == sorted([*made, *(f"{name}.txt" for name in made)])


def test_names_that_are_no_text_are_shown_safely(client: APIClient, root_folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(root_folder) + b"/bad\xff")).mkdir()
    (root_folder / "red\x1b[31m").mkdir()

    page = browse(client, limit=1)
    assert [entry["name"] for entry in page["data"]["entries"]] == ["bad\ufffd"]
    assert names(client, cursor=page["meta"]["nextCursor"]) == ["red\ufffd[31m"]
    path = f"{root_folder}/bad\ufffd"
    assert client.get(BROWSE, {"path": path}).status_code == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc", 403),
        ("/etc/passwd", 403),
        ("/nonexistent/thing", 403),
        ("/", 403),
        ("{root}/..", 403),
        ("{root}/../data", 403),
        ("{root}/link-out", 403),
        ("{root}/link-out/passwd", 403),
        ("{root}/.ssh", 403),
        ("{root}/.netrc", 403),
        ("{root}/repo/.git", 403),
        ("{root}/repo/.git/config", 403),
        ("{root}2", 403),
        ("~", 403),
        ("~/.ssh/id_rsa", 403),
        ("~nobody-of-this-name/x", 400),
        ("relative", 400),
        ("{root}/missing", 404),
        ("{root}/loop", 403),
        ("{root}/" + "x" * 300, 400),
        ("/" + "x/" * 2_100, 400),
        ("{root}/a\x00b", 400),
    ],
)
def test_nothing_else_is_shown(
    client: APIClient, root_folder: Path, path: str, expected: int
) -> None:
    (root_folder / "link-out").symlink_to("/etc")
    (root_folder / "loop").symlink_to(root_folder / "loop")
    for hidden in (".ssh", "repo/.git"):
        (root_folder / hidden).mkdir(parents=True)
    (root_folder / "repo/.git/config").write_text("url = https://ada:secret@example.org/x")
    (root_folder / ".netrc").write_text("secret")
    path = path.replace("{root}", str(root_folder))

    for address in (BROWSE, READ):
        answer = client.get(address, {"path": path})
        if path.endswith("/loop"):
            assert answer.status_code in {400, 403}
        else:
            assert answer.status_code == expected, answer.content
        assert answer["Content-Type"] == "application/problem+json"
        assert "secret" not in answer.content.decode()


def test_what_may_not_be_looked_at_is_not_listed(
    client: APIClient, root_folder: Path, settings: LazySettings
) -> None:
    settings.KANBANAI_DATA_DIR = root_folder / "kanbanai"
    for name in (".ssh", "kanbanai", "open/.github", "open/.git"):
        (root_folder / name).mkdir(parents=True)
    (root_folder / "out").symlink_to("/etc")
    (root_folder / "in").symlink_to(root_folder / "open")
    (root_folder / "data").symlink_to(root_folder / "kanbanai")
    (root_folder / "broken").symlink_to(root_folder / "nothing")

    assert names(client, includeFiles="true") == ["in", "open"]
    assert names(client, root_folder / "open") == [".github"]
    assert client.get(BROWSE, {"path": str(root_folder / "kanbanai")}).status_code == 403
    assert browse(client, root_folder / "in")["data"]["path"] == str(root_folder / "open")


def test_projects_of_others_stay_theirs(
    client_of: ClientOf, ada: User, bob: User, eve: User, root: User, root_folder: Path
) -> None:
    folder = root_folder / "engine"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "plan.txt").write_text("secret plan")
    factories.Project.create(owner=ada, members=[bob], path=str(folder))

    for person, expected in ((ada, 200), (bob, 200), (root, 200), (eve, 403)):
        client = client_of(person)
        read = client.get(READ, {"path": str(folder / "src" / "plan.txt")})
        assert read.status_code == expected
        assert client.get(BROWSE, {"path": str(folder / "src")}).status_code == expected
    assert names(client_of(eve)) == ["engine"]


def test_text_is_read(client: APIClient, root_folder: Path) -> None:
    (root_folder / "notes.md").write_text("# Grüße\n")

    answer = client.get(READ, {"path": str(root_folder / "notes.md")})

    assert answer.json() == {
        "data": {
            "path": str(root_folder / "notes.md"),
            "content": "# Grüße\n",
            "size": 10,
            "truncated": False,
        }
    }


@pytest.mark.parametrize("extra", [0, 1, 2, 3])
def test_a_long_text_is_cut_after_a_whole_character(
    client: APIClient, root_folder: Path, extra: int
) -> None:
    text = "x" * extra + "€" * 400_000
    (root_folder / "long.txt").write_text(text)

    found = client.get(READ, {"path": str(root_folder / "long.txt")}).json()["data"]

    assert found["truncated"]
    assert found["size"] == len(text.encode())
    assert text.startswith(found["content"])
    assert 1_048_573 < len(found["content"].encode()) <= 1_048_576


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0", b"caf\xe9", b"text\0", b"\xff\xfe"])
def test_what_is_no_text_is_refused(client: APIClient, root_folder: Path, data: bytes) -> None:
    (root_folder / "thing").write_bytes(data)

    answer = client.get(READ, {"path": str(root_folder / "thing")})

    assert answer.status_code == 415
    assert answer.json()["code"] == "UNSUPPORTED_MEDIA_TYPE"


def test_an_empty_file_is_text(client: APIClient, root_folder: Path) -> None:
    (root_folder / "empty").touch()

    found = client.get(READ, {"path": str(root_folder / "empty")}).json()["data"]

    assert (found["content"], found["size"]) == ("", 0)


def test_pipes_and_sockets_hold_nobody_up(client: APIClient, root_folder: Path) -> None:
    os.mkfifo(root_folder / "pipe")
    (root_folder / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root_folder / "socket"))
        assert client.get(READ, {"path": str(root_folder / "pipe")}).status_code == 415
        assert client.get(READ, {"path": str(root_folder / "socket")}).status_code == 415
    assert client.get(READ, {"path": str(root_folder / "null")}).status_code == 403


def test_a_folder_is_not_read_and_a_file_not_browsed(client: APIClient, root_folder: Path) -> None:
    (root_folder / "file").touch()

    assert client.get(READ, {"path": str(root_folder)}).json()["errors"][0]["code"] == (
        "is_a_directory"
    )
    assert client.get(BROWSE, {"path": str(root_folder / "file")}).json()["errors"][0]["code"] == (
        "not_a_directory"
    )


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "!"},
        {"cursor": "a"},
        {"cursor": "eA"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "x"},
        {"includeFiles": "perhaps"},
    ],
)
def test_strange_questions_are_refused(
    client: APIClient, root_folder: Path, query: dict[str, str]
) -> None:
    assert client.get(BROWSE, query).status_code == 400


def test_a_path_is_needed_to_read(client: APIClient, root_folder: Path) -> None:
    assert client.get(READ).status_code == 400


def test_browsing_costs_two_statements(
    client: APIClient,
    root_folder: Path,
    project: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    (root_folder / "deep" / "er").mkdir(parents=True)

    with django_assert_num_queries(2):
        browse(client, root_folder / "deep")
