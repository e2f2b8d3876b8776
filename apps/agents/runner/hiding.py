"""Keys that an agent prints are hidden before anybody sees them: in what is stored and what passes.

Text that comes in pieces may break a key in two: what could be a key's beginning is held back, and
a long part of a key at the edge of a text is hidden as well. A key in base64 is a key, too: alone
or within something longer, and broken into lines.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from apps.core.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

# A shorter text is no key, and would be found in ordinary words.
SHORTEST = 8
# What may break a line of base64, also where the text is JSON itself.
_BREAK = r"(?:\s|\\[nr])*"


class Redactor:
    """Knows the keys of a process and hides them; without any it costs nothing."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()
        self._broken: tuple[re.Pattern[str], ...] = ()
        self._held: dict[str, str] = {}

    def learn(self, secrets: Iterable[str]) -> None:
        """This will hide these from now on, besides those that are known."""
        plain = {one for one in secrets if len(one) >= SHORTEST}
        coded = {form for one in plain for form in _in_base64(one)}
        known = {*self._secrets, *plain, *coded}
        self._broken += tuple(
            re.compile(_BREAK.join(re.escape(one) for one in form)) for form in sorted(coded)
        )
        # The longest first: one may be the beginning of another.
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def hide(self, value: Any) -> Any:
        """This will be a value of JSON with every key in it hidden."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self._hidden(value)
        if isinstance(value, dict):
            return {self.hide(key): self.hide(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.hide(one) for one in value)
        return value

    def _hidden(self, text: str) -> str:
        text = self._without(text)
        for secret in self._secrets:
            length = _overlap(secret, text)
            if length >= SHORTEST:
                text = MASK + text[length:]
            length = _overlap(text, secret)
            if length >= SHORTEST:
                text = text[:-length] + MASK
        return text

    def _without(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        for pattern in self._broken:
            text = pattern.sub(MASK, text)
        return text

    def passing(self, name: str, text: str) -> str:
        """This will be what of a growing text may be said now; the rest comes with its next piece.

        `name` tells the texts apart.
        """
        if not self._secrets:
            return text
        text = self._without(self._held.pop(name, "") + text)
        length = max(_overlap(text, secret) for secret in self._secrets)
        if length:
            text, self._held[name] = text[:-length], text[-length:]
        return self._hidden(text)

    def forget(self, name: str) -> None:
        """This will drop what is held of a text, since all of it was said by other means."""
        self._held.pop(name, None)


def _in_base64(secret: str) -> set[str]:
    """What of a text is the same in base64 whatever stands around it: three for each alphabet.

    It begins anywhere within a group of three bytes; the groups it shares are left out.
    """
    found = set()
    for before in range(3):
        whole = b"\0" * before + secret.encode(errors="surrogatepass")
        whole = whole[: len(whole) // 3 * 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(whole).decode("ascii")[4 if before else 0 :])
    return {one for one in found if len(one) >= SHORTEST}


def _overlap(text: str, following: str) -> int:
    """The length of the longest end of one text that is a true beginning of another."""
    for length in range(min(len(text), len(following) - 1), 0, -1):
        if following.startswith(text[-length:]):
            return length
    return 0
