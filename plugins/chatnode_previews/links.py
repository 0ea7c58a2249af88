"""Which links of a message get a preview.

Only http and https, outside of code and quotes, and none that a request could change something with: it is the node
that follows them, and not the user who was meant to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from urllib.parse import SplitResult, unquote, urldefrag, urlsplit

from chatnode.api import record
from chatnode_previews.model import MOST_URL

MOST_LINKS = 3
"""Of a message."""
_MOST_LOOKED_AT = 50
"""Of a message, to find those that may be fetched."""

_LINK = re.compile(r"(?<![\w@/])https?://[^\s<>\"`\\^{}|\u3001\u3002\uff0c\uff09\u300d\u300f\u3011]+", re.IGNORECASE)
_ENDS_NO_LINK = ".,;:!?'*_~"
_PAIRS = {")": "(", "]": "["}
_ACTION = re.compile(r"unsubscribe|optout|logout|signout|reset|confirm|verify|activat|invite|token|password")
"""In a path or a query: such a link may work once, or do what the user has not decided yet."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


@record(frozen=True)
class MessageLink:
    """`url` is as the message has it, `address` what is fetched: the same without a fragment."""

    url: str
    address: str

    @property
    def digest(self) -> bytes:
        """What is stored of the address."""
        return sha256(self.address.encode()).digest()


def links_of(text: str, base_url: str) -> list[MessageLink]:
    """The first links of a message that may be fetched, each once. `base_url` is that of the node."""
    if "://" not in text:
        return []
    found: dict[str, MessageLink] = {}
    for url in islice(_urls(text), _MOST_LOOKED_AT):
        if may_be_fetched(url, base_url):
            link = MessageLink(url, urldefrag(url).url)
            found.setdefault(link.address, link)
            if len(found) == MOST_LINKS:
                break
    return list(found.values())


def may_be_fetched(url: str, base_url: str) -> bool:
    """Whether an address is neither the node's own nor looks like an action."""
    if len(url) > MOST_URL:
        return False
    try:
        parts = urlsplit(url)
        place = _place(parts)
    except ValueError:
        return False
    if not place[0] or "@" in parts.netloc or place == _place(urlsplit(base_url)):
        return False
    asked = unquote(f"{parts.path}?{parts.query}").lower().replace("-", "").replace("_", "")
    return _ACTION.search(asked) is None


def _place(parts: SplitResult) -> tuple[str, int | None]:
    """Host and port. Raises `ValueError` for a port that is none."""
    host = (parts.hostname or "").rstrip(".")
    return host, parts.port or _DEFAULT_PORTS.get(parts.scheme.lower())


# ---- in a text


def _urls(text: str) -> Iterator[str]:
    for plain in _outside_code_and_quotes(text):
        for found in _LINK.finditer(plain):
            if len(found[0]) <= 2 * MOST_URL:
                yield _trimmed(found[0])


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it, and brackets that it does not open itself."""
    while url:
        last = url[-1]
        if last in _ENDS_NO_LINK or (last in _PAIRS and url.count(last) > url.count(_PAIRS[last])):
            url = url[:-1]
        else:
            break
    return url


_FENCE = re.compile(r"[ \t]*+(?:[-*+][ \t]++)?+(`{3,}+|~{3,}+)")
_QUOTE = re.compile(r"[ \t]*+(?:[-*+][ \t]++)?+>")
_TICKS = re.compile("`++")


def _outside_code_and_quotes(text: str) -> Iterator[str]:
    """What is neither code nor quote, in pieces."""
    paragraph: list[str] = []
    fence = ""
    for line in text.splitlines():
        opened = _FENCE.match(line) if line else None
        if fence:
            if opened is not None and opened[1].startswith(fence):
                fence = ""
        elif opened is not None or _QUOTE.match(line) or not line.strip():
            if paragraph:
                yield from _outside_code_spans("\n".join(paragraph))
            paragraph, fence = [], opened[1] if opened is not None else ""
        else:
            paragraph.append(line)
    yield from _outside_code_spans("\n".join(paragraph))


def _outside_code_spans(paragraph: str) -> Iterator[str]:
    """Without what is between two runs of equally many backticks."""
    if "://" not in paragraph:
        return
    runs = [*_TICKS.finditer(paragraph)]
    last = {len(run[0]): number for number, run in enumerate(runs)}
    begin = number = 0
    while number < len(runs):
        length = len(runs[number][0])
        if last[length] > number:
            yield paragraph[begin : runs[number].start()]
            number += 1
            while len(runs[number][0]) != length:
                number += 1
            begin = runs[number].end()
        number += 1
    yield paragraph[begin:]
