"""Every page: what people and agents wrote is shown as text, whatever it looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver

from apps.accounts.models import Notification, User
from apps.agents.models import Approval, Attempt, AttemptLog, Item
from apps.boards.models import Attachment, Board, Card, Column
from apps.orgs.models import Organization
from apps.projects.models import Project, Script, ScriptRun
from tests.dashboard import worlds
from tests.people import BrowserOf

EVIL = "\"><img src=x onerror=alert(1)>' onfocus=alert(1) x='</script><script>alert(1)</script>"
EVIL_MARKDOWN = f"{EVIL}\n\n[x](javascript:alert(1)) ![x](javascript:alert(1)) <b onclick=a()>"
# Addresses of other packages, of machines, and of those whose pages bring scripts of their own.
OTHERS = ("admin/", "api/", "accounts/", "healthz", "readyz", "metrics")
PLACE = re.compile(r"<(?:(\w+):)?(\w+)>")


class Looker(HTMLParser):
    """Finds what would run in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        # Nobody who writes into a page knows the nonce of its answer.
        is_ours = given.get("src") or given.get("nonce") or given.get("type") == "application/json"
        if tag == "script" and not is_ours:
            self.found.append((tag, "", None))
        for name, value in attrs:
            leads = name in {"href", "src", "action", "formaction"}
            runs = leads and (value or "").strip().lower().startswith(("javascript:", "data:text"))
            if name.startswith("on") or runs or (tag == "img" and value == "x"):
                self.found.append((tag, name, value))


def _patterns(patterns: Any, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        path = f"{prefix}{one.pattern}"
        if isinstance(one, URLPattern):
            yield path, one
        else:
            yield from _patterns(one.url_patterns, path)


def addresses(keys: dict[str, Any]) -> Iterator[str]:
    """The address of every page whose ids are known."""
    for path, one in _patterns(get_resolver().url_patterns):
        names = [match[2] for match in PLACE.finditer(path)]
        if path.startswith(OTHERS) or "^" in path or not keys.keys() >= set(names):
            continue
        converters = one.pattern.converters
        filled = {name: converters[name].to_url(keys[name]) for name in names}
        yield "/" + PLACE.sub(lambda match, filled=filled: filled[match[2]], path)  # type: ignore[misc]


@pytest.fixture
def keys(
    project: Project,
    organization: Organization,
    ada: User,
    bob: User,
    tmp_path: Path,
    settings: Any,
) -> dict[str, Any]:
    """A project in which every text is an attack; the keys of its parts by their names."""
    settings.MEDIA_ROOT = tmp_path / "files"
    worlds.furnish(project, ada, bob)
    _spoil(project, organization, ada)
    notification = Notification.objects.create(
        user=ada, event="agentFailed", title=EVIL, body=EVIL, path="/inbox", source="x"
    )
    attempt = Attempt.objects.latest("number")
    return {
        "project_id": project.pk,
        "organization_id": organization.pk,
        "board_id": attempt.board_id,
        "card_id": attempt.card_id,
        "attempt_id": attempt.pk,
        "column_id": attempt.card.column_id,
        "notification_id": notification.pk,
        "script_id": Script.objects.get().pk,
    }


def _spoil(project: Project, organization: Organization, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(display_name=EVIL)
    Organization.objects.filter(pk=organization.pk).update(name=EVIL)
    Project.objects.filter(pk=project.pk).update(
        name=EVIL[:50], description=EVIL, organization=organization
    )
    Board.objects.update(name=EVIL)
    Column.objects.update(name=EVIL[:50])
    Card.objects.update(title=EVIL, prompt=EVIL_MARKDOWN, summary=EVIL_MARKDOWN, labels=[EVIL])
    Attempt.objects.update(
        summary=EVIL_MARKDOWN, detail=EVIL, todos=[{"id": "1", "text": EVIL, "status": "completed"}]
    )
    AttemptLog.objects.update(message=EVIL)
    Approval.objects.update(title=EVIL[:200], request={"command": EVIL}, feedback=EVIL)
    Script.objects.update(name=EVIL, command=EVIL)
    ScriptRun.objects.update(output=EVIL, detail=EVIL)
    Attachment.objects.update(filename=EVIL)
    Item.objects.filter(type="message").update(data={"role": "assistant", "text": EVIL_MARKDOWN})
    tool = {"name": EVIL, "action": "run", "status": "done", "output": EVIL, "command": EVIL}
    diffs = [{"path": EVIL, "oldText": EVIL, "newText": EVIL}]
    Item.objects.filter(type="tool").update(data={"tool": {**tool, "metadata": {"diffs": diffs}}})


def runs_in(content: bytes) -> list[tuple[str, str, str | None]]:
    """What would run in a page."""
    looker = Looker()
    looker.feed(content.decode())
    return looker.found


def test_what_people_wrote_runs_on_no_page(
    keys: dict[str, Any], browser_of: BrowserOf, ada: User
) -> None:
    browser = browser_of(ada)
    looked_at = 0
    for address in addresses(keys):
        for fragment in ({}, {"HX-Request": "true"}):
            answer = browser.get(address, headers=fragment)
            assert answer.status_code < 500, address
            if answer.streaming or "html" not in answer.headers.get("Content-Type", ""):
                continue
            assert "Content-Security-Policy" in answer.headers, address
            assert runs_in(answer.content) == [], address
            looked_at += answer.status_code == 200

    assert looked_at > 50


def test_an_attack_would_be_noticed() -> None:
    found = runs_in(f'<p title="{EVIL}">'.encode())

    assert [(tag, name) for tag, name, _value in found] == [
        ("img", "src"),
        ("img", "onerror"),
        ("script", ""),
    ]
