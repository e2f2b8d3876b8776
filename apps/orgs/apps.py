"""The app's place in the project; `ready` wires what cannot be imported."""

from django.apps import AppConfig


class OrgsConfig(AppConfig):
    name = "apps.orgs"
    label = "orgs"

    def ready(self) -> None:
        """This will let memberships follow people's groups, and see to those who leave."""
        from apps.accounts import admission  # noqa: PLC0415
        from apps.orgs import operations, queries  # noqa: PLC0415

        admission.on_departure(count=lambda _user: 0, hand_over=operations.hand_over)
        admission.on_groups(known=queries.known_ids, enroll=operations.follow_groups)
