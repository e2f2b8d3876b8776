"""The app's place in the project; `ready` wires what cannot be imported."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "apps.dashboard"
    label = "dashboard"

    def ready(self) -> None:
        """This will register reactions, and add to pages how many agents wait for an answer."""
        from apps.core import snapshots  # noqa: PLC0415 - models are not loaded before
        from apps.dashboard import queries, reactions  # noqa: PLC0415 - as above

        snapshots.part("frame", "inboxCount", queries.waiting_count)
        reactions.wire()
