"""The words of a text, for search: without case and accents, including scripts written without spaces.

`fold` makes a text comparable (`model/folding.py`) and leaves its words: emoji and punctuation separate them.

A number that is raised, lowered, in a circle or a fraction is a word of its own beside other digits: 10⁶ is the words
10 and 6, and 3½ is 3, 1 and 2, as in 10^6 and 3 1/2; neither is 106 or 31. Beside letters it belongs to their word:
m² is m2.

A run of a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese; and Korean, which writes particles
onto its words) is one word, in which any part is found. The index holds its pairs of neighbouring characters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache, partial
from itertools import pairwise
from unicodedata import category, normalize

from chatnode.model.folding import form_of

LONGEST = 8_000
"""Characters of a word that are indexed."""

_DENSE = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Korean
    "\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # Japanese, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
# Compiled with the first text that is not ASCII: with sets of characters so large that takes milliseconds.
_dense = cache(partial(re.compile, f"[{_DENSE}]"))
_parts = cache(partial(re.compile, f"[{_DENSE}]+|[^{_DENSE} ]+"))

_RAISED = "\u2070\xb9\xb2\xb3\u2074-\u2079"
_LOWERED = "\u2080-\u2089"
_FRACTIONS = "\xbc-\xbe\u2150-\u215f\u2189"
_ENCLOSED = (  # in circles, with a full stop or comma, hours, days and months
    "\u2460-\u2473\u2488-\u249b\u24ea\u3251-\u325f\u32b1-\u32cb\u3358-\u3370\u33e0-\u33fe\U0001f100-\U0001f10a"
)
_SQUARED = "\u3378\u3379\u339f-\u33a6\u33a8\u33af"  # units such as ㎡, which end in a digit
NUMBERS = f"{_RAISED}{_LOWERED}{_FRACTIONS}{_ENCLOSED}{_SQUARED}"
"""Characters, as in a set of a regular expression, whose compatible form begins or ends with a digit."""
_number = cache(partial(re.compile, f"[{NUMBERS}]"))
_NOT_SCRIPTS = f"{_ENCLOSED}{_SQUARED}"
_beside_number = cache(
    partial(
        re.compile,
        "|".join((
            rf"(?<=[\d{NUMBERS}])(?=[{_ENCLOSED}])",
            rf"(?<=[{NUMBERS}])(?=\d)",
            rf"(?<=[\d{_NOT_SCRIPTS}{_LOWERED}])(?=[{_RAISED}])",  # ¹² is 12
            rf"(?<=[\d{_NOT_SCRIPTS}{_RAISED}])(?=[{_LOWERED}])",
            rf"(?<=\w)(?=[{_FRACTIONS}])",
            rf"(?<=[{_FRACTIONS}])(?=\w)",
        )),
    )
)  # fmt: skip
"""Places between a number and what is a word of its own beside it."""
_FRACTION_SLASH = "\u2044"
_ascii_runs = re.compile("[\0-\x7f]+|[^\0-\x7f]")
_ascii_words = re.compile("[a-z0-9]+")


class _Words(dict[int, str]):
    """Code point → its comparable form, with a space where it separates words."""

    def __missing__(self, point: int) -> str:
        self[point] = form = "".join(part if category(part)[0] in "LMN" else " " for part in form_of(chr(point)))
        return form


_WORDS = _Words()
for _point in range(128):
    _WORDS[_point] = chr(_point).lower() if chr(_point).isalnum() else " "


def fold(text: str) -> str:
    """The words of `text` in their comparable form, with spaces in between."""
    if text.isascii():
        return text.translate(_WORDS)
    return normalize("NFC", normalize("NFKD", numbers_apart(text)).translate(_WORDS))


def numbers_apart(text: str) -> str:
    """`text` with a slash, which separates words, between numbers that its compatible form would make one of."""
    if text.isascii() or _number().search(text) is None:
        return text
    return _beside_number().sub(_FRACTION_SLASH, text)


def is_dense(word: str) -> bool:
    """Whether a word is a run of a script that is written without spaces."""
    return not word.isascii() and _dense().match(word) is not None


def words(text: str) -> list[str]:
    """The words of `text` in order; a run of a script without spaces is one."""
    folded = fold(text)
    return folded.split() if folded.isascii() else _parts().findall(folded)


def comparable(text: str) -> str:
    """The words with a space before, between and after them, in which `needle`s are looked for."""
    return f" {' '.join(words(text))} "


def needle(found: list[str], *, prefix: bool = False) -> str:
    """What `comparable` of a text with these consecutive words contains. With `prefix` the last one may continue.
    Words of scripts without spaces are found within a run.
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
    """The matches of the needles in `text`: begin and end in characters, in order, without overlaps."""
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
    """Merge overlapping spans."""
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
        apart = set[int]() if text.isascii() else {place.start() for place in _beside_number().finditer(text)}
        for begin, end in _pieces(text):
            if begin in apart:
                folded += " "
            self._pieces.append((begin, end))
            self._folded_at.append(len(folded))
            folded += fold(text[begin:end])
        self._words_at: list[int] = []
        self._words_folded_at: list[int] = []
        place = 1
        found: list[str] = []
        for word in _parts().finditer(folded):
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
    """Whether a character is folded with the one before it: a mark, a Korean vowel or final, what is left out."""
    if character.isascii():
        return False
    first = normalize("NFKD", character)[0]
    return category(first)[0] == "M" or "\u1160" <= first <= "\u11ff" or not form_of(character)
