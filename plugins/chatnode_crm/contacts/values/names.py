"""Names of people: a full name in two, and names for a contact of whom only an email address is known."""

from __future__ import annotations

import re

_PARTICLES = frozenset((
    "af", "al", "bin", "da", "dal", "de", "degli", "dei", "del", "della", "den", "der", "di", "do", "dos", "das",
    "du", "el", "ibn", "la", "las", "le", "los", "san", "st.", "ten", "ter", "'t", "van", "vom", "von", "zu", "zum",
    "zur", "y",
))  # fmt: skip
"""Words with which a last name begins."""
_SUFFIXES = frozenset((
    "jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "phd", "ph.d.", "md", "m.d.", "esq", "esq.", "mba",
))  # fmt: skip
_HAN_OR_HANGUL = (
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7a3]+"  # compiled when it is needed: it takes milliseconds
)
_TWO_SIGNS = frozenset((
    "欧阳", "歐陽", "司马", "司馬", "上官", "诸葛", "諸葛", "东方", "東方", "皇甫", "尉迟", "公孙", "公孫", "慕容",
    "令狐", "司徒", "夏侯", "남궁", "황보", "제갈", "선우", "독고",
))  # fmt: skip
_MAILBOX = re.compile(r"([^\W\d_]{2,})[._]([^\W\d_]{2,})\d*")
_ROLES = frozenset((
    "info", "sales", "support", "contact", "admin", "office", "hello", "team", "mail", "no", "reply", "noreply",
    "news",
))  # fmt: skip


def split_name(text: str) -> tuple[str | None, str | None]:
    """First and last name of a full name. No word is lost: a title stays with the first name, "Jr." with the last."""
    text = " ".join(text.split())
    if not text:
        return None, None
    if "," in text:
        last, _, first = (part.strip() for part in text.partition(","))
        if first.lower() not in _SUFFIXES:
            return first or None, last or None
    if re.fullmatch(_HAN_OR_HANGUL, text.replace(" ", "")):
        return _split_family_first(text)
    words = text.split(" ")
    return _or_none(words[: _last_begins(words)]), _or_none(words[_last_begins(words) :])


def names_from_email(address: str) -> tuple[str | None, str | None]:
    """First and last name in an address such as jane.doe@example.com; nothing for info@ and the like."""
    found = _MAILBOX.fullmatch(address.partition("@")[0].partition("+")[0])
    if found is None or found[1].lower() in _ROLES or found[2].lower() in _ROLES:
        return None, None
    return found[1].capitalize(), found[2].capitalize()


def _last_begins(words: list[str]) -> int:
    """Where the last name begins: its last word, with the particles before and the suffixes after."""
    at = len(words) - 1
    while at > 1 and words[at].rstrip(",").lower() in _SUFFIXES:
        at -= 1
    while at > 1 and words[at - 1].lower() in _PARTICLES:
        at -= 1
    return max(at, 1)


def _split_family_first(text: str) -> tuple[str | None, str | None]:
    family, space, given = text.partition(" ")
    if space:
        return given, family
    if len(text) == 1:
        return text, None
    length = 2 if text[:2] in _TWO_SIGNS and len(text) > 2 else 1
    return text[length:], text[:length]


def _or_none(words: list[str]) -> str | None:
    return " ".join(words) or None
