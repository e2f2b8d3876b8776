"""Filters that say numbers, times and people the way the pages say them."""

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

from django import template
from django.forms import BoundField
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import markdown as written

register = template.Library()

MINUTE, HOUR, DAY = 60, 3600, 86_400
HUES = 8
COLOUR_NAMES = frozenset({"gray", "red", "orange", "yellow", "green", "teal", "blue"}) | {
    "purple",
    "pink",
}


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = parse_datetime(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if timezone.is_aware(value) else value.replace(tzinfo=UTC)


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


@register.filter
def ago(value: object) -> str | SafeString:
    """This will show a moment as its age, `4m`, in a `<time>` that the page keeps fresh."""
    return _time(value, "")


@register.filter
def since(value: object) -> str | SafeString:
    """This will show a moment as its age within a sentence: `4m ago`, `just now`."""
    return _time(value, "sentence")


def _time(value: object, style: str) -> str | SafeString:
    moment = _moment(value)
    if moment is None:
        return ""
    age = _age(max(0, int((timezone.now() - moment).total_seconds())))
    if style:
        age = "just now" if age == "now" else f"{age} ago"
    return format_html(
        '<time class="num" datetime="{}" title="{} UTC" data-ago="{}">{}</time>',
        moment.isoformat(),
        moment.astimezone(UTC).strftime("%d %b %Y, %H:%M"),
        style,
        age,
    )


@register.filter
def moment(value: object) -> str:
    """This will give a moment as ISO 8601 text, for scripts."""
    found = _moment(value)
    return found.isoformat() if found else ""


def _age(seconds: int) -> str:
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "now"


@register.filter
def duration(seconds: object) -> str:
    """This will say a length of time in at most two units: `850 ms`, `12 s`, `3m 04s`, `2h 10m`."""
    number = _number(seconds)
    if number is None:
        return ""
    if number < 1:
        return f"{round(number * 1000)} ms"
    if number < MINUTE:
        return f"{number:.0f} s" if number >= 10 else f"{number:.1f} s"  # noqa: PLR2004
    whole = int(number)
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE:02d}s"
    if whole < DAY:
        return f"{whole // HOUR}h {whole % HOUR // MINUTE:02d}m"
    return f"{whole // DAY}d {whole % DAY // HOUR}h"


@register.filter
def milliseconds(value: object) -> str:
    """This will say a length given in milliseconds, as `duration` does."""
    number = _number(value)
    return "" if number is None else duration(number / 1000)


@register.filter
def compact(value: object) -> str:
    """This will shorten a count: `940`, `12.4k`, `1.8M`."""
    number = _number(value)
    if number is None:
        return ""
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return f"{number:.0f}"


@register.filter
def money(value: object) -> str:
    """This will show US dollars: `$0.42`, and `<$0.01` for less."""
    number = _number(value)
    if number is None:
        return ""
    if 0 < number < 0.01:  # noqa: PLR2004
        return "<$0.01"
    return f"${number:,.2f}"


@register.filter
def percent(value: object) -> str:
    """This will show a share between 0 and 1 as whole per cent, a dash when there is none."""
    number = _number(value)
    return "-" if number is None else f"{number * 100:.0f}%"


@register.filter
def initials(name: object) -> str:
    """This will give up to two letters for an avatar."""
    words = str(name or "?").split("@", maxsplit=1)[0].replace(".", " ").split()
    letters = [word[0] for word in words if word]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters) or "?"


@register.filter
def hue(thing: object) -> str:
    """This will give a palette class: of a thing's colour, else one drawn from what it is."""
    colour, seed = thing, thing
    if isinstance(thing, Mapping):
        colour = thing.get("color")
        seed = thing.get("id") or thing.get("name") or thing.get("label")
    if str(colour or "").lower() in COLOUR_NAMES:
        return f"hue-{str(colour).lower()}"
    return f"hue-{zlib.crc32(str(seed).encode()) % HUES + 1}"


@register.filter
def called(person: object) -> str:
    """This will give what to call a user: the name, else the address."""
    if isinstance(person, Mapping):
        found = person.get("displayName") or person.get("name") or person.get("email")
        return str(found or "")
    return str(person or "")


@register.filter
def markdown(text: object) -> str | SafeString:
    """This will render markdown, cleaned."""
    return written.render(str(text)) if text else ""


@register.filter
def entry(mapping: object, key: str) -> object:
    """This will read a key that a template's dot would take for a method, such as `items`."""
    return mapping.get(key) if isinstance(mapping, Mapping) else None


@register.filter
def same(value: object, other: object) -> str:
    """This will say `true` or `false`, for ARIA attributes."""
    return "true" if value == other else "false"


@register.filter
def words(text: str) -> list[str]:
    """This will cut a text at its commas, for short lists in templates."""
    return text.split(",")


@register.filter
def count(value: object) -> object:
    """This will give the length of a list, and a number as it is."""
    return len(value) if isinstance(value, list | tuple | set) else value


@register.filter
def base_name(path: object) -> str:
    """This will give the last part of a path."""
    return str(path or "").rstrip("/").rpartition("/")[2]


@register.filter
def folder_name(path: object) -> str:
    """This will give the path before the last part, with its slash."""
    before, slash, _last = str(path or "").rstrip("/").rpartition("/")
    return before + slash


@register.filter
def with_class(field: BoundField, name: str) -> SafeString:
    """This will draw a form field's own widget with a class of ours."""
    css = f"{field.field.widget.attrs.get('class', '')} {name}".strip()
    return field.as_widget(attrs={"class": css})


class Bar(TypedDict):
    """One bar or point of a small chart, in a box 100 wide and 100 high."""

    x: float
    y: float
    width: float
    height: float
    value: float
    at: str


@register.filter
def bars(points: Sequence[Mapping[str, Any]] | None) -> list[Bar]:
    """This will lay out points `{timestamp, value}` as bars in a box of 100 by 100."""
    found = list(points or [])
    values = [float(point.get("value") or 0) for point in found]
    top = max([*values, 1.0])
    step = 100 / max(1, len(values))
    return [
        {
            "x": round(index * step, 2),
            "y": round(100 - value / top * 100, 2),
            "width": round(step * 0.72, 2),
            "height": round(max(value / top * 100, 0.8), 2),
            "value": value,
            "at": str(point.get("timestamp") or ""),
        }
        for index, (point, value) in enumerate(zip(found, values, strict=True))
    ]


@register.filter
def line(points: Sequence[Mapping[str, Any]] | None) -> str:
    """This will give the `points` attribute of a polyline in a box of 100 by 100."""
    found = bars(points)
    if not found:
        return ""
    last = max(1, len(found) - 1)
    return " ".join(
        f"{index / last * 100:.2f},{6 + bar['y'] * 0.88:.2f}" for index, bar in enumerate(found)
    )
