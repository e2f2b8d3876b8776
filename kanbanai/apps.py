"""The project's own entry in the list of installed apps."""

from django.apps import AppConfig


class KanbanAI(AppConfig):
    name = "kanbanai"
    verbose_name = "KanbanAI"

    def ready(self) -> None:
        """This will make the Celery app the one that shared tasks are published through."""
        from kanbanai import celery, measures, tracing  # noqa: F401, PLC0415

        tracing.begin()
