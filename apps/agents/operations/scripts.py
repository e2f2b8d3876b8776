"""Scripts of projects at work: where they may run, and what is left when a worker goes away."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from apps.agents import processes, registry, rules
from apps.projects import operations as project_operations
from apps.projects import queries as project_queries
from apps.projects.operations import scripts as script_rows

if TYPE_CHECKING:
    from apps.core.actors import Actor
    from apps.projects.models import Script, ScriptRun


@transaction.atomic
def run_script(*, actor: Actor, script: Script) -> ScriptRun:
    """This will run a script in the project's folder, confined like an agent.

    409 as `projects.operations.start_script`, and SANDBOX_UNAVAILABLE where agents may not run
    either.
    """
    rules.require_worker(actor, script.project)
    registry.require_sandbox()
    return project_operations.start_script(actor=actor, script=script)


def reap_scripts(*, actor: Actor) -> int:
    """This will end the runs whose worker is gone, with all their processes, and count them."""
    now = timezone.now()
    ended = 0
    for run in project_queries.lost_runs(
        before=now - timedelta(seconds=script_rows.LOST_SECONDS),
        unclaimed_before=now - timedelta(seconds=script_rows.UNCLAIMED_SECONDS),
    ):
        if run.host == socket.gethostname():
            processes.kill_marked(run.public_id)
        ended += project_operations.fail_lost_run(actor=actor, run_id=run.pk, now=now)
    return ended
