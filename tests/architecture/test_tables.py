"""Walls between tables, and the order of migrations."""

from __future__ import annotations

import ast

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from tests.architecture.sources import APPS, ROOT


def test_no_table_points_to_an_app_above_its_own() -> None:
    rank = {label: number for number, label in enumerate(APPS)}
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for label in APPS
        for model in apps.get_app_config(label).get_models()
        for field in model._meta.get_fields()
        if field.is_relation
        and field.concrete
        and field.related_model is not None
        and not isinstance(field.related_model, str)
        and field.related_model._meta.app_label in rank
        and rank[field.related_model._meta.app_label] > rank[label]
    ]

    assert upward == []


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_every_app_has_one_newest_migration() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)

    assert {
        label: len(loader.graph.leaf_nodes(label)) for label in APPS if label != "dashboard"
    } == {label: 1 for label in APPS if label != "dashboard"}


def test_migrations_import_nothing_that_will_change() -> None:
    allowed = ("models", "ids", "ranks", "fields", "states", "secrets", "apps.core")
    foreign = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in (ROOT / "apps").rglob("migrations/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("apps.", "kanbanai"))
        and not (node.module or "").endswith(allowed)
    ]

    assert foreign == []
