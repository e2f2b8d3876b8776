"""The floor of the house: what every app stands on, without a word of the product."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = "Event journal"
