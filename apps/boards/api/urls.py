"""REST addresses of boards, mounted under /api/v1/ and /api/."""

from __future__ import annotations

from django.urls import path

from apps.boards.api import attachments, boards, cards, projects, templates

PROJECT = "projects/<proj_id:project_id>"
CARD = f"{PROJECT}/cards/<card_id:card_id>"

urlpatterns = [
    path("board-templates", templates.BoardTemplates.as_view()),
    path("board-templates/<tpl_id:template_id>", templates.OneBoardTemplate.as_view()),
    path("projects", projects.Projects.as_view()),
    path("projects/demo", projects.DemoProject.as_view()),
    path(f"{PROJECT}/boards", boards.Boards.as_view()),
    path(f"{PROJECT}/boards/reorder", boards.BoardOrder.as_view()),
    path(f"{PROJECT}/boards/<board_id:board_id>/state", boards.BoardState.as_view()),
    path(f"{PROJECT}/columns", boards.Columns.as_view()),
    path(f"{PROJECT}/columns/reorder", boards.ColumnOrder.as_view()),
    path(f"{PROJECT}/columns/<col_id:column_id>", boards.OneColumn.as_view()),
    path(f"{PROJECT}/cards", cards.Cards.as_view()),
    path(f"{CARD}/view", cards.CardSeen.as_view()),
    path(f"{CARD}/move", cards.CardMove.as_view()),
    path(f"{CARD}/pipeline", cards.CardPipeline.as_view()),
    path(f"{CARD}/attachments", attachments.Attachments.as_view()),
    path("attachments/<att_id:attachment_id>", attachments.OneAttachment.as_view()),
    path("cards", cards.FlatCards.as_view()),
    path("cards/<card_id:card_id>/status", cards.FlatCardStatus.as_view()),
]
