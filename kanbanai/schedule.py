"""What happens again and again: Celery beat's entries, tasks by name."""

from __future__ import annotations

from typing import Any

# An entry that no worker took within its own interval is dropped rather than piled up.
SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep-events": {
        "task": "apps.core.tasks.sweep_events",
        "schedule": 5.0,
        "options": {"queue": "fast", "expires": 5},
    },
    "end-lost-clones": {
        "task": "apps.projects.tasks.end_lost_clones",
        "schedule": 30.0,
        "options": {"queue": "fast", "expires": 30},
    },
    "remove-lost-files": {
        "task": "apps.boards.tasks.remove_lost_files",
        "schedule": 3600.0,
        "options": {"queue": "fast", "expires": 3600},
    },
    "send-mails": {
        "task": "apps.accounts.tasks.send_mails",
        "schedule": 30.0,
        "options": {"queue": "fast", "expires": 30},
    },
    "forget-old-notices": {
        "task": "apps.accounts.tasks.forget_old_notices",
        "schedule": 3600.0,
        "options": {"queue": "fast", "expires": 3600},
    },
    "prune-events": {
        "task": "apps.core.tasks.prune_events",
        "schedule": 3600.0,
        "options": {"queue": "fast", "expires": 3600},
    },
    "prune-answers": {
        "task": "apps.core.tasks.prune_answers",
        "schedule": 3600.0,
        "options": {"queue": "fast", "expires": 3600},
    },
    "reap-attempts": {
        "task": "apps.agents.tasks.reap",
        "schedule": 15.0,
        "options": {"queue": "fast", "expires": 15},
    },
    "expire-logins": {
        "task": "apps.agents.tasks.expire_logins",
        "schedule": 60.0,
        "options": {"queue": "fast", "expires": 60},
    },
    "look-for-agents": {
        "task": "apps.agents.tasks.look_for_agents",
        "schedule": 300.0,
        "options": {"queue": "fast", "expires": 300},
    },
    "dispatch-queue": {
        "task": "apps.agents.tasks.dispatch_queue",
        "schedule": 5.0,
        "options": {"queue": "fast", "expires": 5},
    },
}
