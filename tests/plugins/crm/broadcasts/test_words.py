"""Words that stop broadcasts, in several languages."""

from __future__ import annotations

import pytest
from chatnode_crm.broadcasts.words import Wish, wish_of
from chatnode_crm.settings import CrmSettings

STOP, START = CrmSettings().stop_words, CrmSettings().start_words


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("STOP", Wish("stop", "")),
        (" stop.\n", Wish("stop", "")),
        ("Désabonner", Wish("stop", "")),
        ("арет", None),
        ("стоп!", Wish("stop", "")),
        ("退订", Wish("stop", "")),
        ("START", Wish("start", "")),
        ("stop Weekly  News", Wish("stop", "weekly news")),
        ("stopped", None),
        ("do not stop", None),
        ("", None),
        ("...", None),
    ],
)
def test_words(text: str, wish: Wish | None) -> None:
    assert wish_of(text, STOP, START) == wish


def test_an_empty_word_in_the_settings_matches_nothing() -> None:
    assert wish_of("", ("",), ("!",)) is None
    assert wish_of("!", ("!",), ()) is None
