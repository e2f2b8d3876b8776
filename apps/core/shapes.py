"""JSON Schema (the dialect of OpenAPI 3.1) from the `TypedDict`s that outputs are made of."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Callable, Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = dict[str, Any]
# Called with a TypedDict; registers its schema as a component and gives a reference to it.
Refer = Callable[[Any], Schema]

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bytes: {"type": "string", "format": "binary"},
    type(None): {"type": "null"},
    dt.datetime: {"type": "string", "format": "date-time"},
    Any: {},
    object: {},
}
_LISTS = (list, tuple, set, frozenset, Sequence)
_MAPS = (dict, Mapping)


def name_of(hint: Any) -> str:
    """This will name a TypedDict's component: `boards.CardRow`, or `Problem` for core's own."""
    parts = str(hint.__module__).split(".")
    app = parts[1] if parts[0] == "apps" and len(parts) > 1 else parts[0]
    return str(hint.__name__) if app == "core" else f"{app}.{hint.__name__}"


def shape(hint: Any, refer: Refer) -> Schema:  # noqa: PLR0911 - a table
    """This will give the schema of any type an output may hold; TypeError for one it may not."""
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if is_typeddict(hint):
        return refer(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Annotated, NotRequired, Required}:
        return shape(arguments[0], refer)
    if origin is Literal:
        return _literal(arguments)
    if origin in {Union, types.UnionType}:
        return _union(arguments, refer)
    if origin in _LISTS or hint in _LISTS:
        return {"type": "array", "items": shape(arguments[0], refer) if arguments else {}}
    if origin in _MAPS or hint in _MAPS:
        values = shape(arguments[1], refer) if arguments else {}
        return {"type": "object", "additionalProperties": values}
    if isinstance(hint, type) and issubclass(hint, str):
        return {"type": "string"}
    message = f"an output may not hold {hint!r}"
    raise TypeError(message)


def _literal(values: tuple[Any, ...]) -> Schema:
    kinds = {type(value) for value in values}
    found: Schema = {"enum": list(values)}
    if len(kinds) == 1:
        found |= _PLAIN[kinds.pop()]
    return found


def _union(arguments: tuple[Any, ...], refer: Refer) -> Schema:
    options = [shape(argument, refer) for argument in arguments]
    if all(set(option) == {"type"} for option in options):
        return {"type": [option["type"] for option in options]}
    return {"anyOf": options}


def typed_dict(hint: Any, refer: Refer) -> Schema:
    """This will give the schema of a TypedDict itself, keys in the order of its declaration."""
    hints = get_type_hints(hint, include_extras=True)
    properties = {key: shape(value, refer) for key, value in hints.items()}
    # `__required_keys__` does not see NotRequired in annotations that are strings.
    required = [
        key
        for key, value in hints.items()
        if get_origin(value) is Required
        or (get_origin(value) is not NotRequired and key in hint.__required_keys__)
    ]
    found: Schema = {"type": "object", "properties": properties}
    if required:
        found["required"] = required
    documentation = (hint.__doc__ or "").strip().split("\n\n")[0]
    if documentation:
        found["description"] = " ".join(documentation.split())
    return found
