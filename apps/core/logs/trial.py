"""One line, sent while somebody waits: does the receiver take it?"""

from __future__ import annotations

import datetime as dt
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.core.logs.entries import LEVELS, PROCESS, Entry, microseconds
from apps.core.logs.pump import leave_out_this_thread
from apps.core.logs.receivers import Failed, Refused
from apps.core.logs.redaction import text

if TYPE_CHECKING:
    from apps.core.logs.receivers import Receiver

MOST_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """How it went."""

    success: bool
    message: str
    milliseconds: int


def try_out(receiver: Receiver | None) -> Outcome:
    """This will send one line where there is a receiver, and say so where there is none."""
    return Outcome(False, "No receiver is set.", 0) if receiver is None else send_one(receiver)


def send_one(receiver: Receiver, *, seconds: float = MOST_SECONDS) -> Outcome:
    """This will send one line and tell within so many seconds how it went; it never raises.

    The sending has a thread of its own: a receiver that answers drop by drop would outlast every
    limit that a connection has.
    """
    answers: queue.SimpleQueue[tuple[bool, str]] = queue.SimpleQueue()
    started = time.monotonic()
    threading.Thread(target=_send, args=(receiver, answers), name="log-trial", daemon=True).start()
    try:
        success, message = answers.get(timeout=seconds)
    except queue.Empty:
        success, message = False, f"The receiver did not answer within {seconds:g} seconds."
    return Outcome(success, text(message), round((time.monotonic() - started) * 1000))


def _send(receiver: Receiver, answers: queue.SimpleQueue[tuple[bool, str]]) -> None:
    from apps.core.logs.sending import open_sender  # noqa: PLC0415 - heavy, and rarely wanted

    leave_out_this_thread()
    entry = Entry(
        at=microseconds(dt.datetime.now(tz=dt.UTC)),
        level=LEVELS["info"],
        target="kanbanai.logs",
        message="log_export_test",
        fields={"test": True, **PROCESS.fields()},
    )
    sender = None
    try:
        sender = open_sender(receiver)
        answers.put((True, sender.send([entry])))
    except (Failed, Refused) as error:
        answers.put((False, str(error)))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        answers.put((False, f"The receiver cannot be reached: {error}."))
    finally:
        if sender is not None:
            sender.close()
