"""The mark in every measured message: its number, and the moment it was published.

It is plain text, so that it survives any envelope, and has a fixed width, so that reading it costs
next to nothing. The clock is the machine's monotonic one, the same in every process.
"""

from __future__ import annotations

import time

BEGIN = b"@@"
DIGITS = 12
WIDTH = DIGITS + 1 + 20


def mark(number: int) -> str:
    """This will make the mark of a message that is published now."""
    return f"@@{number:0{DIGITS}d} {time.monotonic_ns():020d}"


def padded(number: int, size: int) -> str:
    """This will make a text of `size` characters that begins with a mark."""
    return mark(number).ljust(size, "x")
