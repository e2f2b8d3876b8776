"""Text that people and agents write, made safe to show."""

from functools import lru_cache

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name, guess_lexer_for_filename
from pygments.util import ClassNotFound

TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
    *("img", "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th"),
    *("thead", "tr", "ul"),
}
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "span": {"class"},
    "code": {"class"},
    "ol": {"start"},
}
SCHEMES = {"http", "https", "mailto"}
LONGEST_HIGHLIGHTED = 60_000
"""Characters; a longer block is shown plain, since colouring it would hold up the page."""


def _coloured(code: str, language: str, _attributes: str) -> str:
    if not language or len(code) > LONGEST_HIGHLIGHTED:
        return ""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return ""
    return str(pygments_highlight(code, lexer, HtmlFormatter(nowrap=True)))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    options = {"html": False, "linkify": False, "highlight": _coloured}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


@lru_cache(maxsize=512)
def render(text: str) -> SafeString:
    """This will turn markdown into HTML that holds no script, style or foreign scheme."""
    clean = nh3.clean(
        _parser().render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it


def colour_lines(text: str, path: str) -> list[SafeString]:
    """This will give the lines of a file as escaped HTML, coloured by its name where known."""
    plain = text.split("\n")
    if len(text) <= LONGEST_HIGHLIGHTED:
        try:
            lexer = guess_lexer_for_filename(path, text, stripnl=False, ensurenl=False)
        except ClassNotFound:
            pass
        else:
            coloured = str(pygments_highlight(text, lexer, HtmlFormatter(nowrap=True)))
            lines = coloured.removesuffix("\n").split("\n")
            if len(lines) == len(plain):
                return [mark_safe(line) for line in lines]  # noqa: S308 - Pygments escapes
    return [mark_safe(escape(line)) for line in plain]  # noqa: S308 - escaped here
