"""What every live channel says for each kind of the journal: one module a channel.

A new kind needs an entry in each of them, or is left unsaid there; a test fails until it has one.
"""

from apps.agents.live.messages import conversations as _conversations  # noqa: F401 - registers
from apps.agents.live.messages.api import API
from apps.agents.live.messages.board import (
    BOARD,
    BOARD_CHANGES,
    DELTA,
    DETAIL,
    attempt_status,
    conversation_item,
    logged,
)
from apps.agents.live.messages.dashboard import DASHBOARD, OVERVIEW

__all__ = [
    "API",
    "BOARD",
    "BOARD_CHANGES",
    "DASHBOARD",
    "DELTA",
    "DETAIL",
    "OVERVIEW",
    "attempt_status",
    "conversation_item",
    "logged",
]
