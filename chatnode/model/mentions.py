"""Mentions: the parser of @handles, for the node, which notifies, and for clients, which highlight.

A text is Markdown. Quotes, code and addresses mention no user:

- a handle stands alone: `@ann`, `(@ann)`, `**@ann**`, `_@ann_`, `@ann's`; not within a longer word, `bob@ann`, `@annä`.
  A script written without spaces ends the handle: `@annさん` mentions ann
- addresses: `ann@example.org`, `https://example.org/@ann`, `example.org/@ann`, the target of a link, `@ann@example.org`
  of another network, `@ann:example.org` of Matrix
- code: between runs of equally many backticks within a paragraph, and in fences of backticks or tildes, which may be
  indented or stand in a list; one that is not closed goes on to the end. Indentation alone is no code
- quotes: every line that begins with `>`
- an escaped `\\@ann`

Parsing takes linear time for any text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from chatnode.model.fields import HANDLE_FORM
from chatnode.model.words import is_dense

MOST_COUNTED = 500
"""So many mentions in a text count. Nobody means more users by their handles; there is `@everyone`."""


class Mention(NamedTuple):
    """A handle in lower case, and its range with the @: `text[start:end]`."""

    handle: str
    start: int
    end: int


def mentioned_handles(text: str) -> list[str]:
    """The handles that the first `MOST_COUNTED` mentions in `text` name, each once, in order, including `everyone`,
    `all` and `admins`.

    Does not check whether the user exists or is a member.
    """
    return list(dict.fromkeys(mention.handle for mention in islice(mentions(text), MOST_COUNTED)))


def mentions(text: str) -> Iterator[Mention]:
    """Every mention in `text`, in order."""
    if "@" not in text:
        return
    if _MARKUP.search(text) is None:
        yield from _in_plain(text, 0, len(text))
        return
    for start, end in _paragraphs(text):
        if text.find("@", start, end) >= 0:
            for plain in _outside_code_and_addresses(text, start, end):
                yield from _in_plain(text, *plain)


_MARKUP = re.compile(r"[`>\\/(?#]|~~~")
"""Without any of these there is nothing to leave out."""


# ---- blocks

_LINE = re.compile(r"([^\r\n]*+)(?:\r\n?+|\n|\Z)")
_ITEM = r"[ \t]*+(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]++)*+"  # indentation, and the marks of a list
_QUOTE = re.compile(_ITEM + ">")
_FENCE = re.compile(_ITEM + r"(?:(`{3,}+)[^`\r\n]*+|(~{3,}+)[^\r\n]*+)\Z")
_BREAK = re.compile(r"[ \t]*+(?:\Z|#{1,6}(?:[ \t]|\Z)|(?:[-*+]|[0-9]{1,9}[.)])[ \t]|[-=*_][-=*_ \t]*+\Z)")
_MAY_BEGIN_BLOCKS = frozenset(" \t`~>#=_-*+0123456789")


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of what is neither code nor quote, cut where a code span cannot go on."""
    fence = ""
    begin = 0
    for line in _LINE.finditer(text):
        said = line[1]
        if fence:
            if _closes(fence, said):
                fence, begin = "", line.end()
        elif not said:
            if begin < line.start():
                yield begin, line.start()
            begin = line.end()
        elif said[0] not in _MAY_BEGIN_BLOCKS:
            pass
        elif (opened := _FENCE.match(said)) or _QUOTE.match(said):
            yield begin, line.start()
            fence = (opened[1] or opened[2]) if opened else ""
            begin = line.end()
        elif _BREAK.match(said):
            yield begin, line.start()
            begin = line.start()
    if not fence:
        yield begin, len(text)


def _closes(fence: str, line: str) -> bool:
    line = line.strip(" \t")
    return len(line) >= len(fence) and line.strip(fence[0]) == ""


# ---- within a paragraph

_TOKEN = re.compile(
    r"\\[!-/:-@\[-`{-~]"
    r"|(?P<code>`++)"
    r"|://[^\s<>\"`]*+"
    # A page without its scheme: a name with a dot, or a port, before a slash.
    r"|(?<![\w.@-])[\w-]++(?:(?:\.[\w-]++)++(?::[0-9]++)?+|:[0-9]++)[/?#][^\s<>\"`]*+"
    # The target of a link, and its title.
    r"|\]\(\s*+(?:<[^<>\n`]*+>|(?:[^\s()<`\\]|\\.)*+(?:\((?:[^\s()<`\\]|\\.)*+\)(?:[^\s()<`\\]|\\.)*+)*+)"
    r"(?:\s++(?:\"[^\"`]*+\"|'[^'`]*+'|\([^()`]*+\)))?+\s*+\)",
    re.DOTALL,
)
_TICKS = re.compile("`++")


def _outside_code_and_addresses(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Begin and end of what is neither code nor a web address, cut at escapes."""
    ticks: dict[int, list[int]] | None = None
    searched = begin
    while (token := _TOKEN.search(text, searched, end)) is not None:
        searched = token.end()
        if token["code"] is not None:
            if ticks is None:
                ticks = _runs(text, token.start(), end)
            searched = _after_code(ticks, len(token["code"]), searched)
        yield begin, token.start()
        begin = searched
    yield begin, end


def _runs(text: str, begin: int, end: int) -> dict[int, list[int]]:
    """Where runs of backticks end, by their length, the last one first."""
    found: dict[int, list[int]] = {}
    for run in _TICKS.finditer(text, begin, end):
        found.setdefault(len(run[0]), []).append(run.end())
    for ends in found.values():
        ends.reverse()
    return found


def _after_code(runs: dict[int, list[int]], length: int, begin: int) -> int:
    """Where the code that a run opens ends; `begin`, its own end, if nothing closes it."""
    ends = runs.get(length, [])
    while ends and ends[-1] <= begin:
        ends.pop()
    return ends[-1] if ends else begin


# ---- at an @

_SIGNS = "._-"
"""Within a handle or an address, and around one too."""
_HANDLE = re.compile(rf"@((?>{HANDLE_FORM}))[{_SIGNS}]*+", re.IGNORECASE | re.ASCII)
_MATRIX_HOST = re.compile(r":[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.[a-z]", re.IGNORECASE | re.ASCII)


def _in_plain(text: str, start: int, stop: int) -> Iterator[Mention]:
    at = text.find("@", start, stop)
    while at >= 0:
        mention = _mention_at(text, start, at, stop)
        if mention is not None:
            yield mention
        at = text.find("@", at + 1 if mention is None else mention.end, stop)


def _mention_at(text: str, start: int, at: int, stop: int) -> Mention | None:
    """The handle at an @, unless it is part of a longer word or of an address."""
    found = _HANDLE.match(text, at, stop)
    if found is None:
        return None
    if at and text[at - 1] != " " and not _may_stand_after(text, start, at):
        return None
    after = text[found.end() : found.end() + 1]
    if after == "@" or (after and _is_letter(after)) or (after == ":" and _MATRIX_HOST.match(text, found.end(1))):
        return None
    return Mention(found[1].lower(), at, found.end(1))


def _may_stand_after(text: str, start: int, at: int) -> bool:
    """Whether what comes before an @ is the end of no word."""
    before = at - 1
    while before >= start and text[before] in _SIGNS:
        before -= 1
    while before >= start and unicodedata.category(text[before])[0] == "M":
        before -= 1  # to what it is combined with: a letter, or an emoji
    return before < 0 or not (text[before] == "@" or _is_letter(text[before]))


def _is_letter(character: str) -> bool:
    """A letter, digit or combining mark of a script that is written with spaces between words."""
    if character.isascii():
        return character.isalnum()
    return unicodedata.category(character)[0] in "LNM" and not is_dense(character)
