"""Admins read the log; super admins say where it is sent."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from apps.accounts import queries
from apps.accounts.models import LogExport, Role, User
from apps.core import publishing
from apps.core.live.hub import Hub
from apps.core.logs import live, setup
from apps.core.logs.pump import pump
from apps.core.models import Event
from tests import logs
from tests.core.logs.conftest import (
    HttpReceiver,
    SyslogReceiver,
    free_port,
    http_receiver,
    udp_receiver,
    wait_until,
)
from tests.logs import line, write
from tests.people import BrowserOf, ClientOf

__all__ = ["free_port", "http_receiver", "udp_receiver"]

URL = "/api/v1/logs"
EXPORT = "/api/v1/settings/log-export"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[None]:
    """Lines are kept in a folder of this test's own."""
    with logs.keeping(tmp_path):
        yield


@pytest.fixture
def admin(bob: User) -> User:
    bob.role = Role.ADMIN
    bob.save()
    return bob


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/api/v1", "/api"])
def test_an_admin_reads_the_log(kept: None, client_of: ClientOf, admin: User, prefix: str) -> None:
    write(line(1, "one"), line(2, "two", level="warn", fields={"a": 1}))

    answer = client_of(admin).get(f"{prefix}/logs")

    assert answer.status_code == 200
    assert answer.json()["data"][0] == {
        "timestamp": answer.json()["data"][0]["timestamp"],
        "level": "warn",
        "target": "tests",
        "message": "two",
        "fields": {"a": 1},
    }
    assert [entry["message"] for entry in answer.json()["data"]] == ["two", "one"]
    assert answer.json()["meta"]["cursor"] is None


def test_pages_go_on_and_newer_lines_are_asked_for(
    kept: None, client_of: ClientOf, root: User
) -> None:
    write(*[line(number, str(number)) for number in range(5)])
    client = client_of(root)

    first = client.get(URL, {"limit": 3}).json()
    second = client.get(URL, {"limit": 3, "cursor": first["meta"]["cursor"]}).json()
    write(line(9, "new"))
    newer = client.get(URL, {"after": first["meta"]["newest"]}).json()

    said = [entry["message"] for page in (first, second, newer) for entry in page["data"]]
    assert said == ["4", "3", "2", "1", "0", "new"]


def test_every_condition_narrows(kept: None, client_of: ClientOf, root: User) -> None:
    write(
        line(0, "a", level="error", fields={"request_id": "r1"}),
        line(60_000_000, "b"),
        line(120_000_000, "c", level="warn", target="apps.boards"),
    )
    client = client_of(root)

    def found(**asked: Any) -> list[str]:
        return [entry["message"] for entry in client.get(URL, asked).json()["data"]]

    moments = [entry["timestamp"] for entry in client.get(URL).json()["data"]]
    assert found(level="warn") == ["c", "a"]
    assert found(search="BOARDS") == ["c"]
    assert found(requestId="r1") == ["a"]
    assert found(since=moments[1]) == ["c", "b"]
    assert found(until=moments[1]) == ["a"]
    assert found(limit=1) == ["c"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"level": "loud"}, "level"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"after": "é"}, "after"),
        ({"search": "x" * 201}, "search"),
        ({"search": "a\x00b"}, "search"),
    ],
)
def test_other_conditions_are_a_problem(
    kept: None, client_of: ClientOf, root: User, asked: dict[str, str], field: str
) -> None:
    answer = client_of(root).get(URL, asked)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_only_admins_read(kept: None, callers: dict[str, APIClient]) -> None:
    expected = {"nobody": 401, "ada": 403, "bob": 403, "eve": 403, "root": 200}

    assert {name: caller.get(URL).status_code for name, caller in callers.items()} == expected


def test_only_super_admins_see_and_change_the_export(
    callers: dict[str, APIClient], client_of: ClientOf, admin: User
) -> None:
    body = {"enabled": False, "type": "http", "endpoint": ""}
    people = {**callers, "admin": client_of(admin)}
    expected = {"nobody": 401, "ada": 403, "bob": 403, "eve": 403, "admin": 403, "root": 200}

    assert {name: who.get(EXPORT).status_code for name, who in people.items()} == expected
    for name, who in people.items():
        if name != "root":
            assert who.put(EXPORT, body).status_code == expected[name]
            assert who.post(f"{EXPORT}/test").status_code == expected[name]
    assert not LogExport.objects.exists()
    assert not Event.objects.exists()


def test_an_unreadable_store_is_told(
    kept: None, settings: Settings, tmp_path: Path, client_of: ClientOf, root: User
) -> None:
    (tmp_path / "logs.sqlite3").write_bytes(b"no database " * 500)

    assert client_of(root).get(URL).status_code == 503


def test_no_line_is_found_where_none_are_kept(client_of: ClientOf, root: User) -> None:
    answer = client_of(root).get(URL).json()

    assert answer == {"data": [], "meta": {"cursor": None, "newest": None}}


# --- the export's settings -----------------------------------------------------------------------

SET = {
    "enabled": True,
    "type": "http",
    "endpoint": "https://logs.example.org/in",
    "headers": {"Authorization": "Bearer s3cr3t", "X-Tenant": "a"},
    "level": "warn",
}


def test_the_export_is_off_at_first(client_of: ClientOf, root: User) -> None:
    assert client_of(root).get(EXPORT).json()["data"] == {
        "enabled": False,
        "type": "http",
        "endpoint": "",
        "headers": {},
        "level": "info",
    }
    assert queries.find_log_receiver() is None


def test_headers_are_masked_and_lie_encrypted(client_of: ClientOf, root: User) -> None:
    answer = client_of(root).put(EXPORT, SET)

    shown = {**SET, "headers": {"Authorization": "****", "X-Tenant": "****"}}
    assert (answer.status_code, answer.json()["data"]) == (200, shown)
    assert client_of(root).get(EXPORT).json()["data"] == shown
    with connection.cursor() as cursor:
        cursor.execute("SELECT headers, endpoint FROM accounts_logexport")
        stored = str(cursor.fetchone())
    assert "s3cr3t" not in stored
    assert "example" not in stored
    [event] = Event.objects.all()
    assert (event.kind, event.data) == ("server.settings_changed", {"settings": "logExport"})


def test_a_masked_value_and_left_out_headers_stay(client_of: ClientOf, root: User) -> None:
    client = client_of(root)
    client.put(EXPORT, SET)
    client.put(EXPORT, {**SET, "headers": {"authorization": "****", "X-New": "b"}})
    kept = queries.log_headers(queries.log_export())
    client.put(EXPORT, {name: value for name, value in SET.items() if name != "headers"})

    assert kept == {"authorization": "Bearer s3cr3t", "X-New": "b"}
    assert queries.log_headers(queries.log_export()) == kept
    client.put(EXPORT, {**SET, "headers": {}})
    assert queries.log_headers(queries.log_export()) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "https://elsewhere.example.org/in"},
        {"endpoint": "https://elsewhere.example.org/in", "headers": {"authorization": "****"}},
        {"endpoint": "tcp://elsewhere.example.org", "type": "syslog"},
    ],
)
def test_kept_headers_are_not_sent_to_another_address(
    client_of: ClientOf, root: User, change: dict[str, Any]
) -> None:
    client = client_of(root)
    client.put(EXPORT, SET)
    before = vars(queries.find_log_receiver())
    # An address that was taken away is another one when it comes back, too.
    client.put(EXPORT, {"enabled": False, "endpoint": ""})

    refused = [client.put(EXPORT, change)]
    client.put(EXPORT, SET)
    refused += [client.put(EXPORT, change)]

    for answer in refused:
        assert answer.status_code == 400, answer.content
        [error] = answer.json()["errors"]
        assert (error["field"].lower(), error["code"]) == ("headers.authorization", "masked")
        assert "another address" in error["detail"]
    assert vars(queries.find_log_receiver()) == before


def test_another_address_is_taken_with_values_of_its_own(client_of: ClientOf, root: User) -> None:
    client = client_of(root)
    client.put(EXPORT, SET)
    moved = {"endpoint": "https://elsewhere.example.org/in", "headers": {"X-Key": "new"}}

    assert client.put(EXPORT, moved).status_code == 200
    assert queries.log_headers(queries.log_export()) == {"X-Key": "new"}
    assert client.put(EXPORT, {"endpoint": SET["endpoint"], "headers": {}}).status_code == 200
    assert queries.log_headers(queries.log_export()) == {}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"enabled": "yes"}, "enabled"),
        ({"type": "carrier pigeon"}, "type"),
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "logs.example.org"}, "endpoint"),
        ({"endpoint": "ftp://logs.example.org"}, "endpoint"),
        ({"endpoint": "https://u:p@logs.example.org"}, "endpoint"),
        ({"endpoint": "https://[logs"}, "endpoint"),
        ({"endpoint": "https://h:99999/"}, "endpoint"),
        ({"endpoint": None}, "endpoint"),
        ({"type": "syslog"}, "endpoint"),
        ({"type": "syslog", "endpoint": "tcp://host/path"}, "endpoint"),
        ({"headers": {"X-A": "****"}}, "headers.X-A"),
        ({"headers": {"X A": "v"}}, "headers.X A"),
        ({"headers": {"Host": "v"}}, "headers.Host"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers.X-A"),
        ({"headers": {"X-A": "größe"}}, "headers.X-A"),
        ({"headers": {f"X-{n}": "v" for n in range(21)}}, "headers"),
        ({"headers": ["X-A"]}, "headers"),
        ({"level": "loud"}, "level"),
    ],
)
def test_other_settings_are_a_problem(
    client_of: ClientOf, root: User, change: dict[str, Any], field: str
) -> None:
    body = json.dumps({**SET, **change})
    answer = client_of(root).put(EXPORT, body, content_type="application/json")

    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not LogExport.objects.exists()


@pytest.mark.parametrize(
    "change", [{}, {"enabled": False}, {"level": "error"}, {"type": "otlp"}, {"headers": {}}]
)
def test_what_is_left_out_stays(client_of: ClientOf, root: User, change: dict[str, Any]) -> None:
    client = client_of(root)
    before = client.put(EXPORT, SET).json()["data"]

    assert client.put(EXPORT, change).json()["data"] == {**before, **change}


def test_another_type_needs_another_address(client_of: ClientOf, root: User) -> None:
    client = client_of(root)
    client.put(EXPORT, SET)

    assert client.put(EXPORT, {"type": "syslog"}).status_code == 400
    assert client.get(EXPORT).json()["data"]["type"] == "http"


# --- a test line ---------------------------------------------------------------------------------


def test_a_test_line_reaches_the_receiver(
    client_of: ClientOf, root: User, http_receiver: HttpReceiver
) -> None:
    client = client_of(root)
    client.put(EXPORT, {**SET, "enabled": False, "endpoint": http_receiver.url})

    answer = client.post(f"{EXPORT}/test")

    assert answer.status_code == 200
    assert answer.json()["data"].keys() == {"success", "message", "latencyMs"}
    assert answer.json()["data"]["success"] is True
    [(_path, headers, body)] = http_receiver.requests
    assert headers["Authorization"] == "Bearer s3cr3t"
    assert json.loads(body)[0]["message"] == "log_export_test"


def test_a_test_without_a_receiver_says_so(client_of: ClientOf, root: User) -> None:
    answer = client_of(root).post(f"{EXPORT}/test")

    assert answer.json()["data"] == {
        "success": False,
        "message": "No receiver is set.",
        "latencyMs": 0,
    }


def test_a_test_of_nobody_answers_200_as_well(
    client_of: ClientOf, root: User, free_port: int
) -> None:
    client = client_of(root)
    client.put(EXPORT, {**SET, "endpoint": f"http://127.0.0.1:{free_port}"})
    answer = client.post(f"{EXPORT}/test")

    assert answer.status_code == 200
    assert answer.json()["data"]["success"] is False
    assert "cannot be reached" in answer.json()["data"]["message"]


# --- the whole way -------------------------------------------------------------------------------


@pytest.fixture
def running(
    kept: None, http_receiver: HttpReceiver, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """This process keeps, sends on and publishes what it logs, as the product's processes do."""
    # Put back at the end.
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    setup.begin(queries.read_log_receiver)
    yield
    pump.stop()
    pump.begin([])


def test_a_line_of_a_request_is_kept_sent_and_told_without_its_secrets(
    running: None, client_of: ClientOf, root: User, http_receiver: HttpReceiver
) -> None:
    client = client_of(root)
    client.put(EXPORT, {**SET, "level": "info", "endpoint": http_receiver.url})
    structlog.get_logger("tests").warning("odd", token="kbn_abcdefgh1234", request_id="r-42")

    def found() -> list[dict[str, Any]]:
        return list(client.get(URL, {"requestId": "r-42"}).json()["data"])

    wait_until(found)
    [line] = found()
    assert (line["message"], line["level"], line["fields"]["token"]) == (
        "odd",
        "warn",
        "[redacted]",
    )
    wait_until(lambda: any(b'"odd"' in body for *_rest, body in http_receiver.requests))
    assert not any(b"kbn_abcdefgh1234" in body for *_rest, body in http_receiver.requests)


@pytest.mark.django_db(transaction=True)
def test_who_follows_hears_lines_from_their_level_on(redis: str) -> None:
    heard: list[Any] = []

    def hear(entries: list[Any]) -> None:
        heard.extend(entries)

    def publish() -> None:
        publisher = live.Publisher()
        publisher.take([line(1, "quiet"), line(2, "loud", level="error")])

    async def follow() -> None:
        hub = Hub.current()
        following = live.Following(hub, hear, level="warn")
        await following.start()
        ends_at = time.monotonic() + 20
        while not heard and time.monotonic() < ends_at:
            await asyncio.to_thread(publish)
            await asyncio.sleep(0.05)
        following.stop()
        await hub.stop()

    async_to_sync(follow)()
    assert {entry["message"] for entry in heard} == {"loud"}


def test_nothing_is_published_while_nobody_follows(
    redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(publishing, "send_ephemeral", lambda **given: sent.append(given))

    live.Publisher().take([line(1, "said")])

    assert sent == []


# --- pages ---------------------------------------------------------------------------------------


def test_the_page_shows_lines_escaped(kept: None, browser_of: BrowserOf, admin: User) -> None:
    write(line(1, "<script>alert(1)</script>", level="error", fields={"a": "<b>"}))

    page = browser_of(admin).get("/settings/logs").content.decode()

    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b&gt;" in page
    assert "alert(1)</script>" not in page


def test_a_page_that_follows_asks_for_what_is_new(
    kept: None, browser_of: BrowserOf, admin: User
) -> None:
    browser = browser_of(admin)
    page = browser.get("/settings/logs", {"follow": "on", "level": "warn"}).content.decode()
    address = "/settings" + page.split('hx-get="/settings')[1].split('"')[0].replace("&amp;", "&")
    assert browser.get(address).status_code == 204
    write(line(1, "quiet"), line(2, "loud", level="error"))
    fragment = browser.get(address).content.decode()

    assert "loud" in fragment
    assert "quiet" not in fragment
    assert "<html" not in fragment
    next_address = fragment.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert browser.get(next_address).status_code == 204


def test_the_pages_are_for_those_who_run_the_server(
    browser_of: BrowserOf, ada: User, admin: User, root: User
) -> None:
    def codes(browser: Client) -> list[int]:
        return [browser.get(f"/settings/{name}").status_code for name in ("logs", "log-export")]

    assert codes(browser_of(ada)) == [403, 403]
    assert codes(browser_of(admin)) == [200, 403]
    assert codes(browser_of(root)) == [200, 200]


def test_the_form_sets_and_tries_the_export(
    browser_of: BrowserOf, root: User, udp_receiver: SyslogReceiver
) -> None:
    browser = browser_of(root)
    form = {
        "enabled": "on",
        "type": "syslog",
        "endpoint": f"udp://127.0.0.1:{udp_receiver.port}",
        "headers": "X-Key: s3cr3t\n",
        "level": "error",
    }
    assert browser.post("/settings/log-export", form).status_code == 302
    page = browser.get("/settings/log-export").content.decode()
    tried = browser.post("/settings/log-export", {"test": "1"}).content.decode()
    wait_until(lambda: udp_receiver.messages)

    assert "s3cr3t" not in page
    assert "X-Key: ****" in page
    assert "It arrived" in tried
    assert queries.log_headers(queries.log_export()) == {"X-Key": "s3cr3t"}


def test_the_form_says_what_is_wrong(browser_of: BrowserOf, root: User) -> None:
    form = {"type": "http", "endpoint": "x", "headers": "", "level": "info"}
    browser = browser_of(root)
    page = browser.post("/settings/log-export", form).content.decode()
    masked = browser.post("/settings/log-export", {**form, "headers": "X-Key: ****"})

    assert "Enter an address such as https://host/path." in page
    assert "X-Key: Enter the value itself, not its mask." in masked.content.decode()
    assert not LogExport.objects.exists()
