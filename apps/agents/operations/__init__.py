"""The writes of agents: each asks the rules, is guarded by the attempt's state, and tells it."""

from apps.agents.operations.admission import (
    admit,
    dispatch_queue,
    queue_position,
    refusal,
)
from apps.agents.operations.approvals import answer_approval, approve_plan
from apps.agents.operations.attempts import (
    retry_attempt,
    send_card_message,
    send_message,
    start_attempt,
)
from apps.agents.operations.conversations import (
    accept_presession,
    cancel_presession,
    close_stale,
    open_presession,
    say,
    say_to_assistant,
    stop_assistant,
)
from apps.agents.operations.credentials import (
    choose_for_card,
    choose_for_organization,
    choose_for_project,
    create_credential,
    credential_usage,
    delete_credential,
    update_credential,
    verify_credential,
)
from apps.agents.operations.deletions import (
    cancel_agent,
    clean_column,
    delete_board,
    delete_card,
    delete_project,
    stop_and_wait,
)
from apps.agents.operations.git import (
    commit,
    git_diff,
    git_file,
    git_status,
    merge,
    remove_worktree,
    restore_worktree,
)
from apps.agents.operations.logins import (
    begin_login,
    expire_logins,
    finish_login,
    renew_credential,
)
from apps.agents.operations.pipelines import (
    activate_card,
    approve_auto,
    complete_card,
    set_auto_mode,
)
from apps.agents.operations.reaping import (
    kill_strays,
    lost_attempts,
    mark_sent,
    reap_attempt,
    resume_paused,
    unclaimed_attempts,
)
from apps.agents.operations.scripts import reap_scripts, run_script
from apps.agents.operations.settings import update_project_settings
from apps.agents.operations.stops import stop_attempt
from apps.agents.operations.successions import relaunch_attempt, relay_attempt
from apps.agents.operations.summaries import summarize

__all__ = [
    "accept_presession",
    "activate_card",
    "admit",
    "answer_approval",
    "approve_auto",
    "approve_plan",
    "begin_login",
    "cancel_agent",
    "cancel_presession",
    "choose_for_card",
    "choose_for_organization",
    "choose_for_project",
    "clean_column",
    "close_stale",
    "commit",
    "complete_card",
    "create_credential",
    "credential_usage",
    "delete_board",
    "delete_card",
    "delete_credential",
    "delete_project",
    "dispatch_queue",
    "expire_logins",
    "finish_login",
    "git_diff",
    "git_file",
    "git_status",
    "kill_strays",
    "lost_attempts",
    "mark_sent",
    "merge",
    "open_presession",
    "queue_position",
    "reap_attempt",
    "reap_scripts",
    "refusal",
    "relaunch_attempt",
    "relay_attempt",
    "remove_worktree",
    "renew_credential",
    "restore_worktree",
    "resume_paused",
    "retry_attempt",
    "run_script",
    "say",
    "say_to_assistant",
    "send_card_message",
    "send_message",
    "set_auto_mode",
    "start_attempt",
    "stop_and_wait",
    "stop_assistant",
    "stop_attempt",
    "summarize",
    "unclaimed_attempts",
    "update_credential",
    "update_project_settings",
    "verify_credential",
]
