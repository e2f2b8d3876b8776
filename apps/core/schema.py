"""The OpenAPI document: what `document` says of each method of an endpoint, in one shape for all.

Requests are described by their input serializers, answers by the `TypedDict`s of `outputs`; the
envelope and the problem answers are added here, so that no view repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast

from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework.permissions import AllowAny
from typing_extensions import override

from apps.core import camel, shapes
from apps.core.problems import ProblemBody
from apps.core.rest import CONDITIONAL
from apps.core.shapes import Schema

V1 = "/api/v1/"
JSON = "application/json"
PROBLEM = "application/problem+json"

_Method = TypeVar("_Method", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Documentation:
    """What a method says of itself."""

    summary: str
    description: str = ""
    request: type[camel.Serializer] | None = None
    query: type[camel.Serializer] | None = None
    response: Any = None
    meta: Any = None
    status: int = 200
    media_type: str = JSON
    problems: tuple[int, ...] = ()
    operation_id: str = ""


def document(
    *,
    summary: str,
    request: type[camel.Serializer] | None = None,
    response: Any = None,
    status: int = 200,
    description: str = "",
    query: type[camel.Serializer] | None = None,
    meta: Any = None,
    media_type: str = JSON,
    problems: tuple[int, ...] = (),
    operation_id: str = "",
) -> Callable[[_Method], _Method]:
    """This will document one method of an endpoint for OpenAPI.

    `response` is what stands inside `data`: a TypedDict, `list[…]` of one, or None for an answer
    without a body; with a `media_type` other than JSON the answer is a file and `response` is left
    out. `request` and `query` are input serializers. 400, 401, 403, 404 and 409 are listed where
    they can happen; `problems` adds further statuses.
    """

    def decorate(method: _Method) -> _Method:
        cast("Any", method).documentation = Documentation(
            summary=summary,
            description=description,
            request=request,
            query=query,
            response=response,
            meta=meta,
            status=status,
            media_type=media_type,
            problems=problems,
            operation_id=operation_id,
        )
        return method

    return decorate


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class AutoSchema(SpectacularSchema):
    """Builds one operation from its method's Documentation (DRF's DEFAULT_SCHEMA_CLASS)."""

    @property
    def app(self) -> str:
        """The app the view belongs to."""
        parts = self.view.__class__.__module__.split(".")
        return parts[1] if parts[0] == "apps" else parts[0]

    @property
    def documentation(self) -> Documentation:
        """What the method says of itself; a warning and an empty one where it says nothing."""
        method = getattr(self.view, self.method.lower(), None)
        found = getattr(method, "documentation", None)
        if found is None:
            warn(f"{self.method} {self.path} is not documented: use core.schema.document.")
            return Documentation(summary="")
        return cast("Documentation", found)

    def get_operation_id(self) -> str:
        """This will name the operation after its app, view and method."""
        name = f"{self.app}_{_snake(self.view.__class__.__name__)}_{self.method.lower()}"
        return self.documentation.operation_id or name

    def get_tags(self) -> list[str]:
        """This will group operations by app."""
        return [self.app]

    def get_summary(self) -> str:
        """This will give the one line that lists show."""
        return self.documentation.summary

    def get_description(self) -> str:  # type: ignore[override] # spectacular's own signature
        """This will give the further words, if any."""
        return self.documentation.description

    def get_auth(self) -> list[dict[str, list[str]]]:
        """This will say how to sign in; views open to everybody need nothing."""
        if self._is_public():
            return [{}]
        return [{"bearer": []}, {"session": []}]

    def get_request_serializer(self) -> Any:
        """This will give the input that describes the body."""
        return self.documentation.request

    def get_response_serializers(self) -> None:
        """This will keep spectacular from guessing: answers are built below."""

    def _get_filter_parameters(self) -> list[Schema]:
        return []

    def _get_pagination_parameters(self) -> list[Schema]:
        return []

    def get_override_parameters(self) -> list[Any]:
        """This will give the input that describes the query string."""
        query = self.documentation.query
        return [query] if query is not None else []

    @override
    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """This will name an input's component after its app: `orgs.AddMember`."""
        return shapes.name_of(type(serializer))

    def _is_public(self) -> bool:
        return any(isinstance(rule, AllowAny) for rule in self.view.get_permissions())

    def _resolve_path_parameters(self, variables: list[str]) -> list[Schema]:
        return [
            {
                "name": variable,
                "in": "path",
                "required": True,
                "schema": self._path_schema(variable),
            }
            for variable in variables
        ]

    def _path_schema(self, variable: str) -> Schema:
        match = re.search(rf"<(?:(\w+):)?{variable}>", self.path_regex)
        converter = match.group(1) if match else None
        if converter and converter.endswith("_id"):
            prefix = converter.removesuffix("_id")
            return {"type": "string", "pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"}
        return {"type": "integer"} if converter == "int" else {"type": "string"}

    @override
    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        documentation = self.documentation
        answer: Schema = {"description": HTTPStatus(documentation.status).phrase}
        content = self._content(documentation)
        if content is not None:
            answer["content"] = {documentation.media_type: {"schema": content}}
        answers: Schema = {str(documentation.status): answer}
        if self.method == "GET" and documentation.status == HTTPStatus.OK:
            answers["304"] = {"description": HTTPStatus(304).phrase}
        problem = {PROBLEM: {"schema": self._refer(ProblemBody)}}
        for status in self._problem_statuses(documentation):
            answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": problem}
        return answers

    def _content(self, documentation: Documentation) -> Schema | None:
        if documentation.media_type != JSON:
            return {"type": "string", "format": "binary"}
        if documentation.response is None:
            return None
        data = shapes.shape(documentation.response, self._refer)
        envelope: Schema = {"type": "object", "properties": {"data": data}, "required": ["data"]}
        if documentation.meta is not None:
            envelope["properties"]["meta"] = shapes.shape(documentation.meta, self._refer)
            envelope["required"].append("meta")
        return envelope

    def _problem_statuses(self, documentation: Documentation) -> list[int]:
        found = set(documentation.problems)
        # Any POST may come with a key that is none.
        reads = documentation.request is not None or documentation.query is not None
        if reads or self.method == "POST":
            found.add(400)
        if not self._is_public():
            found |= {401, 403}
        if "{" in self.path:
            found.add(404)
        if self.method != "GET":
            found.add(409)
        if self.method in CONDITIONAL:
            found.add(412)
        if documentation.request is not None:
            found |= {413, 415}
        if self.view.throttle_classes:
            found.add(429)
        return sorted(found)

    def _refer(self, hint: Any) -> Schema:
        component: Any = cast("Any", ResolvedComponent)(
            name=shapes.name_of(hint), type=ResolvedComponent.SCHEMA, object=hint
        )
        if component not in self.registry:
            self.registry.register(component)
            component.schema = shapes.typed_dict(hint, self._refer)
        return dict(component.ref)


class IdFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Ids in bodies are strings with a prefix."""

    target_class = "apps.core.ids.IdField"

    @override
    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """This will describe an id by its prefix."""
        return {
            "type": "string",
            "pattern": f"^{self.target.prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$",
        }


def only_v1(endpoints: list[tuple[str, str, str, Any]], **_: Any) -> list[Any]:
    """This will leave out the second mount of the same addresses (a preprocessing hook)."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(V1)]


SECURITY_SCHEMES: Schema = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a sign-in, or a personal API token (`kbn_…`).",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "kanbanai_session",
        "description": "The cookie of the pages; unsafe methods also need `X-CSRFToken`.",
    },
}


def add_security_schemes(result: Schema, **_: Any) -> Schema:
    """This will tell how to sign in (a postprocessing hook)."""
    result.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
    return result
