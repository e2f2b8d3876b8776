"""The app's place in the project; `ready` wires what cannot be imported."""

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "apps.projects"
    label = "projects"

    def ready(self) -> None:
        """This will connect what follows after events, and what accounts ask of projects."""
        from apps.accounts import admission  # noqa: PLC0415 - models are not loaded before
        from apps.projects import operations, queries, reactions  # noqa: PLC0415 - as above

        reactions.connect()
        admission.on_arrival(is_invited=queries.is_invited, welcome=operations.accept_invitations)
        admission.on_departure(count=queries.count_owned_by, hand_over=operations.transfer_projects)
