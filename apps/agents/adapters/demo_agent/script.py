r"""Directive lines: a prompt that says word for word what the demo agent shall do.

    @plan first step; second step     publish a plan
    @write path :: content            create or overwrite a file (`\n` is a new line)
    @run shell command                ask, then run a command and show its screen
    @exitplan text of the plan        propose a plan for approval
    @tool name {"json": "input"}      show a tool call
    @call name {"json": "input"}      call a tool the client offers, and say what came of it
    @say text    @think text          speak, reason
    @ask question                     put a question to the user and repeat the answer
    @slow seconds                     stream filler text
    @big kilobytes                    one large message
    @hang                             do nothing more (a cancel still ends it)
    @error status                     fail as a model's server would with that status
    @context percent                  report the context to be that full from now on
    @flaky n status                   the first n prompts of the session fail, then go on

And what an agent should not do, to see what becomes of it:

    @crash    @garbage    @flood kilobytes    @stderr kilobytes    @child    @ignore-term
"""

import re
from dataclasses import dataclass

_KINDS = (
    "plan|write|run|exitplan|tool|call|say|think|ask|slow|big|hang|error|flaky|context"
    "|crash|garbage|flood|stderr|child|ignore-term"
)
_DIRECTIVE = re.compile(rf"^[ \t>*-]*@({_KINDS})\b[ \t]*(.*)$", re.MULTILINE)
_SLUG_LENGTH = 50


@dataclass(frozen=True)
class Step:
    """One directive."""

    kind: str
    argument: str

    def number(self, default: float) -> float:
        """This will be the first number of the argument."""
        try:
            return float(self.argument.split()[0])
        except (IndexError, ValueError):
            return default


def steps(prompt: str) -> list[Step]:
    """This will be the directives of a prompt, in order."""
    return [Step(found[1], found[2].strip()) for found in _DIRECTIVE.finditer(prompt)]


def title(prompt: str) -> str:
    """This will be the first line that says something, without marks of a heading."""
    for line in prompt.splitlines():
        if text := line.strip(" \t#*>-"):
            return text[:120]
    return "Untitled"


def slug(text: str) -> str:
    """This will be a name for a file."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:_SLUG_LENGTH].strip("-") or "note"
