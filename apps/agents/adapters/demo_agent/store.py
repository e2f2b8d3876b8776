"""Sessions of the demo agent: one file of JSON lines for each, in the attempt's home."""

import json
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any


def _folder() -> Path:
    return Path.home() / ".kanbanai-demo"


@dataclass(kw_only=True)
class Session:
    """A conversation and what it has cost so far, in USD."""

    id: str
    cwd: Path
    mode: str = "default"
    model: str = "demo"
    history: list[dict[str, Any]] = field(default_factory=list)
    # The tool servers of this process; each start is told anew.
    servers: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def new(cls, cwd: Path) -> "Session":
        """This will be an empty session, stored."""
        session = cls(id=f"demo-{uuid.uuid4()}", cwd=cwd)
        session.add(role="start", text=str(cwd))
        return session

    @classmethod
    def find(cls, session_id: str, cwd: Path) -> "Session | None":
        """This will be a stored session, or None. A last line cut off by a crash is left out."""
        path = _folder() / f"{Path(session_id).name}.jsonl"
        if not path.is_file():
            return None
        session = cls(id=session_id, cwd=cwd)
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                session.history.append(json.loads(line))
            except ValueError:
                continue
        return session

    def add(self, **row: Any) -> None:
        """This will remember something, also after a restart."""
        self.history.append(row)
        _folder().mkdir(parents=True, exist_ok=True)
        with (_folder() / f"{self.id}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    @property
    def prompts(self) -> list[str]:
        """This will be what the user said, oldest first."""
        return [row["text"] for row in self.history if row.get("role") == "user"]

    @property
    def task(self) -> dict[str, str]:
        """This will be what the conversation is for, empty for work on a card."""
        return next((row["task"] for row in self.history if row.get("role") == "task"), {})

    @property
    def said(self) -> list[str]:
        """This will be what the agent said in its turns, oldest first."""
        return [row["text"] for row in self.history if row.get("role") == "agent" and row["text"]]

    @property
    def context(self) -> float | None:
        """This will be how full the context was said to be, in percent; None where never."""
        told = [row["percent"] for row in self.history if row.get("role") == "context"]
        return told[-1] if told else None

    @property
    def note(self) -> str:
        """This will be the path of the note this session wrote, empty before."""
        return next((row["path"] for row in self.history if row.get("role") == "note"), "")

    @property
    def cost(self) -> Decimal:
        """This will be the cost of all turns."""
        return sum((Decimal(row["cost"]) for row in self.history if "cost" in row), Decimal(0))
