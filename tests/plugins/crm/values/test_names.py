"""Names: a full name in two without losing a word."""

from __future__ import annotations

import pytest
from chatnode_crm.contacts.values import names_from_email, split_name
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Jane Doe", "Jane", "Doe"),
        ("Doe, Jane", "Jane", "Doe"),
        ("  Jane   Doe ", "Jane", "Doe"),
        ("Madonna", "Madonna", None),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Van Morrison", "Van", "Morrison"),
        ("María José de la Cruz", "María José", "de la Cruz"),
        ("Dr. Jane Q. Doe Jr.", "Dr. Jane Q.", "Doe Jr."),
        ("John Doe, Jr.", "John", "Doe, Jr."),
        ("王小明", "小明", "王"),
        ("欧阳修文", "修文", "欧阳"),
        ("山田 太郎", "太郎", "山田"),
        ("김민수", "민수", "김"),
        ("", None, None),
        (",", None, None),
    ],
)
def test_a_full_name_is_split(text: str, first: str | None, last: str | None) -> None:
    assert split_name(text) == (first, last)


@given(st.text())
def test_no_letter_is_lost(text: str) -> None:
    first, last = split_name(text)
    kept = sorted((first or "") + (last or ""))
    assert [each for each in kept if each.isalnum()] == sorted(each for each in text if each.isalnum())


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("jane.doe@example.com", ("Jane", "Doe")),
        ("jane_doe42+news@example.com", ("Jane", "Doe")),
        ("info@example.com", (None, None)),
        ("no.reply@example.com", (None, None)),
        ("x7@example.com", (None, None)),
    ],
)
def test_names_are_found_in_an_address(address: str, names: tuple[str | None, str | None]) -> None:
    assert names_from_email(address) == names
