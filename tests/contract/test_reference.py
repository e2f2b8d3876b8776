"""The pages that are made from the code are as the code is now."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def test_the_page_of_the_rest_api_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("rest_reference")

    written = (REFERENCE / "rest.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == written, "run: make docs"
