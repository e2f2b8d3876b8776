"""Take every address out of package-lock.json: npm asks the registry it is set up with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "package-lock.json"
ADDRESSES = ("resolved", "funding")


def main() -> None:
    """This will rewrite the lock file without download addresses and funding links."""
    lock: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))
    for package in lock["packages"].values():
        for key in ADDRESSES:
            package.pop(key, None)
    LOCK.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
