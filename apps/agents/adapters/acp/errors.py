"""What went wrong with an agent, in words for people and from the closed list."""

import json
from typing import Any

from acp import RequestError

from apps.agents.adapters import failures

_MOST = 2_000


def describe(error: RequestError) -> str:
    """This will be an error answer as text; agents put the useful part into `data`."""
    data: Any = error.data
    if isinstance(data, dict):
        for key in ("message", "details", "error", "detail"):
            if isinstance(data.get(key), str) and data[key] not in str(error):
                return f"{error}: {data[key]}"[:_MOST]
    if data:
        return f"{error}: {json.dumps(data, default=str, ensure_ascii=False)}"[:_MOST]
    return str(error)[:_MOST]


def from_answer(error: RequestError) -> failures.AdapterError:
    """This will be the failure an error answer means."""
    text = describe(error)
    return failures.AdapterError(failures.from_error(text, code=error.code), text)


def from_exit(code: int | None, *, stderr: str, answered: bool) -> failures.AdapterError:
    """This will be the failure of an agent that went away; `answered`: it had spoken before."""
    words = " ".join(stderr.split("\n")[-8:]).strip()[-_MOST:]
    known = None if answered else failures.from_stderr(stderr)
    if known is None and not answered and code in {126, 127}:
        known = "agent_not_installed"
    what = "exited" if code is None else f"exited with code {code}"
    return failures.AdapterError(known or "agent_crashed", f"The agent {what}. {words}".strip())
