"""A file's name cannot add anything to the header, and comes back as it was given."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import unquote

import pytest
from chatnode_attachments.names import clean_name
from hypothesis import given
from hypothesis import strategies as st

from chatnode.api import content_disposition

_HARD = "a\"\\;%é='\r\n\0 \u0301\u202e👍,()*%22%0d%0a"
_ANY = st.text(st.characters(), max_size=300) | st.text(_HARD, max_size=300)
_FORM = re.compile(
    r"(inline|attachment); filename=\"([ !#$&-.0-:<-\[\]-~]*)\"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]*)"
)


@given(_ANY, st.booleans())
def test_a_name_stays_in_its_place(name: str, inline: bool) -> None:
    found = _FORM.fullmatch(content_disposition(name, inline=inline))
    assert found is not None
    assert found[1] == ("inline" if inline else "attachment")
    assert "'" not in found[3]


@given(_ANY)
def test_a_clean_name_comes_back(sent: str) -> None:
    name = clean_name(sent)
    field = content_disposition(name, inline=False)
    assert unquote(field.rpartition("''")[2], errors="strict") == name
    read = Message()
    read["Content-Disposition"] = field
    assert read.get_content_disposition() == "attachment"
    assert read.get_filename() is not None


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("cat.png", "inline; filename=\"cat.png\"; filename*=UTF-8''cat.png"),
        ("Übung 1.txt", "inline; filename=\"_bung 1.txt\"; filename*=UTF-8''%C3%9Cbung%201.txt"),
        ('a";x=y.txt', "inline; filename=\"a__x=y.txt\"; filename*=UTF-8''a%22%3Bx%3Dy.txt"),
        ("100%41.txt", "inline; filename=\"100_41.txt\"; filename*=UTF-8''100%2541.txt"),
    ],
)
def test_old_programs_get_ascii(name: str, field: str) -> None:
    assert content_disposition(name, inline=True) == field
