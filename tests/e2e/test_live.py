"""The live channels as a browser's own WebSocket and EventSource see them; who is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e import visits
from tests.e2e.visits import Project, Visit

pytestmark = pytest.mark.e2e

OPEN = """(address) => {
  window.heard = [];
  window.socket = new WebSocket(location.origin.replace("http", "ws") + address);
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  socket.onclose = ({ code }) => (window.ended = code);
  return new Promise((open) => (socket.onopen = () => open(true)));
}"""
HEARD = "(wanted) => window.heard.find((one) => one.type === wanted)"


def test_a_browser_follows_a_project_and_is_told_why_it_may_not(
    visit: Callable[..., Visit], project: Project
) -> None:
    page = visit("ada").page
    page.goto("/projects")
    page.evaluate(OPEN, "/api/ws")
    ask = {"type": "subscribe", "payload": {"projectId": project.id}}
    page.evaluate("(message) => socket.send(JSON.stringify(message))", ask)
    page.wait_for_function(HEARD, arg="subscribed")
    card_id = project.card("Told")
    told = page.wait_for_function(HEARD, arg="card.created").json_value()
    assert (told["data"]["id"], told["data"]["projectId"]) == (card_id, project.id)

    page.evaluate(OPEN, "/api/ws?token=nonsense")
    page.wait_for_function("() => window.ended")
    assert page.evaluate("() => window.ended") == 4001


def test_an_event_source_hears_a_board_and_comes_back_to_where_it_was(
    visit: Callable[..., Visit], project: Project
) -> None:
    page = visit("ada").page
    page.goto("/projects")
    address = f"/api/v1/sse?boardId={project.board_id}&changes=delta"
    listen = """(address) => {
      window.heard = [];
      window.source = new EventSource(address);
      for (const type of ["state", "resync", "card_created"]) {
        source.addEventListener(type, (event) => {
          window.last = event.lastEventId;
          heard.push({ type, data: JSON.parse(event.data) });
        });
      }
    }"""
    page.evaluate(listen, address)
    page.wait_for_function(HEARD, arg="state")
    project.card("First")
    page.wait_for_function(HEARD, arg="card_created")
    last = page.evaluate("() => { source.close(); return window.last; }")
    project.card("Missed")
    page.evaluate(listen, f"{address}&since={last}")
    page.wait_for_function(HEARD, arg="card_created")
    heard = page.evaluate("() => heard.map((one) => [one.type, one.data.card?.title])")
    assert heard == [["card_created", "Missed"]]


def test_people_see_who_looks_at_a_board_and_at_which_card(
    visit: Callable[..., Visit], project: Project
) -> None:
    project.api.ask(
        "POST", f"/projects/{project.id}/members", {"email": "bob@example.org", "role": "member"}
    )
    project.card("Shared")
    ada, other = visit("ada").page, visit("bob")
    visits.open_board(ada, project.url)
    people = ada.locator("#people .avatar")
    expect(people).to_have_count(1)
    visits.open_board(other.page, project.url)
    expect(people).to_have_count(2)
    visits.open_card(other.page, "Shared", "brief")
    expect(ada.locator('#people [title="Bob: Shared"]')).to_have_text("B")
    other.page.keyboard.press("Escape")
    expect(ada.locator('#people [title="Bob"]')).to_be_visible()
    other.context.close()
    expect(people).to_have_count(1)
