"""Hashed and compressed files for browsers."""

from __future__ import annotations

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


def without_source_maps(patterns: tuple[Any, ...]) -> tuple[Any, ...]:
    """This will leave out the rules that follow `sourceMappingURL` comments."""
    kept = []
    for extension, rules in patterns:
        texts = [rule if isinstance(rule, str) else rule[0] for rule in rules]
        pairs = zip(rules, texts, strict=True)
        kept.append((extension, tuple(rule for rule, text in pairs if "sourceMap" not in text)))
    return tuple(kept)


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Does not ask for the source maps that libraries name, since they are not collected."""

    patterns = without_source_maps(CompressedManifestStaticFilesStorage.patterns)
