"""What agents do when something happens on a board; the only way up between the apps."""

from __future__ import annotations

from apps.agents import outputs, tasks
from apps.core import events, snapshots


def wire() -> None:
    """This will register everything; called once, when Django is ready."""
    snapshots.part("board", "attempts", outputs.board_attempts)
    events.on("attempt.queued", tasks.run_turn)
    events.on("attempt.completed", tasks.follow_end)
    events.on("attempt.summary_asked", tasks.write_summary)
    events.on("presession.queued", tasks.run_conversation)
    events.on("assistant.queued", tasks.run_conversation)
    events.on("script.started", tasks.run_script)
    events.on("card.moved", tasks.follow_card)
    events.on("card.created", tasks.follow_card)
