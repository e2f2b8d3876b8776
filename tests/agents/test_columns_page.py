"""Boards and columns in a project's settings, as a browser changes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.boards.models import Board, BoardTemplate, Column
from apps.projects.models import Project
from tests import factories
from tests.people import BrowserOf

Press = Callable[..., "str"]


@pytest.fixture
def press(browser_of: BrowserOf, bob: User, project: Project, board: Board) -> Press:
    """`press("move-column", column=…)` sends what a member's button sends."""

    def send(action: str, *, status: int = 200, **values: str) -> str:
        body = {"section": "boards", "action": action, "board": board.public_id, **values}
        path = f"/projects/{project.public_id}/settings"
        answer = browser_of(bob).post(path, body, follow=True)
        assert answer.status_code == status
        return answer.content.decode()

    return send


def names_of(board: Board) -> list[str]:
    return list(board.columns.order_by("rank").values_list("name", flat=True))


def test_a_board_of_a_template_comes_and_is_shown(press: Press, project: Project) -> None:
    template = factories.BoardWithColumns.create(project=project, name="Other")
    press("keep-template", board=template.public_id, name="Ours")
    kept = BoardTemplate.objects.get(name="Ours")

    shown = press("new-board", name="Größe 箱", template_id=kept.public_id)

    made = project.boards.get(name="Größe 箱")
    assert names_of(made) == names_of(template)
    assert "Columns of Größe 箱" in shown


def test_boards_are_renamed_reordered_and_only_admins_delete_them(
    press: Press, browser_of: BrowserOf, ada: User, project: Project, board: Board
) -> None:
    other = factories.BoardWithColumns.create(project=project, name="Other")
    press("rename-board", name="First")
    press("move-board", to="down")
    press("delete-board", board=other.public_id)

    order = list(project.boards.order_by("rank").values_list("name", flat=True))
    assert order == ["Other", "First"]

    body = {"section": "boards", "action": "delete-board", "board": other.public_id}
    browser_of(ada).post(f"/projects/{project.public_id}/settings", body)
    assert list(project.boards.values_list("name", flat=True)) == ["First"]


def test_columns_come_change_move_and_go(
    press: Press, board: Board, columns: dict[str, Column]
) -> None:
    press("new-column", name="Archive", column_type="archive", agent_mode="code")
    press("new-column", name="Plan", column_type="active", agent_mode="plan", wip_limit="2")
    made = board.columns.get(name="Plan")
    press("move-column", column=made.public_id, to="up")
    press(
        "save-column",
        column=made.public_id,
        name="Think",
        agent_mode="skill",
        skill_name="think",
        prompt=" keep\n  this",
        wip_limit="",
    )
    press("delete-column", column=columns["review"].public_id)
    press("move-column", column=columns["backlog"].public_id, to="up")

    assert names_of(board) == ["Backlog", "In Progress", "Done", "Think", "Archive"]
    made.refresh_from_db()
    assert (made.agent_mode, made.skill_name, made.wip_limit) == ("skill", "think", None)
    assert made.prompt == "keep\n  this"
    assert board.columns.get(name="Archive").agent_mode == "none"


def test_what_is_refused_is_said_and_changes_nothing(
    press: Press, board: Board, columns: dict[str, Column]
) -> None:
    factories.Card.create(column=columns["review"])
    before = list(board.columns.order_by("rank").values())

    assert "still holds cards" in press("delete-column", column=columns["review"].public_id)
    press("delete-board")
    shown = press("new-column", status=422, name="x" * 101, column_type="active")
    assert "at most 100 characters" in shown
    shown = press(
        "save-column",
        status=422,
        column=columns["inProgress"].public_id,
        name="",
        agent_mode="code",
    )
    assert "This field is required" in shown
    press("new-board", status=422, name="B", template_id="tpl_nothing")
    press("rename-board", name="")
    press("keep-template", name="\x00")

    assert list(board.columns.order_by("rank").values()) == before
    assert board.project.boards.count() == 1
    assert BoardTemplate.objects.count() == 0


@pytest.mark.parametrize("action", ["move-column", "delete-column", "save-column", "rename-board"])
@pytest.mark.parametrize("given", ["", "nonsense", "foreign"])
def test_ids_of_other_projects_and_malformed_ones_find_nothing(
    press: Press, eve: User, columns: dict[str, Column], action: str, given: str
) -> None:
    other = factories.BoardWithColumns.create(project=factories.Project.create(owner=eve))
    column = other.columns.first()
    assert column is not None
    values = {"column": given, "board": given}
    if given == "foreign":
        values = {"column": column.public_id, "board": other.public_id}

    press(action, name="Mine now", agent_mode="code", to="up", **values)

    assert not Column.objects.filter(name="Mine now").exists()
    assert not Board.objects.filter(name="Mine now").exists()


def test_there_are_no_other_actions(press: Press, columns: dict[str, Column]) -> None:
    press("explode", status=400)
    press("", status=400)


def test_a_stranger_finds_no_section(
    browser_of: BrowserOf, eve: User, project: Project, board: Board
) -> None:
    path = f"/projects/{project.public_id}/settings"
    assert browser_of(eve).get(f"{path}?section=boards").status_code == 404
    body = {"section": "boards", "action": "rename-board", "board": board.public_id, "name": "x"}
    assert browser_of(eve).post(path, body).status_code == 404


def test_only_whoever_made_a_template_deletes_it_here(
    press: Press, browser_of: BrowserOf, ada: User, project: Project, board: Board
) -> None:
    press("keep-template", name="Bob's")
    kept = BoardTemplate.objects.get()
    body = {"section": "boards", "action": "delete-template", "template": kept.public_id}
    browser_of(ada).post(f"/projects/{project.public_id}/settings", body)
    assert BoardTemplate.objects.count() == 1
    press("delete-template", template=kept.public_id)
    assert BoardTemplate.objects.count() == 0


def test_an_invitation_is_withdrawn_by_admins(
    browser_of: BrowserOf, ada: User, bob: User, project: Project
) -> None:
    factories.Invitation.create(project=project, email="carla@example.org")
    path = f"/projects/{project.public_id}/settings"
    body = {"section": "members", "action": "withdraw", "email": "Carla@Example.org"}

    browser_of(bob).post(path, body)
    assert project.invitations.count() == 1

    browser_of(ada).post(path, body)
    assert project.invitations.count() == 0


def test_archived_cards_are_on_the_board_for_those_who_ask(
    browser_of: BrowserOf, ada: User, board: Board, columns: dict[str, Column]
) -> None:
    archive = factories.Column.create(board=board, name="Archive", column_type="archive")
    old = factories.Card.create(column=archive, title="Old thing")
    path = f"/boards/{board.public_id}"

    shown = browser_of(ada).get(path).content.decode()
    assert f'id="card-{old.public_id}"' not in shown
    assert f"?column={archive.public_id}&amp;all=1" in shown

    shown = browser_of(ada).get(f"{path}?column={archive.public_id}&all=1").content.decode()
    assert f'id="card-{old.public_id}"' in shown
    assert "Hide archived cards" in shown
