"""Names of files: whatever a client sends, what is stored can be shown, put into a header and saved."""

from __future__ import annotations

import unicodedata

import pytest
from chatnode_attachments.names import clean_name
from hypothesis import given
from hypothesis import strategies as st

from chatnode.model.fields import Text

_HARD = "aä.é/\\:\u202e\u2066\u206a\ufff9\ud800\r\n\0 \u0301가👍"
_ANY = st.text(st.characters(), max_size=400) | st.text(_HARD, max_size=400)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("Ergebnisse für März.ods", "Ergebnisse für März.ods"),
        ("U\u0308bung.txt", "Übung.txt"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\fakepath\\cat.png", "C__fakepath_cat.png"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ('a\r\nSet-Cookie: x=".png', 'aSet-Cookie_ x=".png'),
        ("tail.txt. .", "tail.txt"),
        (".bashrc", ".bashrc"),
        ("..", "file"),
        ("", "file"),
        ("\0\u200b ", "file"),
    ],
)
def test_a_name_is_cleaned(sent: str, kept: str) -> None:
    assert clean_name(sent) == kept


def test_a_long_name_keeps_its_extension() -> None:
    assert clean_name("ä" * 300 + ".tar.gz") == "ä" * 126 + ".gz"
    assert clean_name("x." + "y" * 300) == "x." + "y" * 253
    assert clean_name("." + "y" * 300) == "." + "y" * 254


@given(_ANY)
def test_a_clean_name_can_be_stored_and_shown(sent: str) -> None:
    name = clean_name(sent)
    assert 0 < len(name.encode()) <= 255
    assert Text(255, 1).fault(name) is None
    assert not set(name) & set("/\\:")
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in name)
    assert not any(unicodedata.bidirectional(each) in {"LRE", "RLE", "LRO", "RLO", "PDF"} for each in name)


@given(_ANY)
def test_a_clean_name_stays_as_it_is(sent: str) -> None:
    assert clean_name(clean_name(sent)) == clean_name(sent)
