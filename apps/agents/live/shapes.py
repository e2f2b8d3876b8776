"""The messages of the board channels, key by key; the reference is made of it."""

from __future__ import annotations

from apps.core.live.catalogue import Shape

CARD = "card, columnId, index"

SHAPES: tuple[Shape, ...] = (
    Shape("hello", "serverTime", "First of all messages."),
    Shape(
        "state",
        "columns, columnOrder, cards, attempts, version",
        "The whole board: after `hello`, after `resync`, on `get_state`, and (without"
        " `changes=delta`) after changes, at most ten a second.",
    ),
    Shape(
        "resync",
        "reason",
        "The cursor cannot be used (`unknown_cursor`, `too_old`, `too_many`); `state` follows.",
    ),
    Shape("card_created", CARD, "A new card, at `index` of its column. With `changes=delta`."),
    Shape(
        "card_updated",
        f"{CARD}, changes",
        "A changed card; `changes` names the fields. With `changes=delta`.",
    ),
    Shape(
        "card_moved",
        f"{CARD}, fromColumnId",
        "A card stands at `index` of a column now. With `changes=delta`.",
    ),
    Shape(
        "card_auto_mode_ended",
        f"{CARD}, reason, detail",
        "A card goes on by itself no longer, and why. With `changes=delta`.",
    ),
    Shape("card_deleted", "cardId, columnId", "A card is gone. With `changes=delta`."),
    Shape(
        "columns_changed",
        "columns, columnOrder",
        "All columns without their cards. With `changes=delta`.",
    ),
    Shape("attachment_created", "cardId, attachment", "A card's new file. With `changes=delta`."),
    Shape(
        "attachment_deleted", "cardId, attachment", "A card's file is gone. With `changes=delta`."
    ),
    Shape(
        "script_started",
        "scriptId, runId, run",
        "A script of the project runs. With `changes=delta`.",
    ),
    Shape(
        "script_output",
        "scriptId, runId, text",
        "What a script prints; never replayed. With `changes=delta`.",
    ),
    Shape(
        "script_finished",
        "scriptId, runId, run",
        "A script's run is over, however it ended. With `changes=delta`.",
    ),
    Shape("attempt_started", "attemptId, cardId", "An agent begins to work."),
    Shape(
        "attempt_status",
        "attemptId, cardId, status",
        "`queued`, `running`, `stopping`, `succeeded`, `failed` or `stopped`.",
    ),
    Shape("attempt_updated", "cardId, attempt", "The attempt as in `state`. With `changes=delta`."),
    Shape(
        "attempt_log",
        "attemptId, level, message, ts",
        "A line of the log. With `detail=full` or while watched.",
    ),
    Shape(
        "conversation_item",
        "attemptId, item",
        "A conversation item, new or changed (same `id`). With `detail=full` or while watched.",
    ),
    Shape(
        "conversation_delta",
        "attemptId, cardId, itemId, text",
        "A passing piece of text that a later item completes; never replayed. With"
        " `detail=full` or while watched.",
    ),
    Shape(
        "terminal_output",
        "attemptId, cardId, terminalId, text",
        "What a program prints; never replayed. With `detail=full` or while watched.",
    ),
    Shape("attempt_session", "attemptId, sessionId", "The agent's own session."),
    Shape("attempt_todos", "attemptId, todos", "The agent's list: `total`, `completed`, `items`."),
    Shape("attempt_approval", "attemptId, cardId, approval", "A person is asked, or answered."),
    Shape("attempt_plan", "attemptId, cardId, approvalId, plan", "A plan waits for approval."),
    Shape("attempt_usage", "attemptId, usage", "Tokens, context and cost so far."),
    Shape(
        "attempt_context",
        "attemptId, cardId, contextUsage, threshold, mode",
        "The agent's context is nearly full; with the mode `auto` it is relayed by itself.",
    ),
    Shape("git_status", "", "A worktree changed; ask for what you need of it. An empty object."),
    Shape("git_commit", "attemptId, shortSha, subject, ts", "A commit was made."),
    Shape("git_push", "attemptId, remote, branch, ts", "A branch was pushed."),
    Shape("git_push_failed", "attemptId, cardId, remote, branch, reason, ts", "A push failed."),
    Shape(
        "git_merge",
        "attemptId, cardId, ok, base, sha, strategy, changed, ts",
        "The base branch has the attempt's work now.",
    ),
    Shape("git_rebase", "attemptId, cardId, ts", "A branch was rebased."),
    Shape("attempt_pr", "attemptId, pr", "A pull request was opened or changed."),
    Shape(
        "agent_profile",
        "kind, profileId, agent, label",
        "A profile was `created`, `updated` or `deleted`.",
    ),
    Shape("agent_registered", "agent, label", "An agent can be chosen now."),
    Shape(
        "terminal_opened",
        "projectId, cardId, attemptId, worktreePath",
        "A terminal was opened in a worktree.",
    ),
    Shape("terminal_closed", "projectId, cardId, reason", "A terminal is gone."),
    Shape(
        "presence",
        "users",
        "Who looks at this board: `{id, displayName, cardId, typing}` each. Sockets only, after"
        " `view`; never replayed.",
    ),
    Shape("heartbeat", "ts", "Event streams only: every 15 seconds."),
    Shape("pong", "ts", "Sockets only: the answer to `ping`."),
    Shape("ack", "id, version, result", "Sockets only: a command was done."),
    Shape(
        "error",
        "id, code, status, detail",
        "Sockets only: a command was refused; with `STALE` also `current`.",
    ),
    Shape(
        "dashboard_overview",
        "timeRange, generatedAt, updatedAt, metrics, activeAttempts, recentAttemptActivity,"
        " inboxItems, projectSnapshots, agentStats, attemptsInRange, successRateInRange,"
        " projectsWithActivityInRange, meta",
        "Dashboard only: what `GET /api/v1/dashboard` answers; after changes, at most two a"
        " second.",
    ),
)
KEYS = {
    shape.type: frozenset(key.strip() for key in shape.keys.split(",") if key.strip())
    for shape in SHAPES
}
