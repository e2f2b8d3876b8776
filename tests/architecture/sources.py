"""The product's own source files, parsed once for all tests that read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("core", "accounts", "orgs", "projects", "boards", "agents", "dashboard")


@cache
def modules() -> dict[Path, ast.Module]:
    """This will give every module of the product but migrations, by its path from the root."""
    found = {}
    for folder in ("apps", "kanbanai"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found[path.relative_to(ROOT)] = tree
    return found


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """This will give every call with the last part of the called name: `delay` of `x.y.delay()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr, node
            elif isinstance(function, ast.Name):
                yield function.id, node


def text_of(call: ast.Call, keyword: str) -> str | None:
    """This will give a keyword's literal text, or None where there is none."""
    for given in call.keywords:
        if given.arg == keyword and isinstance(given.value, ast.Constant):
            return str(given.value.value)
    return None
