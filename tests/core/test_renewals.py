"""Requests at work keep their idempotency keys; those of processes that died are free again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.core import renewals, replays
from apps.core.models import KeptAnswer
from apps.core.renewals import Renewals

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = timedelta(minutes=1)


def until(true: Callable[[], object]) -> None:
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_the_claim_of_a_request_at_work_stays_young(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewals, "RENEW_SECONDS", 0.05)
    before = timezone.now() - LONG_AGO
    for name in ("mine", "dead"):
        KeptAnswer.objects.create(key=name, fingerprint="f", claim=name, claimed_at=before)
    KeptAnswer.objects.create(
        key="done", fingerprint="f", claim="done", claimed_at=before, status=201
    )
    living = Renewals()

    living.add("mine")
    living.add("done")
    until(lambda: KeptAnswer.objects.get(key="mine").claimed_at > before)
    thread = living._thread
    assert thread is not None
    living.remove("mine")
    living.remove("done")
    thread.join(20)

    assert not thread.is_alive()
    assert living._thread is None
    assert KeptAnswer.objects.get(key="dead").claimed_at == before
    assert KeptAnswer.objects.get(key="done").claimed_at == before


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="others write beside each other")
def test_who_cannot_renew_for_its_own_long_work_keeps_its_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replays, "RENEWED_WITHIN_SECONDS", 5.0)
    request = Request(APIRequestFactory().post("/api/v1/organizations", {"name": "Mills"}))
    first = replays.claim(request, "k-1")
    assert isinstance(first, replays.Claim)
    entered = threading.Event()
    found: list[object] = []

    def again() -> None:
        entered.set()
        found.append(replays.claim(request, "k-1"))
        connection.close()

    second = threading.Thread(target=again)
    KeptAnswer.objects.update(claimed_at=timezone.now() - LONG_AGO)
    with transaction.atomic():
        second.start()
        entered.wait(20)
        # As long as the second takes to wait for the lock; earlier it finds the same.
        time.sleep(0.5)
    # What follows a commit takes its time before the answer is kept.
    time.sleep(0.3)
    replays.settle(first, HttpResponse("Done.", status=201))
    second.join(30)

    assert [type(one) for one in found] == [HttpResponse]
