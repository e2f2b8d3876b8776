"""What stands in a folder, as the demo agent sees it."""

import os
from pathlib import Path

_HIDDEN = frozenset({".git", "node_modules", ".venv", "__pycache__"})


def listed(root: Path) -> list[str]:
    """This will list the files of a folder, by their paths inside it."""
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - _HIDDEN)
        inside = Path(folder).relative_to(root)
        found += [str(inside / name) for name in sorted(names) if name != ".git"]
    return found


def counted(files: int) -> str:
    """This will be a number of files in words."""
    return "1 file" if files == 1 else f"{files} files"
