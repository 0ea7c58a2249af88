"""What an emoji is, and which of its spellings is stored.

One emoji is one picture: a pictograph, perhaps in a skin tone; several that are joined into one, as families are; a
flag; a keycap. The forms are those of Unicode Technical Standard 51.
"""

from __future__ import annotations

import re
from typing import Annotated

from chatnode.errors import Refusal
from chatnode.model.emoji_characters import BODIES, PICTURES, SYMBOLS
from chatnode.model.fields import Text

EMOJI_CHARS = 40
"""Longer than any emoji with all its variation selectors."""

Emoji = Annotated[str, Text(EMOJI_CHARS, 1, hint="expected one emoji, such as 👍; `as_emoji` normalizes its spelling")]

TONES = "".join(map(chr, range(0x1F3FB, 0x1F400)))
"""The five skin tones, Unicode's emoji modifiers."""

_PICTURE_STYLE = "\ufe0f"
_JOINER = "\u200d"
_KEYCAP = "\u20e3"


def _any_of(*ranges: str) -> str:
    """A set of a regular expression, of ranges such as `1f600-1f64f`."""
    return "".join("-".join(chr(int(end, 16)) for end in each.split("-")) for part in ranges for each in part.split())


_PICTURE = f"[{_any_of(PICTURES, SYMBOLS)}]"
_PERSON = f"[{_any_of(BODIES)}][{TONES}]"
_PIECE = f"(?:{_PERSON}|{_PICTURE})"
_ONE = (  # compiled with the first emoji: with sets of characters so large that takes milliseconds
    f"{_PIECE}(?:{_JOINER}{_PIECE}){{0,4}}"
    "|[\U0001f1e6-\U0001f1ff]{2}"  # two letters of a region: its flag
    "|\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"  # a part of one, such as Scotland
    f"|[0-9#*]{_KEYCAP}"
)
_NEEDS_STYLE = f"([{_any_of(SYMBOLS)}])(?![{TONES}])|(?<=[0-9#*])(?={_KEYCAP})"


def as_emoji(text: str, path: str) -> str:
    """The stored spelling of an emoji: ❤ and ❤️ are the same, and clients may send either.

    Raises `Refusal("invalid")` at `path` for what is not exactly one emoji.
    """
    bare = text.replace(_PICTURE_STYLE, "")
    if len(text) > EMOJI_CHARS or not re.fullmatch(_ONE, bare):
        raise Refusal("invalid", f"{path} must be one emoji, such as 👍", path=path)
    return re.sub(_NEEDS_STYLE, lambda found: found.group() + _PICTURE_STYLE, bare)


def in_all_tones(emoji: str) -> list[str]:
    """An emoji in its stored spelling and in each of its skin tones."""
    return [emoji, *(emoji + tone for tone in TONES if re.fullmatch(_ONE, emoji + tone))]
