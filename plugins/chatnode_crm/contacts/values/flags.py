"""Yes and no, as people, spreadsheets and databases write them."""

from __future__ import annotations

import re
from functools import cache

from chatnode.api import folded

_YES = """
    1|-1|yes|y|true|t|on|x|✓|✔|☑|✅|ja|j|wahr|oui|vrai|si|sí|s|verdadero|vero|sim|verdadeiro|waar|tak|prawda|да|д|истина
    |так|правда|是|对|真|はい|예|네|evet|doğru|igen|igaz|ano|da|sand|sann|sant|kyllä|tosi|ναι|نعم|כן
"""
_NO = """
    no|n|false|f|off|✗|✘|✕|❌|☐|nein|falsch|non|faux|falso|não|nee|onwaar|nie|fałsz|нет|н|ложь|ні|否|不|假|いいえ|아니요
    |아니오|hayır|yanlış|nem|hamis|ne|nu|nej|nei|falsk|usand|usann|ei|epätosi|όχι|لا|לא
"""
_ZERO = re.compile(r"[0\s.,:/\-TZ]*0[0\s.,:/\-TZ]*")
"""Also `0.0`, and the date that databases have for none: `0000-00-00 00:00:00`."""
_ONE = re.compile(r"[+-]?1[.,]0*")
_LONGEST = 40


def read_flag(text: str) -> bool | None:
    """Whether it means yes; None if it means neither."""
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    if _ZERO.fullmatch(text):
        return False
    if _ONE.fullmatch(text):
        return True
    return _words().get(folded(text))


@cache
def _words() -> dict[str, bool]:
    return {
        folded(word.strip()): meaning for words, meaning in ((_NO, False), (_YES, True)) for word in words.split("|")
    }
