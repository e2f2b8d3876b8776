"""The writes of boards: each is one transaction, asks the rules, and tells the journal."""

from apps.boards.operations.attachments import (
    add_attachment,
    close_project,
    delete_attachment,
)
from apps.boards.operations.boards import (
    create_board,
    delete_board,
    rename_board,
    reorder_boards,
)
from apps.boards.operations.cards import (
    add_dependency,
    choose_credential,
    create_card,
    delete_card,
    end_auto_mode,
    forget_credential,
    remove_dependency,
    see_card,
    set_dependencies,
    set_pipeline,
    show_agent,
    update_card,
)
from apps.boards.operations.columns import (
    create_column,
    delete_column,
    reorder_columns,
    update_column,
)
from apps.boards.operations.moves import activate_card, complete_card, move_card
from apps.boards.operations.openings import (
    open_clone,
    open_demo,
    open_project,
    open_repository,
)
from apps.boards.operations.templates import (
    create_template,
    delete_template,
    update_template,
)

__all__ = [
    "activate_card",
    "add_attachment",
    "add_dependency",
    "choose_credential",
    "close_project",
    "complete_card",
    "create_board",
    "create_card",
    "create_column",
    "create_template",
    "delete_attachment",
    "delete_board",
    "delete_card",
    "delete_column",
    "delete_template",
    "end_auto_mode",
    "forget_credential",
    "move_card",
    "open_clone",
    "open_demo",
    "open_project",
    "open_repository",
    "remove_dependency",
    "rename_board",
    "reorder_boards",
    "reorder_columns",
    "see_card",
    "set_dependencies",
    "set_pipeline",
    "show_agent",
    "update_card",
    "update_column",
    "update_template",
]
