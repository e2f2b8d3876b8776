"""Reading bodies: JSON that no database, no log and no recursion can trip over."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from typing_extensions import override

# An escape that may be half a character: UTF-16's surrogates come in pairs or not at all.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _refuse_constant(name: str) -> None:
    message = f"JSON has no {name}."
    raise ValueError(message)


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no half characters, no bottomless nesting."""

    @override
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        encoding = (parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)
        try:
            text = codecs.decode(stream.read(), encoding)
            data = json.loads(text, parse_constant=_refuse_constant)
            if _SURROGATE.search(text):
                json.dumps(data, ensure_ascii=False).encode()
        except (ValueError, LookupError, TypeError) as error:
            message = "The body is not valid JSON."
            raise ParseError(message) from error
        except RecursionError as error:
            message = "The body is nested too deeply."
            raise ParseError(message) from error
        return data
