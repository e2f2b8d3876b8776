"""The actions that have a key, and their keys unless a person chose others.

The pages draw and read the same table (`static/js/keyboard.js`); a test holds the two together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

DEFAULTS = {
    "help": "?",
    "filter": "/",
    "new": "c",
    "inbox": "g i",
    "board": "g b",
    "dashboard": "g d",
    "settings": "g s",
    "down": "j",
    "up": "k",
    "left": "h",
    "right": "l",
    "open": "Enter",
    "close": "Escape",
    "select": "x",
    "move": "m 1–9",  # noqa: RUF001 - as the pages write it
    "shift": "Shift J",
    "run": "r",
    "stop": ".",
    "allow": "y",
    "deny": "n",
    "full": "f",
    "tab-brief": "v b",
    "tab-run": "v r",
    "tab-changes": "v c",
    "tab-history": "v h",
    "next-file": "]",
    "previous-file": "[",
    "viewed": "Space",
    "send": "Ctrl Enter",
}
# Keys that do the same beside the first one; nobody can give them to another action.
ALSO = {
    "down": ("ArrowDown",),
    "up": ("ArrowUp",),
    "left": ("ArrowLeft",),
    "right": ("ArrowRight",),
    "shift": ("Shift K",),
}


def merged(changes: Mapping[str, str]) -> dict[str, str]:
    """This will give every action's keys: the person's own, else the default."""
    return {action: changes.get(action, keys) for action, keys in DEFAULTS.items()}


def _plain(keys: str) -> str:
    """As pages hear them: the table writes some keys the way people say them."""
    return keys.replace("Ctrl ", "mod+").replace("Shift ", "")


def used_twice(changes: Mapping[str, str]) -> set[str]:
    """This will give the keys that more than one action would have."""
    used = Counter(_plain(keys) for keys in merged(changes).values())
    used.update(_plain(keys) for several in ALSO.values() for keys in several)
    return {keys for keys, count in used.items() if count > 1}


# A printable character or a named key, alone or with Ctrl (`mod` is ⌘ on a Mac) and Alt.
_KEY = (
    r"(?:Ctrl |Shift |mod\+|alt\+|mod\+alt\+)?"
    r"(?:[!-~]|Enter|Escape|Space|Tab|Backspace|Delete|Home|End|PageUp|PageDown|Insert"
    r"|Arrow(?:Up|Down|Left|Right)|F(?:[1-9]|1[0-2]))"
)
_KEYS = re.compile(rf"{_KEY}(?: {_KEY})?")
# The number of a column follows the key that moves a card.
_WITH_DIGIT = re.compile(rf"{_KEY} 1–9")  # noqa: RUF001 - as the pages write it


def is_possible(action: str, keys: str) -> bool:
    """True when pages can hear these keys for that action.

    What is pressed while one writes must not be a letter of the text.
    """
    if action == "move":
        return _WITH_DIGIT.fullmatch(keys) is not None
    if action == "send":
        return _KEYS.fullmatch(keys) is not None and keys.startswith(("Ctrl ", "mod+", "alt+"))
    return _KEYS.fullmatch(keys) is not None


def hidden(changes: Mapping[str, str]) -> set[str]:
    """This will give the keys that nobody could press: they begin with those of another action."""
    used = {_plain(keys) for keys in merged(changes).values()}
    return {keys for keys in used if " " in keys and keys.split(" ")[0] in used}
