"""The OpenAPI document, as JSON and YAML, and the two pages on which it can be read."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import yaml
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from apps.core import conditions, problems

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

ADDRESS = "/api/v1/schema"
JSON = "application/json"
YAML = "application/yaml"
# Other names by which clients ask for the two.
MEDIA_TYPES = {
    JSON: JSON,
    "application/vnd.oai.openapi+json": JSON,
    YAML: YAML,
    "application/vnd.oai.openapi": YAML,
    "application/x-yaml": YAML,
    "text/yaml": YAML,
}
FORMATS = {"json": JSON, "yaml": YAML}


@cache
def document(media_type: str) -> bytes:
    """This will build the document in one of the two forms, once a process."""
    if media_type == YAML:
        whole = json.loads(document(JSON))
        # The dumper in C, where libyaml is there: the other takes seconds.
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text: str = yaml.dump(whole, Dumper=dumper, allow_unicode=True, sort_keys=False, width=100)
        return text.encode()
    generator: Any = cast("Any", SchemaGenerator)()
    schema = generator.get_schema(request=None, public=True)
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()


@require_safe
def openapi(request: HttpRequest) -> HttpResponseBase:
    """This will answer the document: as `?format=` says, else as `Accept` prefers, else as JSON."""
    body = document(_wanted(request))
    response = HttpResponse(
        body,
        content_type=_wanted(request),
        headers={
            "ETag": conditions.tag_of(body),
            "Cache-Control": conditions.REVALIDATE,
            "Vary": "Accept",
        },
    )
    known = request.headers.get("If-None-Match")
    return response if known is None else conditions.not_modified(response, known)


def _wanted(request: HttpRequest) -> str:
    named = request.GET.get("format")
    if named is not None:
        if named not in FORMATS:
            raise problems.ValidationFailed.of("format", "Choose json or yaml.", "invalid_choice")
        return FORMATS[named]
    accepted = request.get_preferred_type([*MEDIA_TYPES])
    if accepted is None:
        message = "The document is offered as JSON and as YAML."
        raise problems.NotAcceptable(message)
    return MEDIA_TYPES[accepted]


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """This will answer the page on which the document can be read and tried."""
    return render(request, "core/api_docs.html", {"schema_url": ADDRESS})


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    """This will answer the page on which the document can be read at length."""
    return render(request, "core/api_redoc.html", {"schema_url": ADDRESS})
