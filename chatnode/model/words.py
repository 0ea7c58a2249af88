"""The words of a text, for search: without case and accents, and for scripts written without spaces too.

`fold` makes a text comparable: "Café" and "CAFE" are the same, as are full-width and usual letters, and digits of any
script. Accents of Latin, Greek and Cyrillic letters are dropped, as are the vowel points of Hebrew and Arabic; what
makes another letter of one (the dots of the Japanese が, the vowels of Thai) stays. Emoji and punctuation are none:
they separate words.

A run of a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese; and Korean, which writes particles
onto its words) is one word that anything within it is found in. The index holds its pairs of neighbours.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from unicodedata import category, decimal, normalize

LONGEST = 8_000
"""Characters of a word that are indexed."""

_DENSE = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Korean
    "\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # Japanese, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
_dense = re.compile(f"[{_DENSE}]")
_parts = re.compile(f"[{_DENSE}]+|[^{_DENSE} ]+")
_ascii_runs = re.compile("[\0-\x7f]+|[^\0-\x7f]")
_ascii_words = re.compile("[a-z0-9]+")


def caseless(text: str) -> str:
    """The same of texts that differ only in case or in how letters are composed. Unlike `fold` it keeps accents."""
    return text.lower() if text.isascii() else normalize("NFKC", normalize("NFKC", text).casefold())


_OTHER_FORMS = {
    "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th",
    "\u0640": "",  # only stretches an Arabic word
    "\u06a9": "\u0643", "\u06cc": "\u064a", "\u0649": "\u064a",  # the same letters in Persian and in Arabic
}  # fmt: skip
_ZERO_WIDTH_SPACE = "\u200b"


def _is_dropped(mark: str) -> bool:
    """Whether a combining mark only decorates its letter."""
    return (
        "\u0300" <= mark <= "\u036f"
        or "\u0591" <= mark <= "\u05c7"  # Hebrew points
        or "\u064b" <= mark <= "\u065f"  # Arabic vowel signs
        or mark == "\u0670"
        or "\u1ab0" <= mark <= "\u1aff"
        or "\u1dc0" <= mark <= "\u1dff"
        or "\u20d0" <= mark <= "\u20ff"
        or "\ufe00" <= mark <= "\ufe0f"  # which form of a character to show
        or "\U000e0100" <= mark <= "\U000e01ef"
    )


def _fold_part(character: str) -> str:
    kind = category(character)
    if kind == "Cf":  # invisible: a soft hyphen is within a word
        return " " if character == _ZERO_WIDTH_SPACE else ""
    if kind[0] == "M":
        return "" if _is_dropped(character) else character
    if kind == "Nd":
        return str(decimal(character))
    return _OTHER_FORMS.get(character, character) if kind[0] in "LN" else " "


class _Folding(dict[int, str]):
    """Code point → what it is folded to; each is worked out once."""

    def __missing__(self, point: int) -> str:
        character = chr(point)
        if "\uac00" <= character <= "\ud7a3":  # a Korean syllable has no accents to take off
            folded = character
        else:
            bare = normalize("NFKD", normalize("NFKD", character).casefold())
            folded = normalize("NFC", "".join(map(_fold_part, bare)))
        self[point] = folded
        return folded


_FOLDING = _Folding()
for _point in range(128):
    _FOLDING[_point] = chr(_point).lower() if chr(_point).isalnum() else " "


def fold(text: str) -> str:
    """`text` in its comparable form: words, with spaces in between."""
    return (text if text.isascii() else normalize("NFKC", text)).translate(_FOLDING)


def is_dense(word: str) -> bool:
    """Whether a word is a run of a script that is written without spaces."""
    return not word.isascii() and _dense.match(word) is not None


def words(text: str) -> list[str]:
    """The words of `text` in order; a run of a script without spaces is one."""
    folded = fold(text)
    return folded.split() if folded.isascii() else _parts.findall(folded)


def comparable(text: str) -> str:
    """The words with a space before, between and after them, in which `needle`s are looked for."""
    return f" {' '.join(words(text))} "


def needle(found: list[str], *, prefix: bool = False) -> str:
    """What `comparable` of a text contains when it has these words after one another.

    With `prefix` the last one may go on. What is written without spaces is found within a run.
    """
    before = "" if is_dense(found[0]) else " "
    after = "" if prefix or is_dense(found[-1]) else " "
    return f"{before}{' '.join(found)}{after}"


def index_tokens(text: str) -> Iterator[str]:
    """What the index holds of `text`: words, and of each run the pairs of neighbours and its last character."""
    if text.isascii():
        yield from _ascii_words.findall(text.lower())
        return
    for word in words(text):
        if is_dense(word):
            yield from pairs(word)
            yield word[-1]
        else:
            yield word[:LONGEST]


def pairs(run: str) -> Iterable[str]:
    """Each character of a run with the next one."""
    return map("".join, pairwise(run))


def spans(text: str, needles: Iterable[str]) -> list[tuple[int, int]]:
    """Where `text` has what the needles stand for: begin and end in characters, in order, none within another."""
    located = Located(text)
    found: set[tuple[int, int]] = set()
    for each in needles:
        at = located.comparable.find(each)
        while at >= 0:
            first, last = at + each.startswith(" "), at + len(each) - 1 - each.endswith(" ")
            found.add((located.origin(first)[0], located.origin(last)[1]))
            at = located.comparable.find(each, at + 1)
    return _joined(sorted(found))


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans as one."""
    joined: list[tuple[int, int]] = []
    for begin, end in found:
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


class Located:
    """`comparable` of a text, and for characters of its words where they came from."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._pieces: list[tuple[int, int]] = []  # begin and end of each piece that was folded alone
        self._folded_at: list[int] = []  # where what it became begins
        folded = ""
        for begin, end in _pieces(text):
            self._pieces.append((begin, end))
            self._folded_at.append(len(folded))
            folded += fold(text[begin:end])
        self._words_at: list[int] = []
        self._words_folded_at: list[int] = []
        place = 1
        found: list[str] = []
        for word in _parts.finditer(folded):
            self._words_at.append(place)
            self._words_folded_at.append(word.start())
            found.append(word.group())
            place += len(word.group()) + 1
        self.comparable = f" {' '.join(found)} "

    def origin(self, at: int) -> tuple[int, int]:
        """Begin and end, in the text, of what became the character `at` of a word in `comparable`."""
        word = bisect_right(self._words_at, at) - 1
        folded = self._words_folded_at[word] + at - self._words_at[word]
        piece = bisect_right(self._folded_at, folded) - 1
        begin, end = self._pieces[piece]
        if not self._text[begin:end].isascii():
            return begin, end
        begin += folded - self._folded_at[piece]  # ASCII is folded character by character
        return begin, begin + 1


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Runs of ASCII, and other characters with the marks that belong to them: what can be folded alone as it is folded
    in the whole text.
    """
    begin = 0
    for found in _ascii_runs.finditer(text):
        at = found.start()
        if _continues(text[at]):
            if at - begin > 1 and text[begin:at].isascii():  # only its last character takes the mark
                yield begin, at - 1
                begin = at - 1
        elif begin < at:
            yield begin, at
            begin = at
    if text:
        yield begin, len(text)


def _continues(character: str) -> bool:
    """Whether a character combines with the one before it: a mark, a Korean vowel or final, a half-width dot."""
    return not character.isascii() and (
        category(character)[0] == "M" or "\u1160" <= character <= "\u11ff" or character in "\uff9e\uff9f"
    )
