"""The app's place in the project; `ready` wires what cannot be imported."""

from django.apps import AppConfig


class BoardsConfig(AppConfig):
    name = "apps.boards"
    label = "boards"

    def ready(self) -> None:
        """This will add to projects, and to the frame of pages, what only boards tell."""
        from apps.boards import outputs, queries  # noqa: PLC0415 - models are not loaded before
        from apps.core import snapshots  # noqa: PLC0415 - as above

        snapshots.part("project", "unreadCount", queries.unread_counts)
        snapshots.part("frame", "projects", outputs.projects_in_frame)
