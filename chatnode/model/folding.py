"""The folded form of texts, by which they are found, sorted and compared.

Texts that read alike have the same folded form: "Café" and "CAFE", Łukasz and lukasz, Ægir and aegir, full-width
and usual letters, digits of any script. Accents of Latin, Greek and Cyrillic letters are dropped, as are the vowel
points of Hebrew and Arabic; marks that make a different letter (the dots of the Japanese が, the vowels of Thai) stay.
Invisible characters are dropped. Punctuation and symbols stay, in their plain form: ’ is ', – is -, “ is ".

When the folded form changes, rebuild everything stored in it: the search index (a step in `storage/schema/`) and
tables of plugins.
"""

from __future__ import annotations

import re
from unicodedata import category, decimal, lookup, name, normalize

APOSTROPHES = "'\u2018\u2019\u201a\u201b\u2032\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\ua78b\ua78c\u07f4\u07f5\u055a"
"""Characters used as an apostrophe: quotation marks, primes, and letters such as the Hawaiian ʻokina."""

QUOTES = '"\u201c\u201d\u201e\u201f\u02ba\u02ee\u05f4\u301d\u301e\u301f\u2e42\U0001f676\U0001f677\U0001f678'
"""Double quotation marks, whether they open or close; each language has its own pair of them."""

DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58"
"""Hyphens, dashes and the minus sign."""

_LETTERS = {
    "ı": "i", "ȷ": "j", "ĸ": "q", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŋ": "n", "ə": "e", "ɛ": "e", "ɔ": "o",
    "\u0640": "",  # only stretches an Arabic word
    "\u0671": "\u0627", "\u0629": "\u0647",  # alef and heh in their forms at the ends of words
    "\u06a9": "\u0643", "\u06cc": "\u064a", "\u0649": "\u064a",  # the same letters in Persian, Urdu and Arabic
    "\u06be": "\u0647", "\u06c1": "\u0647", "\u06c3": "\u0647", "\u06d5": "\u0647",
}  # fmt: skip
"""Letters that Unicode does not decompose, and what people type for them."""

_PLAIN = dict.fromkeys(APOSTROPHES, "'") | dict.fromkeys(QUOTES, '"') | dict.fromkeys(DASHES, "-")
_WITH_MARK = re.compile("(LATIN|CYRILLIC) SMALL LETTER (.+?) WITH .+")
_ACUTE = " \u0301"  # NFKD of ´, which many type for an apostrophe
_ZERO_WIDTH_SPACE = "\u200b"
_FILLERS = "\u115f\u1160\u3164\uffa0\u17b4\u17b5\u180b\u180c\u180d\u180f"
"""Letters and marks that render as nothing."""
_BLANKS = "\u2800\U0001d159"
"""Blank symbols: the Braille cell without dots, and a note without a head."""


def folded(text: str) -> str:
    """`text` in its folded form; folding it again changes nothing."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFKD", text).replace(_ACUTE, "'").translate(_FOLDING))


def caseless(text: str) -> str:
    """A form without case and composition, for filters: unlike `folded`, it keeps accents."""
    return text.lower() if text.isascii() else normalize("NFKC", normalize("NFKC", text).casefold())


def form_of(character: str) -> str:
    """The folded form of a character; a text's is that of each character of its NFKD form."""
    return _FOLDING[ord(character)]


def is_blank(text: str) -> bool:
    """Whether the text has nothing visible: only spaces, invisible characters, fillers or marks without a letter."""
    return not text or all(map(_is_blank, text))


def _is_blank(character: str) -> bool:
    if character.isascii():
        return character <= " " or character == "\x7f"
    kind = category(character)
    if kind == "Cn":  # unassigned: perhaps a future emoji
        return "\U000e0000" <= character <= "\U000e0fff" or "\ufff0" <= character <= "\ufff8" or character == "\u2065"
    return kind[0] in "ZM" or kind in ("Cc", "Cf") or character in _FILLERS or character in _BLANKS


def _is_dropped(mark: str) -> bool:
    """Whether a combining mark is only an accent of its letter."""
    return (
        "\u0300" <= mark <= "\u036f"
        or "\u0483" <= mark <= "\u0489"  # Cyrillic numbers and titles
        or "\u0591" <= mark <= "\u05c7"  # Hebrew points
        or "\u0610" <= mark <= "\u061a"
        or "\u064b" <= mark <= "\u065f"  # Arabic vowel signs
        or mark == "\u0670"
        or "\u06d6" <= mark <= "\u06ed"
        or "\u1ab0" <= mark <= "\u1aff"
        or "\u1dc0" <= mark <= "\u1dff"
        or "\u20d0" <= mark <= "\u20ff"
        or "\ufe00" <= mark <= "\ufe0f"  # which form of a character to show
        or "\ufe20" <= mark <= "\ufe2f"  # halves of marks over two letters
        or "\U000e0100" <= mark <= "\U000e01ef"
    )


def _fold(character: str) -> str:
    return "".join(map(_fold_part, normalize("NFKD", character.casefold())))


def _fold_part(character: str) -> str:
    kind = category(character)
    if kind[0] == "Z" or character == _ZERO_WIDTH_SPACE or character in _BLANKS:
        return " "
    if kind == "Cf" or character in _FILLERS:  # a soft hyphen is within a word
        return ""
    if kind[0] == "M":
        return "" if _is_dropped(character) else character
    if kind == "Nd":
        return str(decimal(character))
    if character in _PLAIN:
        return _PLAIN[character]
    if character in _LETTERS:
        return _LETTERS[character]
    return _without_mark(character) if kind[0] == "L" else character


def _without_mark(letter: str) -> str:
    """The base letter of one with a stroke, hook or tail, from its Unicode name:  ł is l, ø is o, қ is к."""
    found = _WITH_MARK.fullmatch(name(letter, ""))
    if found is None:
        return letter
    try:
        return _fold(lookup(f"{found[1]} SMALL LETTER {found[2]}"))
    except KeyError:
        return letter


class _Folding(dict[int, str]):
    """Code point → its folded form; each is computed once."""

    def __missing__(self, point: int) -> str:
        self[point] = form = _fold(chr(point))
        return form


_FOLDING = _Folding()
