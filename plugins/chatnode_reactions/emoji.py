"""The types of reactions, and the emoji that stand for them."""

from __future__ import annotations

from typing import Literal, get_args

from chatnode.api import in_all_tones

ReactionType = Literal["like", "love", "laugh", "sad", "angry", "wow", "custom"]
TYPES: tuple[ReactionType, ...] = get_args(ReactionType)

EMOJI_OF: dict[ReactionType, str] = {
    "like": "👍", "love": "❤️", "laugh": "😂", "sad": "😢", "angry": "😡", "wow": "😮",
}  # fmt: skip
"""What stands for each type; everything else is of the type custom."""


def spellings_of(type: ReactionType) -> list[str]:
    """The emoji of a type in all skin tones that it takes; none for `custom`, which is all others."""
    emoji = EMOJI_OF.get(type)
    return [] if emoji is None else in_all_tones(emoji)


_TYPE_OF: dict[str, ReactionType] = {emoji: type for type in TYPES for emoji in spellings_of(type)}


def type_of(emoji: str) -> ReactionType:
    """The type follows from the emoji, whatever its skin tone."""
    return _TYPE_OF.get(emoji, "custom")
