"""What a webhook may not say is written so that it names nobody: with an invisible character after the @."""

from __future__ import annotations

from chatnode.api import find_mentions

EVERYONE = frozenset(
    ("everyone", "everybody", "anyone", "all", "here", "channel", "group", "room", "online", "moderators", "me")
)
"""What stands for all members, as no user can have these handles."""
_WORD_JOINER = "\u2060"


def without_mentions(text: str, *, everyone: bool, names: bool) -> str:
    """The text with the same words, in which @everyone and its synonyms name nobody unless `everyone`, and no other
    @handle does unless `names`."""
    begin, parts = 0, list[str]()
    for handle, start, _ in find_mentions(text):
        if not (everyone if handle in EVERYONE else names):
            parts += (text[begin : start + 1], _WORD_JOINER)
            begin = start + 1
    parts.append(text[begin:])
    return "".join(parts)
