"""What a page says of itself in its head: its title, a description, the name of its site and a picture.

The head is read as a stream of tags. No tree is built and nothing recurses, so no nesting exhausts anything. The parser
gets the page in one piece and is never told that it ends: each character is looked at a few times at most, whatever is
left open (Python's parser takes quadratic time for some pages at their end).
"""

from __future__ import annotations

import re
from contextlib import suppress
from html.parser import HTMLParser

from chatnode.api import is_blank, record

MOST_TITLE = 200
MOST_TEXT = 500
MOST_SITE = 100
MOST_PIECES = 10_000
"""Tags, comments and texts that are looked at; a head has some hundreds."""
_MOST_KEPT = 4_000
"""Of a title or a description, before it is made shorter."""

_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]")
"""Among it what turns the direction of the text around it."""
_TITLES = ("og:title", "twitter:title")
_TEXTS = ("og:description", "twitter:description", "description")
_SITES = ("og:site_name", "application-name")
_PICTURES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
_META = frozenset((*_TITLES, *_TEXTS, *_SITES, *_PICTURES))


@record(frozen=True)
class PageHead:
    """What is shown of a page; never both without title and without text. `picture` is an address as the page has it,
    perhaps a relative one."""

    title: str | None
    text: str | None
    site: str | None
    picture: str | None = None


def read_page(text: str) -> PageHead | None:
    """What the page says; None if it says nothing. Takes a page of any form."""
    head = _Head()
    # A reference to a character with thousands of digits is a ValueError, `<![x[` an AssertionError.
    with suppress(_EndOfHead, ValueError, AssertionError):
        head.feed(text)
    page = PageHead(
        _first(head.meta, _TITLES, MOST_TITLE) or shortened(head.title, MOST_TITLE),
        _first(head.meta, _TEXTS, MOST_TEXT),
        _first(head.meta, _SITES, MOST_SITE),
        next((head.meta[name].strip() for name in _PICTURES if head.meta.get(name, "").strip()), None),
    )
    return None if page.title is None and page.text is None else page


def shortened(text: str, most: int) -> str | None:
    """One line of up to `most` characters without invisible ones; None if nothing is left."""
    line = " ".join(_INVISIBLE.sub(" ", text[:_MOST_KEPT]).split())
    if len(line) > most:
        cut = line[: most - 1]
        line = f"{cut.rsplit(' ', 1)[0] if ' ' in cut[most // 2 :] else cut}…"
    return None if is_blank(line) else line


def _first(meta: dict[str, str], names: tuple[str, ...], most: int) -> str | None:
    for name in names:
        if (found := shortened(meta.get(name, ""), most)) is not None:
            return found
    return None


class _EndOfHead(Exception):
    """Nothing of interest follows."""


class _Head(HTMLParser):
    """Collects what a head says, and raises `_EndOfHead` at its end.

    A page that has no body tag is read on to its end, or until it had `MOST_PIECES`.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.meta: dict[str, str] = {}
        self.title = ""
        self._in_title = False
        self._titles = self._pieces = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._count()
        if tag == "body":
            raise _EndOfHead
        if tag == "title":
            self._titles += 1
            self._in_title = self._titles == 1
        elif tag == "meta":
            self._take_meta(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "title":
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._count()
        if tag == "head":
            raise _EndOfHead
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        self._count()
        if self._in_title and len(self.title) < _MOST_KEPT:
            self.title += data[:_MOST_KEPT]

    def handle_comment(self, data: str) -> None:
        self._count()

    def handle_pi(self, data: str) -> None:
        self._count()

    def handle_decl(self, decl: str) -> None:
        self._count()

    def _count(self) -> None:
        self._pieces += 1
        if self._pieces > MOST_PIECES:
            raise _EndOfHead

    def _take_meta(self, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, str] = {}
        for name, value in attrs:
            if name in ("property", "name", "content"):
                given.setdefault(name, value or "")
        for name in (given.get("property", ""), given.get("name", "")):
            key = name.strip().lower()[:40]
            if key in _META and given.get("content"):
                self.meta.setdefault(key, given["content"][:_MOST_KEPT])
