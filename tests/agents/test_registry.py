"""What is known of the agents on this host."""

from __future__ import annotations

from pathlib import Path

from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.agents import registry
from apps.agents.models import Attempt
from tests.agents.conftest import MakeCard
from tests.people import ClientOf

CACHE = "django.core.cache.backends.redis.RedisCache"


def test_without_redis_agents_are_found_and_attempts_wait_for_it(
    settings: Settings,
    tmp_path: Path,
    make_card: MakeCard,
    ada: User,
    client_of: ClientOf,
    transactional_db: None,
) -> None:
    settings.CACHES = {
        "default": {"BACKEND": CACHE, "LOCATION": f"unix://{tmp_path / 'nowhere.sock'}"}
    }
    card = make_card()
    path = f"/api/v1/projects/{card.project.public_id}/cards/{card.public_id}/attempts"

    assert registry.agents()["demo"]["available"]
    assert client_of(ada).get("/api/v1/dashboard").status_code == 200
    assert client_of(ada).post(path, {"agent": "demo"}, format="json").status_code == 201

    assert Attempt.objects.get().status == "queued"
