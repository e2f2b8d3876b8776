"""Signs of life of the requests that hold an idempotency key: their claims stay young.

A claim that is not renewed was left by a process that died, so its key can soon be used again. One
thread renews all claims of its process, and ends when there are none.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone

from apps.core.models import KeptAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable

log = structlog.get_logger(__name__)

RENEW_SECONDS = 5.0
# A busy machine may be late several times before a claim counts as left behind.
LEASE = timedelta(seconds=30)


class Renewals:
    """The claims of this process."""

    def __init__(self) -> None:
        self._claims: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, claim: str) -> None:
        """This will keep a claim young until it is removed."""
        with self._lock:
            self._claims.add(claim)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="renewals", daemon=True)
                self._thread.start()

    def remove(self, claim: str) -> None:
        """This will let a claim grow old; removing twice does nothing."""
        with self._lock:
            self._claims.discard(claim)

    def _run(self) -> None:
        # Nobody notifies: the wait only lets the short requests, nearly all of them, pass by.
        pause = threading.Event()
        while True:
            pause.wait(RENEW_SECONDS)
            with self._lock:
                claims = list(self._claims)
                if not claims:
                    self._thread = None
                    return
            renew(claims)


def renew(claims: Iterable[str]) -> None:
    """This will say that the requests of these claims are still at work."""
    try:
        KeptAnswer.objects.filter(claim__in=claims, status=None).update(claimed_at=timezone.now())
    except DatabaseError as error:
        # The next round tries again; a claim lives through several of them.
        log.warning("claims_not_renewed", error=str(error))
    finally:
        connection.close()


renewals = Renewals()
