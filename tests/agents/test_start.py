"""What a start takes in."""

from __future__ import annotations

from apps.accounts.models import User
from apps.agents.models import Turn
from tests.agents.conftest import MakeCard
from tests.people import ClientOf


def test_the_words_of_a_start_reach_the_agent(
    make_card: MakeCard, ada: User, client_of: ClientOf, transactional_db: None
) -> None:
    card = make_card("The card's own words.")
    path = f"/api/v1/projects/{card.project.public_id}/cards/{card.public_id}/attempts"

    answer = client_of(ada).post(path, {"agent": "demo", "prompt": "And these."}, format="json")

    assert answer.status_code == 201
    assert Turn.objects.get().prompt == "# Note\n\nThe card's own words.\n\nAnd these."
