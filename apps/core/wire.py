"""JSON as it goes over the wire, written quickly: whole boards are megabytes."""

from __future__ import annotations

import json
from typing import Any

import orjson
from rest_framework.utils.encoders import JSONEncoder

# Moments are left to the encoder that everything else goes through.
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def dumps(value: Any) -> bytes:
    """This will write JSON on one line; what is no Unicode text becomes a question mark."""
    try:
        return orjson.dumps(value, option=OPTIONS)
    except orjson.JSONEncodeError:
        # It knows neither lazy texts and moments, nor numbers of more than 64 bits.
        text = json.dumps(
            value, cls=JSONEncoder, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode("utf-8", "replace")
