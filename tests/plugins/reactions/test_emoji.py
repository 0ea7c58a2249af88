"""What is one emoji, and which of its spellings is kept."""

from __future__ import annotations

import pytest
from chatnode_reactions.emoji import EMOJI_OF, TYPES, spellings_of, type_of
from hypothesis import given
from hypothesis import strategies as st

from chatnode.errors import Refusal
from chatnode.model.emoji import EMOJI_CHARS, TONES, as_emoji

GOOD = {
    "one character": "👍 😀 🎉 🫠 ⌚ ⭐ 🀄 🈚",
    "of Unicode 16 and 17": "\U0001fae9 \U0001fac6 \U0001fae8\u200d\u2195\ufe0f \U0001f6d8",
    "kept free for coming years": "\U0001faeb \U0001fc00 \U0001fafb\U0001f3fd",
    "text by default": "❤️ ☺️ ✈️ ©️ ™️ ↔️ ☝️ 🅰️ ㊗️ 🌶️ 🏳️",
    "skin tones": "👍🏻 👍🏿 ☝🏽 🤝🏾 🫱🏻‍🫲🏿 👩🏽‍🚀 🕵🏽‍♂️",
    "joined": "👨‍👩‍👧‍👦 👩‍❤️‍💋‍👨 👩🏽‍❤️‍💋‍👨🏿 🏳️‍🌈 🏳️‍⚧️ 🏴‍☠️ ❤️‍🔥 🐻‍❄️ 👁️‍🗨️ 🧑‍🧑‍🧒‍🧒",
    "flags": "🇩🇪 🇺🇳 🇨🇶",
    "flags of parts": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f "
    "\U0001f3f4\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f",
    "keycaps": "1️⃣ #️⃣ *️⃣",
}

BAD = {
    "nothing": "",
    "a space": " ",
    "a letter": "a",
    "a word": "like",
    "a digit": "1",
    "a digit with a variation selector": "1\ufe0f",
    "a Chinese character": "好",
    "a smiley of characters": ":)",
    "two": "👍👍",
    "two with a space": "👍 👍",
    "a space behind": "👍 ",
    "a letter behind": "👍a",
    "a line break behind": "👍\n",
    "a combining mark behind": "👍\u0301",
    "as plain text": "❤\ufe0e",
    "only a variation selector": "\ufe0f",
    "only a joiner": "\u200d",
    "only a skin tone": "🏽",
    "only a keycap": "\u20e3",
    "a letter in a keycap": "a\u20e3",
    "two digits in a keycap": "12\u20e3",
    "two skin tones": "👍🏽🏽",
    "a pizza with a skin tone": "🍕🏽",
    "half a flag": "🇩",
    "a flag and a half": "🇩🇪🇫",
    "two flags": "🇩🇪🇫🇷",
    "a joiner at the end": "👩\u200d",
    "a joiner at the beginning": "\u200d👩",
    "two joiners": "👩\u200d\u200d👩",
    "six joined": "\u200d".join("👩" * 6),
    "a letter joined": "👩\u200da",
    "a flag's end is missing": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074",
    "another flag's part": "🏁\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "only tags": "\U000e0067\U000e0062\U000e007f",
    "a long part of a flag": "\U0001f3f4" + "\U000e0067" * 7 + "\U000e007f",
    "a lone surrogate": "\ud83d",
    "a private character": "\ue000",
    "a character that is none": "\uffff",
    "a right-to-left mark behind": "👍\u200f",
    "zero width": "\u200b",
    "a chess king, which is no emoji": "♔",
    "a mahjong tile, which is no emoji": "🀀",
    "letters with marks": "Z\u0351\u036b\u0343\u036a\u0302",
    "many variation selectors": "❤" + "\ufe0f" * EMOJI_CHARS,
    "NUL": "👍\0",
    "markup": "<b>",
}


@pytest.mark.parametrize("emoji", [each for row in GOOD.values() for each in row.split()])
def test_one_emoji_is_kept_as_it_is(emoji: str) -> None:
    assert as_emoji(emoji, "emoji") == emoji


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_is_not_one_emoji_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        as_emoji(text, "emojis.3")
    assert (refused.value.code, refused.value.path) == ("invalid", "emojis.3")
    assert "emojis.3 must be one emoji" in refused.value.message


@pytest.mark.parametrize("emoji", [each for row in GOOD.values() for each in row.split()])
def test_variation_selectors_make_no_other_emoji(emoji: str) -> None:
    bare = emoji.replace("\ufe0f", "")
    assert as_emoji(bare, "emoji") == emoji
    assert as_emoji(bare + "\ufe0f", "emoji") == emoji


def test_nothing_is_lost_at_the_bound_of_length() -> None:
    longest = max((each for row in GOOD.values() for each in row.split()), key=len)
    assert len(longest) == 10
    assert as_emoji("\ufe0f".join(longest) + "\ufe0f", "emoji") == longest


@given(st.text(st.sampled_from("👍👩🏽🏴❤♀\u200d\ufe0f\u20e31#🇩🇪\U000e0067\U000e007fa"), max_size=12))
def test_what_was_taken_is_taken_again_and_stays(text: str) -> None:
    try:
        emoji = as_emoji(text, "emoji")
    except Refusal:
        return
    assert as_emoji(emoji, "emoji") == emoji
    assert emoji.replace("\ufe0f", "") == text.replace("\ufe0f", "")


def test_types_and_their_emoji() -> None:
    assert {type: type_of(emoji) for type, emoji in EMOJI_OF.items()} == {type: type for type in TYPES[:-1]}
    assert all(as_emoji(emoji, "emoji") == emoji for emoji in EMOJI_OF.values())
    assert (type_of("🎉"), spellings_of("custom")) == ("custom", [])
    assert {type_of("👍" + tone) for tone in TONES} == {"like"}
    assert (len(spellings_of("like")), spellings_of("love")) == (6, ["❤️"])
