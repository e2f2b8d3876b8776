"""What boards tell the journal; every payload is built from `outputs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.accounts.outputs import user_topic
from apps.boards import outputs, queries
from apps.core import events, ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.boards import models
    from apps.core.actors import Actor
    from apps.core.models import Event
    from apps.projects.models import Project


def card_created(card: models.Card, *, position: int, actor: Actor) -> Event:
    """This will tell the board of a new card."""
    return _card_event("card.created", card, position=position, actor=actor)


def card_updated(
    card: models.Card, *, changes: list[str], actor: Actor, position: int | None = None
) -> Event:
    """This will tell the board of a changed card; `changes` names the wire's fields."""
    return _card_event(
        "card.updated", card, position=position, actor=actor, extra={"changes": changes}
    )


def card_moved(card: models.Card, *, from_column_id: UUID, position: int, actor: Actor) -> Event:
    """This will tell the board that a card stands elsewhere now."""
    return _card_event(
        "card.moved",
        card,
        position=position,
        actor=actor,
        extra={"fromColumnId": ids.encode("col", from_column_id)},
    )


def auto_mode_ended(card: models.Card, *, reason: str, detail: str, actor: Actor) -> Event:
    """This will tell the board that a card goes on by itself no longer, though nobody said so."""
    return _card_event(
        "card.auto_mode_ended",
        card,
        position=None,
        actor=actor,
        extra={"reason": reason, "detail": detail},
    )


def _card_event(
    kind: str,
    card: models.Card,
    *,
    position: int | None,
    actor: Actor,
    extra: dict[str, object] | None = None,
) -> Event:
    shown = outputs.card(card, position=position, viewer=actor.user)
    return events.record(
        topic=outputs.board_topic(card.board_id),
        kind=kind,
        data={
            "projectId": shown["projectId"],
            "boardId": shown["boardId"],
            "card": shown,
            "columnId": shown["columnId"],
            "index": shown["position"],
            **(extra or {}),
        },
        actor=actor,
    )


def card_deleted(
    *, project_id: UUID, board_id: UUID, card_id: UUID, column_id: UUID, actor: Actor
) -> Event:
    """This will tell the board that a card is gone from it."""
    data: outputs.CardDeleted = {
        "projectId": ids.encode("proj", project_id),
        "boardId": ids.encode("board", board_id),
        "id": ids.encode("card", card_id),
        "columnId": ids.encode("col", column_id),
    }
    return events.record(
        topic=outputs.board_topic(board_id), kind="card.deleted", data=data, actor=actor
    )


def card_read(card: models.Card, *, actor: Actor) -> Event:
    """This will tell a person's other windows that a card has no news for them any more."""
    data = {
        "projectId": ids.encode("proj", card.project_id),
        "boardId": ids.encode("board", card.board_id),
        "id": card.public_id,
        "hasUnread": False,
    }
    return events.record(topic=user_topic(actor.person), kind="card.read", data=data, actor=actor)


def attachment_changed(
    kind: str, card: models.Card, attachment: models.Attachment, *, actor: Actor
) -> Event:
    """This will tell the board of a card's file: `attachment.created`, `attachment.deleted`."""
    return events.record(
        topic=outputs.board_topic(card.board_id),
        kind=kind,
        data={
            "projectId": ids.encode("proj", card.project_id),
            "boardId": ids.encode("board", card.board_id),
            "cardId": card.public_id,
            "attachment": outputs.attachment(attachment),
        },
        actor=actor,
    )


def columns_changed(
    kind: str, board: models.Board, *, actor: Actor, column_id: UUID | None = None
) -> Event:
    """This will tell the board of its columns; `kind` is `column.created` and its like."""
    data = {
        "projectId": ids.encode("proj", board.project_id),
        "boardId": board.public_id,
        **outputs.columns_changed(queries.columns_of(board)),
    }
    if column_id is not None:
        data["id"] = ids.encode("col", column_id)
    return events.record(topic=outputs.board_topic(board.pk), kind=kind, data=data, actor=actor)


def template_changed(kind: str, template: models.BoardTemplate, *, actor: Actor) -> Event:
    """This will tell the server of a template of boards; `kind` is `board_template.created`."""
    data = {"id": template.public_id, "template": outputs.template(template)}
    return events.record(topic="server", kind=kind, data=data, actor=actor)


def boards_changed(
    kind: str,
    project: Project,
    *,
    actor: Actor,
    board_id: UUID | None = None,
    columns: Sequence[models.Column] = (),
) -> Event:
    """This will tell the project of its boards; `kind` is `board.created` and its like.

    A new board is told of with its columns, since nobody listens to it yet.
    """
    data: dict[str, object] = {
        "projectId": project.public_id,
        "boards": outputs.boards(queries.boards_of(project)),
    }
    if board_id is not None:
        data["id"] = ids.encode("board", board_id)
    if columns:
        data["columns"] = outputs.columns(columns)
    return events.record(
        topic=ids.topic("project", project.public_id), kind=kind, data=data, actor=actor
    )
