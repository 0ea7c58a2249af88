"""Words that stop broadcasts, in several languages."""

from __future__ import annotations

import pytest
from chatnode_crm.broadcasts.words import Wish, wish_of
from chatnode_crm.settings import CrmSettings

STOP, START = CrmSettings().stop_words, CrmSettings().start_words


@pytest.mark.parametrize(
    "text",
    [
        "STOP", " stop.\n", "“STOP”", "«СТОП»", "«\u00a0STOP\u00a0»", "`STOP`", "**stop**", "STOP…", "Stop 🙏",
        "🙏\nstop", "/stop", "#STOP", "ＳＴＯＰ", "STOP\u200b", "¡Baja!", "STOP\n\nSent from my iPhone",
        "停止。", "退订！", "стоп!", "Désabonner", "Se désabonner", "Arrêter", "ABMELDEN!", "Opt-out", "unsubscribe",
        "Stop all", "@news STOP", "@news\nSTOP", "@news, @ann: STOP",
        "@news,STOP", "> Any news?\nSTOP", ">STOP<", "CANCEL", "Quit.", "end", "wypisz", "Отписаться", "afmelden",
    ],
)  # fmt: skip
def test_as_people_write_it(text: str) -> None:
    assert wish_of(text, STOP, START) == Wish("stop", "")


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("START", Wish("start", "")),
        ("stop Weekly  News", Wish("stop", "weekly news")),
        ("STOP: News", Wish("stop", "news")),
        ("STOP – “News”", Wish("stop", "news")),
        ("Se désabonner : l'hebdo", Wish("stop", "l hebdo")),
        ("Stop это", Wish("stop", "это")),
        ("арет", None),
        ("stopped", None),
        ("do not stop", None),
        ("thank you\nSTOP", None),
        ("> Reply STOP to unsubscribe.\nI like it", None),
        ("@stop", Wish("stop", "")),
        ("@news", None),
        ("", None),
        ("...", None),
    ],
)
def test_words(text: str, wish: Wish | None) -> None:
    assert wish_of(text, STOP, START) == wish


def test_an_empty_word_in_the_settings_matches_nothing() -> None:
    assert wish_of("", ("",), ("!",)) is None
    assert wish_of("!", ("!",), ()) is None
