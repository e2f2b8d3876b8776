"""What the supervisor prints and keeps."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kanbanai.supervisor import console as consoles
from kanbanai.supervisor.children import Child, pause_after


def test_lines_are_joined_with_their_speakers_names(tmp_path: Path) -> None:
    terminal = io.BytesIO()
    console = consoles.Console(tmp_path, terminal=terminal)

    console.feed("web", b"half a ")
    console.feed("fast", b"whole\n")
    console.feed("web", b"line\n\nand more")

    assert terminal.getvalue() == b"fast    | whole\nweb     | half a line\n"
    assert (tmp_path / "web.log").read_bytes() == b"half a line\n\nand more"
    assert console.tail("web") == ["half a line"]


def test_a_quiet_child_is_only_in_its_log(tmp_path: Path) -> None:
    terminal = io.BytesIO()
    console = consoles.Console(tmp_path, terminal=terminal)
    console.silent.add("redis")

    console.feed("redis", b"ready\n")

    assert terminal.getvalue() == b""
    assert (tmp_path / "redis.log").read_bytes() == b"ready\n"


def test_a_large_log_is_put_aside_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consoles, "OLD_LOG_BYTES", 10)
    console = consoles.Console(tmp_path, terminal=io.BytesIO())

    for line in (b"first, long\n", b"second, long\n", b"third\n"):
        console.feed("web", line)

    assert (tmp_path / "web.log").read_bytes() == b"third\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"second, long\n"
    assert (tmp_path / "web.log").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "web.log").symlink_to("/dev/full")
    terminal = io.BytesIO()
    console = consoles.Console(tmp_path, terminal=terminal)

    console.feed("web", b"one\n")
    console.feed("web", b"two\n")

    full = b"The log files cannot be written (No space left on device).\n"
    assert terminal.getvalue() == full + b"web     | one\nweb     | two\n"


def test_pauses_double_up_to_half_a_minute() -> None:
    assert [pause_after(ends) for ends in range(9)] == [0.5, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_child_that_keeps_ending_says_so_with_its_last_words() -> None:
    child = Child("web", ["true"], early_ends=3, ended="exit code 1")

    assert child.message(2, ["one", "  the reason  "]) == (
        "web ended (exit code 1); it is started again in 2 s. It has ended 3 times in a row. "
        "Its last words: the reason"
    )
