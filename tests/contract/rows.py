"""Every documented address of the REST API: who may ask, what a good request is, what comes back.

Names in braces stand for what `world.World` holds. An answer is written as the shape of `data`:
a dict has exactly these keys, a list of one shape is a list of such things, ANY is any value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

ANY = "any value"
FILE = "a file, not an envelope"
REDIRECT = "a redirect"
NOTHING = None


class Access(Enum):
    """Who may ask."""

    PUBLIC = "anybody"
    AUTH = "whoever is signed in"
    ORG = "members of the organization"
    ORG_ADMIN = "admins of the organization"
    PROJECT = "members of the project"
    PROJECT_ADMIN = "admins of the project"
    OWN = "who made it, and admins of the server"
    ADMIN = "admins of the server"
    SUPER = "super admins"


PUBLIC, AUTH, ORG, ORG_ADMIN = Access.PUBLIC, Access.AUTH, Access.ORG, Access.ORG_ADMIN
PROJECT, PROJECT_ADMIN, OWN = Access.PROJECT, Access.PROJECT_ADMIN, Access.OWN
ADMIN, SUPER = Access.ADMIN, Access.SUPER


@dataclass(frozen=True)
class Row:
    """One method of one address; `given` names what must be so before the request."""

    number: int
    method: str
    path: str
    access: Access
    status: int
    answer: Any
    body: dict[str, Any] | None = None
    given: str = ""
    # A multipart body holds a file and nothing else.
    upload: bool = False

    @property
    def name(self) -> str:
        """How a test's name shows the row."""
        return f"{self.number} {self.method} {self.path.split('?')[0]}"


def keys(names: str) -> dict[str, Any]:
    """This will be an object with these keys."""
    return dict.fromkeys(names.split(), ANY)


# What clients get beyond the documented keys, and why: nothing else may be added to an answer.
BEYOND = {
    # Where a repository came from, and how far it is on its way here.
    "project": keys("origin repositoryUrl state clone"),
    # The board's own names and limits of columns.
    "column": keys("key wipLimit"),
    # What a card shows in its column without a question for each card.
    "card in lists": keys(
        "description ticketKey projectId boardId ticketType priority labels isEnhanced "
        "disableAutoCloseOnPRMerge isAutoMode isDeferred awaitingApproval credentialId dependsOn "
        "blocked agentStatus liveLine branchName createdAt updatedAt"
    )
    | {"assignees": ANY, "stats": keys("insertions deletions")},
    # What row 56 takes, and what row 62 has written.
    "card": keys("skipApproval skipPlanColumns pipeline"),
    "attachment": keys("createdAt"),
    "diff": keys("truncated"),
    # What can be set, told apart from what has the same mask.
    "credential": keys("authType status baseUrl updatedAt"),
    "usage": {"localWindows": [keys("window sessions inputTokens outputTokens costUsd")]},
    "used": keys("costUsd"),
    "template": keys("isBuiltIn createdBy"),
    # Why a run ended without an exit code.
    "script run": keys("detail"),
    "slash command": keys("source argumentHint"),
    # How groups of the identity provider become roles here.
    "oidc": keys(
        "name scopes trustEmails groupsClaim superAdminGroups adminGroups organizationGroups"
    ),
}

ME = keys("id email displayName role")
ADMIN_USER = keys("id email name role authProvider avatarUrl isSuperAdmin createdAt")
ORGANIZATION = keys("id name")
MEMBER = keys("userId email displayName role")
PROJECT_MEMBER = keys("userId email displayName role status")
PROJECT_SHAPE = BEYOND["project"] | keys(
    "id name path description color organizationId ownerId position isGitRepo credentialId "
    "unreadCount lastOpenedAt createdAt updatedAt"
)
BOARD = keys("id name projectId position")
COLUMN = BEYOND["column"] | keys("id name columnType position boardId prompt agentMode skillName")
CARD_ROW = BEYOND["card in lists"] | keys("id title columnId position hasActiveAgent")
ATTACHMENT = BEYOND["attachment"] | keys("id filename contentType size")
CARD = (
    CARD_ROW
    | BEYOND["card"]
    | keys("columnName prompt useWorktree hasUnread completedAt summary attachments")
)
DIFF = BEYOND["diff"] | {"diff": ANY, "stats": keys("filesChanged insertions deletions")}
STEP = keys("columnId columnName prompt enabled")
AGENT = keys("sessionId status cardId")
SESSION = keys("id cardId columnId status credentialId contextUsage startedAt endedAt")
SESSION_SUMMARY = SESSION | keys("columnName summary messageCount inputTokens outputTokens")
MESSAGE = keys("id sessionId role type content toolName createdAt")
PRE_SESSION = keys("id cardId status")
CREDENTIAL = keys("id name provider")
USED = BEYOND["used"] | keys("sessions inputTokens outputTokens")
USAGE = BEYOND["usage"] | {"available": ANY, "windows": ANY, "local": USED}
TEMPLATE_COLUMN = keys("name columnType prompt agentMode skillName")
TEMPLATE = BEYOND["template"] | {"id": ANY, "name": ANY, "columns": [TEMPLATE_COLUMN]}
SCRIPT = keys("id name command position")
SCRIPT_RUN = BEYOND["script run"] | keys(
    "scriptId runId status exitCode startedAt finishedAt output"
)
SLASH_COMMAND = BEYOND["slash command"] | keys("name description")
NOTIFICATIONS = keys("inApp browser sound email") | {
    "events": keys(
        "agentCompleted agentFailed approvalNeeded inputNeeded scriptFinished invitation"
    )
}
RELAY = keys("mode threshold")
AUTH_SETTINGS = keys("enabled registration")
PREFERENCES = keys("theme highContrast sidebarExpanded agentReasoning statusLine hiddenToolTypes")
LOG_EXPORT = keys("enabled type endpoint headers level")
BACKUP = keys("filename size createdAt")
OIDC = BEYOND["oidc"] | keys("issuerUrl clientId clientSecret redirectUri")

P = "projects/{project}"
C = "projects/{project}/cards/{card}"
NEW_PASSWORD = "a river, a lantern and a kite"

# fmt: off
ROWS = [
    # health and sign-in
    Row(1, "GET", "health", PUBLIC, 200, keys("status")),
    Row(2, "GET", "settings/auth-status", PUBLIC, 200, keys("authEnabled oidcEnabled hasUsers")),
    Row(3, "POST", "auth/setup", PUBLIC, 201, {"token": ANY, "user": ME},
        {"email": "first@example.org", "password": NEW_PASSWORD, "displayName": "First"},
        given="an empty server"),
    Row(4, "POST", "auth/login", PUBLIC, 200, {"token": ANY, "user": ME},
        {"email": "ada@example.org", "password": "{password}"}),
    Row(5, "POST", "auth/register", PUBLIC, 201, {"token": ANY, "user": ME},
        {"email": "new@example.org", "password": NEW_PASSWORD}),
    Row(6, "GET", "auth/me", AUTH, 200, ME),
    # people
    Row(7, "GET", "admin/users?search=a", ADMIN, 200, {"users": [ADMIN_USER], "total": ANY}),
    Row(8, "POST", "admin/users", ADMIN, 201, {"user": ADMIN_USER, "generatedPassword": ANY},
        {"email": "new@example.org", "name": "New", "role": "user"}),
    Row(9, "PATCH", "admin/users/{eve}", ADMIN, 200, ADMIN_USER, {"name": "Eva"}),
    Row(10, "DELETE", "admin/users/{eve}", ADMIN, 204, NOTHING),
    Row(11, "POST", "admin/users/{eve}/reset-password", ADMIN, 200, keys("generatedPassword")),
    Row(12, "GET", "admin/users/{eve}/check-delete", ADMIN, 200, keys("ownedProjectsCount")),
    # organizations
    Row(13, "POST", "organizations", AUTH, 201, ORGANIZATION, {"name": "Boilers"}),
    Row(14, "GET", "organizations", AUTH, 200, [ORGANIZATION]),
    Row(15, "GET", "organizations/{organization}", ORG, 200, ORGANIZATION),
    Row(16, "PATCH", "organizations/{organization}", ORG_ADMIN, 200, ORGANIZATION, {"name": "B"}),
    Row(17, "DELETE", "organizations/{organization}", ORG_ADMIN, 204, NOTHING),
    Row(18, "GET", "organizations/{organization}/members", ORG, 200, [MEMBER]),
    Row(19, "POST", "organizations/{organization}/members", ORG_ADMIN, 201, MEMBER,
        {"email": "eve@example.org", "role": "member"}),
    Row(20, "PATCH", "organizations/{organization}/members/{bob}", ORG_ADMIN, 200, MEMBER,
        {"role": "admin"}),
    Row(21, "DELETE", "organizations/{organization}/members/{cid}", ORG_ADMIN, 204, NOTHING),
    Row(22, "PUT", "organizations/{organization}/default-credential", ORG_ADMIN, 200,
        keys("id name defaultCredentialId"), {"credentialId": "{credential}"}),
    # projects
    Row(23, "POST", "projects", AUTH, 201, PROJECT_SHAPE, {"name": "Motor", "path": "{folder}"},
        given="a repository of one's own"),
    Row(24, "GET", "projects", AUTH, 200, [PROJECT_SHAPE]),
    Row(25, "GET", P, PROJECT, 200, PROJECT_SHAPE),
    Row(26, "DELETE", P, PROJECT_ADMIN, 204, NOTHING),
    Row(27, "PATCH", "projects/reorder", AUTH, 200, [PROJECT_SHAPE], {"ids": ["{project}"]}),
    Row(28, "PATCH", f"{P}/last-opened", PROJECT, 204, NOTHING),
    Row(29, "POST", f"{P}/mark-all-read", PROJECT, 204, NOTHING),
    Row(30, "GET", f"{P}/export", PROJECT, 200, FILE),
    Row(31, "GET", f"{P}/files", PROJECT, 200, [ANY]),
    Row(32, "PUT", f"{P}/credential", PROJECT_ADMIN, 200, PROJECT_SHAPE,
        {"credentialId": "{credential}"}),
    # members
    Row(33, "GET", f"{P}/members", PROJECT, 200, [PROJECT_MEMBER]),
    Row(34, "POST", f"{P}/members", PROJECT_ADMIN, 201, PROJECT_MEMBER,
        {"email": "new@example.org"}),
    Row(35, "PATCH", f"{P}/members/{{bob}}", PROJECT_ADMIN, 200, PROJECT_MEMBER, {"role": "admin"}),
    Row(36, "DELETE", f"{P}/members/{{cid}}", PROJECT_ADMIN, 204, NOTHING),
    Row(37, "DELETE", f"{P}/invitations/waiting@example.org", PROJECT_ADMIN, 204, NOTHING),
    # boards
    Row(38, "GET", f"{P}/boards", PROJECT, 200, [BOARD]),
    Row(39, "POST", f"{P}/boards", PROJECT, 201, BOARD, {"name": "Second"}),
    Row(40, "PATCH", f"{P}/boards/{{board}}", PROJECT, 200, BOARD, {"name": "First"}),
    Row(41, "DELETE", f"{P}/boards/{{spare_board}}", PROJECT_ADMIN, 204, NOTHING),
    Row(42, "PATCH", f"{P}/boards/reorder", PROJECT, 200, [BOARD],
        {"ids": ["{spare_board}", "{board}"]}),
    # columns
    Row(43, "GET", f"{P}/columns?boardId={{board}}", PROJECT, 200, [COLUMN]),
    Row(44, "POST", f"{P}/columns", PROJECT, 201, COLUMN,
        {"name": "Test", "columnType": "active", "boardId": "{board}", "prompt": "Test it."}),
    Row(45, "PATCH", f"{P}/columns/{{review}}", PROJECT, 200, COLUMN, {"name": "Look"}),
    Row(46, "DELETE", f"{P}/columns/{{done}}", PROJECT, 204, NOTHING),
    Row(47, "PATCH", f"{P}/columns/reorder", PROJECT, 200, [COLUMN],
        {"ids": ["{done}", "{review}", "{inProgress}", "{backlog}"]}),
    Row(48, "POST", f"{P}/columns/{{backlog}}/clean-all", PROJECT, 204, NOTHING),
    # cards
    Row(49, "GET", f"{P}/cards", PROJECT, 200, [CARD_ROW]),
    Row(50, "GET", C, PROJECT, 200, CARD),
    Row(51, "PATCH", C, PROJECT, 200, CARD, {"title": "New", "prompt": "Do.", "labels": ["a"]}),
    Row(52, "DELETE", f"{C}?force=true", PROJECT, 204, NOTHING),
    Row(53, "POST", f"{C}/view", PROJECT, 204, NOTHING),
    Row(54, "PATCH", f"{C}/move", PROJECT, 200, CARD, {"columnId": "{done}", "position": 0}),
    Row(55, "GET", f"{C}/diff", PROJECT, 200, DIFF),
    Row(56, "PATCH", f"{C}/auto-mode", PROJECT, 200, CARD, {"enabled": True}),
    Row(57, "POST", f"{C}/approve-auto", PROJECT, 204, NOTHING,
        given="a card that awaits approval"),
    Row(58, "POST", f"{C}/complete", PROJECT, 204, NOTHING),
    Row(59, "POST", f"{C}/activate", PROJECT, 204, NOTHING, given="a deferred card"),
    Row(60, "PUT", f"{C}/credential", PROJECT, 200, CARD, {"credentialId": "{credential}"}),
    Row(61, "GET", f"{C}/pipeline", PROJECT, 200, {"steps": [STEP]}),
    Row(62, "PUT", f"{C}/pipeline", PROJECT, 200, {"steps": [STEP]},
        {"steps": [{"columnId": "{inProgress}", "prompt": "Go."}]}),
    Row(63, "GET", f"{C}/attachments", PROJECT, 200, [ATTACHMENT], given="an attachment"),
    Row(64, "POST", f"{C}/attachments", PROJECT, 201, ATTACHMENT, upload=True),
    Row(65, "GET", "attachments/{attachment}", PROJECT, 200, FILE, given="an attachment"),
    # cards for scripts
    Row(66, "POST", "cards", PROJECT, 201, keys("id title projectId columnId position"),
        {"projectId": "{project}", "title": "From a script", "prompt": "Do it."}),
    Row(67, "GET", "cards/{card}", PROJECT, 200,
        {"id": ANY, "title": ANY, "columnName": ANY, "sessions": [SESSION]},
        given="an ended session"),
    Row(68, "GET", "cards/{card}/status", PROJECT, 200, keys("id title columnName hasActiveAgent")),
    # agents
    Row(69, "GET", f"{C}/agent", PROJECT, 200, AGENT, given="an ended session"),
    Row(70, "POST", f"{C}/agent/cancel", PROJECT, 204, NOTHING),
    Row(71, "GET", f"{C}/agent/sessions", PROJECT, 200, [SESSION], given="an ended session"),
    Row(72, "GET", f"{C}/agent/history", PROJECT, 200, [SESSION_SUMMARY], given="an ended session"),
    Row(73, "GET", f"{C}/agent/messages", PROJECT, 200, [MESSAGE], given="an ended session"),
    Row(74, "POST", f"{C}/agent/message", PROJECT, 201, MESSAGE, {"content": "Go on."}),
    Row(75, "POST", f"{C}/agent/retry", PROJECT, 204, NOTHING, given="a failed session"),
    Row(76, "POST", f"{C}/agent/relaunch", PROJECT, 204, NOTHING, given="an ended session"),
    Row(77, "POST", f"{C}/agent/relay", PROJECT, 204, NOTHING,
        given="a session that can be handed over"),
    Row(78, "POST", f"{C}/agent/plan-approve", PROJECT, 200, AGENT, {"approved": True},
        given="a plan that waits"),
    Row(79, "POST", f"{C}/summary", PROJECT, 200, keys("summary"), given="an ended session"),
    Row(80, "GET", f"{P}/active-agents", PROJECT, 200, [keys("cardId cardTitle status")],
        given="a plan that waits"),
    # the assistant
    Row(81, "GET", f"{P}/assistant", PROJECT, 200, keys("status sessionId messages")),
    Row(82, "POST", f"{P}/assistant/message", PROJECT, 201, MESSAGE, {"content": "Hello."}),
    # credentials
    Row(83, "GET", "credentials", AUTH, 200, [keys("id name provider authType status")]),
    Row(84, "POST", "credentials", SUPER, 201, CREDENTIAL,
        {"name": "Team", "provider": "openai", "apiKey": "sk-0123456789abcdef0123"}),
    Row(85, "GET", "credentials/{credential}", SUPER, 200,
        CREDENTIAL | BEYOND["credential"] | keys("apiKey")),
    Row(86, "PATCH", "credentials/{credential}", SUPER, 200, CREDENTIAL, {"name": "Other"}),
    Row(87, "DELETE", "credentials/{credential}", SUPER, 204, NOTHING),
    Row(88, "POST", "credentials/{credential}/verify", SUPER, 200,
        keys("valid error checkedAt"), given="a model provider"),
    Row(89, "GET", "credentials/{credential}/usage", AUTH, 200, USAGE),
    Row(90, "POST", "credentials/oauth/init", SUPER, 201,
        keys("credentialId authorizationUrl status expiresAt"), {"provider": "anthropic"},
        given="a model provider"),
    Row(91, "GET", "credentials/{credential}/oauth/status", SUPER, 200, keys("status error"),
        given="a login that waits"),
    # pre-sessions
    Row(92, "POST", f"{P}/pre-session", PROJECT, 201, PRE_SESSION, {"cardId": "{card}"},
        given="a deferred card"),
    Row(93, "POST", f"{P}/pre-session/{{preSession}}/message", PROJECT, 201, MESSAGE,
        {"content": "Sharper."}, given="a pre-session"),
    Row(94, "POST", f"{P}/pre-session/{{preSession}}/accept", PROJECT, 200,
        PRE_SESSION | keys("prompt"), given="a pre-session with an answer"),
    Row(95, "POST", f"{P}/pre-session/{{preSession}}/cancel", PROJECT, 204, NOTHING,
        given="a pre-session"),
    Row(96, "GET", f"{P}/pre-session/{{preSession}}/messages", PROJECT, 200, [MESSAGE],
        given="a pre-session with an answer"),
    # templates
    Row(97, "GET", "board-templates", AUTH, 200, [TEMPLATE]),
    Row(98, "POST", "board-templates", AUTH, 201, TEMPLATE,
        {"name": "Two", "columns": [{"name": "A", "columnType": "backlog"}]}),
    Row(99, "PATCH", "board-templates/{template}", OWN, 200, TEMPLATE, {"name": "Three"}),
    Row(100, "DELETE", "board-templates/{template}", OWN, 204, NOTHING),
    # files of the server
    Row(101, "GET", "filesystem/browse?path={root_folder}", AUTH, 200,
        {"path": ANY, "parent": ANY, "entries": [keys("name path isDirectory isGitRepo")]}),
    Row(102, "GET", "filesystem/read?path={readme}", AUTH, 200,
        keys("path content size truncated")),
    # scripts
    Row(103, "GET", f"{P}/scripts", PROJECT, 200, [SCRIPT]),
    Row(104, "POST", f"{P}/scripts", PROJECT, 201, SCRIPT, {"name": "Test", "command": "true"}),
    Row(105, "PUT", f"{P}/scripts/reorder", PROJECT, 200, [SCRIPT], {"ids": ["{script}"]}),
    Row(106, "GET", f"{P}/scripts/status", PROJECT, 200, [SCRIPT_RUN]),
    Row(107, "PUT", f"{P}/scripts/{{script}}", PROJECT, 200, SCRIPT, {"name": "Other"}),
    Row(108, "DELETE", f"{P}/scripts/{{script}}", PROJECT, 204, NOTHING),
    Row(109, "POST", f"{P}/scripts/{{script}}/run", PROJECT, 201,
        keys("runId scriptId status startedAt")),
    Row(110, "POST", f"{P}/scripts/{{script}}/cancel", PROJECT, 204, NOTHING),
    Row(111, "GET", f"{P}/slash-commands", PROJECT, 200, [SLASH_COMMAND]),
    # settings
    Row(112, "GET", "settings/auth", ADMIN, 200, AUTH_SETTINGS),
    Row(113, "PUT", "settings/auth", SUPER, 200, AUTH_SETTINGS, {"enabled": True}),
    Row(114, "GET", "settings/notifications", AUTH, 200, NOTIFICATIONS),
    Row(115, "PUT", "settings/notifications", AUTH, 200, NOTIFICATIONS, {"sound": True}),
    Row(116, "GET", "settings/context-relay", AUTH, 200, RELAY),
    Row(117, "PUT", "settings/context-relay", ADMIN, 200, RELAY, {"mode": "auto", "threshold": 70}),
    Row(118, "GET", "settings/keyboard-shortcuts", AUTH, 200, {"shortcuts": ANY}),
    Row(119, "PUT", "settings/keyboard-shortcuts", AUTH, 200, {"shortcuts": ANY},
        {"shortcuts": {}}),
    Row(120, "GET", "user/settings", AUTH, 200, PREFERENCES),
    Row(121, "PUT", "user/settings", AUTH, 200, PREFERENCES, {"theme": "light"}),
    Row(122, "GET", "users/search?q=bob", AUTH, 200, [keys("id email displayName")]),
    Row(123, "GET", f"{P}/panel-states", PROJECT, 200, {}),
    Row(124, "PUT", f"{P}/panel-states", PROJECT, 200, {"{card}": ANY}, {"{card}": {"open": True}}),
    Row(125, "DELETE", f"{P}/panel-states/{{card}}", PROJECT, 204, NOTHING),
    # logs
    Row(126, "GET", "logs?level=info", ADMIN, 200,
        [keys("timestamp level target message fields")], given="a log entry"),
    Row(127, "GET", "settings/log-export", SUPER, 200, LOG_EXPORT),
    Row(128, "PUT", "settings/log-export", SUPER, 200, LOG_EXPORT, {"enabled": False}),
    Row(129, "POST", "settings/log-export/test", SUPER, 200, keys("success message latencyMs")),
    # export and backups
    Row(130, "POST", "export", ORG_ADMIN, 200, FILE, {"organizationId": "{organization}"}),
    Row(131, "POST", "backups", SUPER, 201, BACKUP),
    Row(132, "GET", "backups", SUPER, 200, [BACKUP], given="a backup"),
    Row(133, "GET", "backups/{backup}", SUPER, 200, FILE, given="a backup"),
    # OIDC
    Row(134, "GET", "settings/oidc", SUPER, 200, OIDC, given="a configured provider"),
    Row(135, "POST", "settings/oidc", SUPER, 200, OIDC,
        {"issuerUrl": "https://id.example.org", "clientId": "kanban", "clientSecret": "a secret!"}),
    Row(136, "DELETE", "settings/oidc", SUPER, 204, NOTHING, given="a configured provider"),
    Row(137, "POST", "oidc/test", SUPER, 200, keys("success issuer error")),
    Row(138, "GET", "oidc/login", PUBLIC, 302, REDIRECT, given="a configured provider"),
    Row(139, "GET", "oidc/callback?error=access_denied", PUBLIC, 302, REDIRECT),
]
# fmt: on
