"""The app's place in the project; `ready` wires what cannot be imported."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"

    def ready(self) -> None:
        """This will keep and send on what this process logs."""
        from apps.accounts import queries  # noqa: PLC0415 - the tables are known only now
        from apps.core.logs import setup  # noqa: PLC0415

        setup.begin(queries.read_log_receiver)
