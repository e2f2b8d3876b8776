"""What a person sees when the server itself fails."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.agents.pages import boards
from apps.boards.models import Board
from tests.people import BrowserOf


def test_a_page_that_breaks_names_the_request_and_nothing_else(
    browser_of: BrowserOf, ada: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        message = "the secret reason"
        raise RuntimeError(message)

    monkeypatch.setattr(boards, "_board", fail)
    browser: Client = browser_of(ada)
    browser.raise_request_exception = False

    answer = browser.get(f"/boards/{board.public_id}", headers={"X-Request-Id": "ours-1"})

    assert answer.status_code == 500
    text = answer.content.decode()
    assert "Something broke on our side" in text
    assert "the reason under <code>ours-1</code>." in text
    assert "the secret reason" not in text
