"""Examples for the OpenAPI document: one world of names and ids, laid over every shape."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from apps.core import problems

Schema = dict[str, Any]

JSON = "application/json"
PROBLEM = "application/problem+json"
# An id's part after its prefix.
SUFFIX = "01kar2m8v5e9qf3h7n0c4x6wzt"
MOMENT = "2026-11-22T09:30:00Z"
# Beyond this only what must be is shown; no shape goes as deep as the second without circles.
DEEP = 10
DEEPEST = 24

# What an object's own `id` is, by the end of its shape's name; the longest that fits counts.
KINDS = {
    "User": "user",
    "Person": "user",
    "Me": "user",
    "Organization": "org",
    "Project": "proj",
    "Board": "board",
    "Column": "col",
    "Card": "card",
    "CardDetail": "card",
    "CardRow": "card",
    "CardStatus": "card",
    "Attempt": "sess",
    "AttemptDetail": "sess",
    "Session": "sess",
    "SessionSummary": "sess",
    "Message": "msg",
    "Item": "msg",
    "Turn": "msg",
    "Approval": "appr",
    "Credential": "cred",
    "Profile": "prof",
    "Template": "tpl",
    "Attachment": "att",
    "Script": "scr",
    "Run": "run",
    "PreSession": "pre",
    "Token": "tok",
}
# What other properties hold that name an object.
REFERENCES = {
    "userId": "user",
    "ownerId": "user",
    "createdBy": "user",
    "organizationId": "org",
    "projectId": "proj",
    "boardId": "board",
    "columnId": "col",
    "fromColumnId": "col",
    "cardId": "card",
    "cardIds": "card",
    "dependsOn": "card",
    "attemptId": "sess",
    "sessionId": "sess",
    "approvalId": "appr",
    "profileId": "prof",
    "credentialId": "cred",
    "defaultCredentialId": "cred",
    "templateId": "tpl",
    "attachmentId": "att",
    "messageId": "msg",
    "scriptId": "scr",
    "runId": "run",
    "columnOrder": "col",
    "versions": "board",
}
# Names of things, by the end of the shape's name.
NAMES = {
    "Organization": "Analytical Engines",
    "Project": "Engine",
    "Board": "Main board",
    "Column": "In Progress",
    "Card": "Fit the gears",
    "Script": "Run the tests",
    "Template": "Research",
    "Token": "Continuous integration",
    "Credential": "Team key",
    "Profile": "Careful reviewer",
    "Person": "Ada Lovelace",
    "User": "Ada Lovelace",
    "Command": "/review",
    "Branch": "main",
    "Entry": "engine",
}
TEXTS: dict[str, Any] = {
    "agent": "claude-code",
    "agentMode": "code",
    "agentStatus": "running",
    "agentType": "claude-code",
    "argumentHint": "[file]",
    "authorizationUrl": "https://login.example.org/authorize?state=a1b2c3",
    "authProvider": "local",
    "avatarUrl": "https://example.org/ada.png",
    "base": "main",
    "baseBranch": "main",
    "branch": "kanbanai/ENG-12-fit-the-gears",
    "branchName": "kanbanai/ENG-12-fit-the-gears",
    "cardTitle": "Fit the gears",
    "code": "required",
    "color": "teal",
    "columnName": "In Progress",
    "columnType": "active",
    "command": "make test",
    "commit": "9f2c1d7e0b3a4c5d6e7f8091a2b3c4d5e6f70819",
    "content": "The gears are fitted; the tests pass.",
    "contentType": "text/plain",
    "currentPassword": "the pass phrase until now",
    "cursor": "WyJhMCIsIjAxOTNhMGM0Il0",
    "nextCursor": "WyJhMCIsIjAxOTNhMGM0Il0",
    "defaultBranch": "main",
    "description": "The third wheel slips under load.",
    "diff": "--- a/gears.py\n+++ b/gears.py\n@@ -1 +1 @@\n-teeth = 41\n+teeth = 42\n",
    "displayName": "Ada Lovelace",
    "email": "ada@example.org",
    "endpoint": "https://logs.example.org/ingest",
    "feedback": "Keep the old interface.",
    "filename": "gears.txt",
    "generatedPassword": "brass-lever-eleven-cogs",
    "issuer": "https://login.example.org",
    "key": "ENG-12",
    "label": "gears",
    "labels": "gears",
    "level": "info",
    "liveLine": "Running the tests",
    "message": "Fit the gears",
    "mergeStrategy": "squash",
    "name": "Engine",
    "newPassword": "a new pass phrase of one's own",
    "output": "42 passed in 1.3s\n",
    "parent": "/srv/repositories",
    "password": "a long enough pass phrase",
    "path": "/srv/repositories/engine",
    "priority": "high",
    "prompt": "Fit the gears so that the third wheel no longer slips.",
    "provider": "anthropic",
    "q": "ada",
    "redirectUri": "https://kanban.example.org/api/oidc/callback",
    "registration": "invited",
    "role": "member",
    "scope": "read",
    "search": "gears",
    "secret": "kbn_5f3a0c9d1e7b48263a9d0c4e8f125b67",
    "sha": "9f2c1d7e0b3a4c5d6e7f8091a2b3c4d5e6f70819",
    "skillName": "review",
    "source": "project",
    "status": "running",
    "summary": "Fitted the gears and added two tests.",
    "target": "apps.agents.runner",
    "text": "Fit the gears.",
    "theme": "dark",
    "ticket": "n3Yc0vU1mZ8kQ4xR",
    "ticketKey": "ENG-12",
    "ticketPrefix": "ENG",
    "ticketType": "feature",
    "title": "Fit the gears",
    "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl",
    "toolName": "Bash",
    "type": "text",
    "url": "https://git.example.org/engine.git",
    "username": "ada",
}
NUMBERS = {
    "deletions": 12,
    "disk": 4,
    "insertions": 48,
    "limit": 50,
    "number": 12,
    "offset": 0,
    "ownedProjectsCount": 2,
    "position": 0,
    "size": 2048,
    "threshold": 80,
    "total": 1,
    "version": 42,
}
CODES = {kind.status: kind.default_code for kind in problems.Problem.__subclasses__()}
DETAILS = {kind.status: kind.default_detail for kind in problems.Problem.__subclasses__()}


def add_examples(result: Schema, **_: Any) -> Schema:
    """This will give every request and answer of the document an example (a hook)."""
    world = World(result["components"].get("schemas", {}))
    refusals: Schema = {}
    for operation in (one for item in result["paths"].values() for one in item.values()):
        for parameter in operation.get("parameters", []):
            if "schema" in parameter:
                made = world.example(parameter["schema"], parameter["name"])
                parameter.setdefault("example", made)
        asked = operation.get("requestBody", {}).get("content", {})
        if JSON in asked:
            asked[JSON]["example"] = world.example(asked[JSON]["schema"], "")
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            if PROBLEM in content:
                # The same everywhere, so each is written once.
                name = CODES.get(int(status), "INTERNAL_ERROR")
                refusals[name] = {"value": _problem(int(status))}
                content[PROBLEM]["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}
            if JSON in content:
                content[JSON]["example"] = world.example(content[JSON]["schema"], "")
    result["components"]["examples"] = dict(sorted(refusals.items()))
    return result


def _problem(status: int) -> Schema:
    shown: Schema = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": DETAILS.get(status, HTTPStatus(status).phrase),
        "code": CODES.get(status, "INTERNAL_ERROR"),
        "instance": f"/api/v1/projects/proj_{SUFFIX}",
    }
    if status == HTTPStatus.BAD_REQUEST:
        shown["errors"] = [
            {"field": "name", "code": "required", "detail": "This field is required."}
        ]
    return shown


def _ending(table: dict[str, str], component: str) -> str | None:
    fitting = [word for word in table if component.endswith(word)]
    return table[max(fitting, key=len)] if fitting else None


class World:
    """The examples of one document, by its shapes."""

    def __init__(self, components: Schema) -> None:
        self.components = components

    def example(self, schema: Schema, name: str, owner: str = "", depth: int = 0) -> Any:
        """This will make up a value of a shape; `name` is its property, `owner` whose."""
        if depth > DEEPEST:
            return None
        if "$ref" in schema:
            component = schema["$ref"].rpartition("/")[2]
            return self.example(self.components[component], name, component, depth + 1)
        if "default" in schema and schema["default"] not in (None, "", [], {}):
            return schema["default"]
        if "enum" in schema:
            wanted = TEXTS.get(name)
            usual = next((one for one in schema["enum"] if one not in ("", None)), None)
            return wanted if wanted in schema["enum"] else usual
        for word in ("anyOf", "oneOf", "allOf"):
            options = [one for one in schema.get(word, []) if one.get("type") != "null"]
            if options:
                return self.example(options[0], name, owner, depth + 1)
        return self._of_type(schema, name, owner, depth)

    def _of_type(self, schema: Schema, name: str, owner: str, depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        match kind:
            case "object":
                return self._object(schema, name, owner, depth)
            case "array":
                inner = schema.get("items", {})
                return [] if depth > DEEP else [self.example(inner, name, owner, depth + 1)]
            case "string":
                return _text(schema, name, owner)
            case "integer" | "number":
                return _number(schema, name)
            case "boolean":
                return True
        return None if kind == "null" else {}

    def _object(self, schema: Schema, name: str, owner: str, depth: int) -> Schema:
        found = {
            key: self.example(value, key, owner, depth + 1)
            for key, value in schema.get("properties", {}).items()
            if depth <= DEEP or key in schema.get("required", [])
        }
        values = schema.get("additionalProperties")
        if not found and isinstance(values, dict) and values:
            inner = values.get("$ref", "").rpartition("/")[2]
            kind = _ending(KINDS, inner) or REFERENCES.get(name)
            key = f"{kind}_{SUFFIX}" if kind else "example"
            found[key] = self.example(values, name, owner, depth + 1)
        return found


def _text(schema: Schema, name: str, owner: str) -> str:
    prefix = re.match(r"\^([a-z]+)_\[0-7\]", schema.get("pattern", ""))
    kind = prefix[1] if prefix else REFERENCES.get(name)
    if name == "id" and not prefix:
        kind = _ending(KINDS, owner)
    if kind:
        return f"{kind}_{SUFFIX}"
    if schema.get("format") == "date-time" or name.endswith("At") or name == "timestamp":
        return MOMENT
    text = str((_ending(NAMES, owner) if name == "name" else None) or TEXTS.get(name, ""))
    if not text:
        text = {"uri": TEXTS["url"], "email": TEXTS["email"]}.get(schema.get("format", ""), "gears")
    longest = schema.get("maxLength")
    return text[:longest] if longest else text


def _number(schema: Schema, name: str) -> int:
    least, most = int(schema.get("minimum", 0)), schema.get("maximum")
    found = max(NUMBERS.get(name, 1), least)
    return found if most is None else min(found, int(most))
