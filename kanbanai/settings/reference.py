"""The reference of all environment variables, as a page of Markdown."""

from __future__ import annotations

from kanbanai.settings import variables
from kanbanai.settings.env import Variable

INTRODUCTION = """\
# Settings

Everything that can be set is set by an environment variable, read once at the start. A value that
cannot be right stops the start with one sentence. A variable marked *secret* may also be given as a
file: set the name with `_FILE` at its end to the file's path.

*Production* is `kanbanai.settings.base`, which the containers use; *embedded* is what `make up`
runs with (`kanbanai.settings.embedded`). The embedded default is the production one where the
column is empty.

This page is written by `make docs`.

| variable | what it does | production | embedded |
|---|---|---|---|
"""


def page() -> str:
    """This will give the whole page."""
    return INTRODUCTION + "".join(_row(variable) for variable in variables.ALL)


def _row(variable: Variable[object]) -> str:
    if variable.required:
        default = "must be set"
    else:
        default = _code(variable.shown_default or str(variable.default))
    embedded = _code(variable.embedded) if variable.embedded is not None else ""
    name = f"`{variable.name}`" + (" *secret*" if variable.secret else "")
    choices = ", ".join(f"`{choice}`" for choice in variable.choices)
    kind = f"One of {choices}." if choices else f"{variable.kind[0].upper()}{variable.kind[1:]}."
    return f"| {name} | {variable.help} {kind} | {default} | {embedded} |\n"


def _code(text: str) -> str:
    """Values are shown as code, descriptions of values as text."""
    return text if " " in text and not text.startswith(("/", "~", "KanbanAI <")) else f"`{text}`"
