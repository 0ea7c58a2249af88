"""Addresses that can hardly be right are reported, and nothing is changed."""

from __future__ import annotations

import pytest
from chatnode_crm.contacts.writing import create_many
from chatnode_crm.statistics import commands
from chatnode_crm.statistics.plausible import Doubt, doubt
from hypothesis import given
from hypothesis import strategies as st

from chatnode.node import Node
from chatnode.testing import User

PLAUSIBLE = (
    "ada@gmail.com", "ada.lovelace+news@mail.example-firm.co.uk", "o'neill@web.de", "ada@mail.com", "ada@ymail.com",
    "jörg@müller.de", "ada@xn--mller-kva.de", "ada@hotmail.fr", "ada@outlook.be", "ada@a.museum", "ada@live.com",
    "ada@example.de", "ada@163.com", "ada@mail.gmx.net",
)  # fmt: skip


@pytest.mark.parametrize("address", PLAUSIBLE)
def test_it_may_well_be_right(address: str) -> None:
    assert doubt(address) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ada", Doubt("syntax")),
        ("@gmail.com", Doubt("syntax")),
        ("ada@", Doubt("syntax")),
        ("a@da@gmail.com", Doubt("syntax")),
        ("ada lovelace@gmail.com", Doubt("syntax")),
        ("ada..l@gmail.com", Doubt("syntax")),
        ("ada.@gmail.com", Doubt("syntax")),
        ("ada@gmail..com", Doubt("syntax")),
        ("ada@-firm.de", Doubt("syntax")),
        ("ada@firm,de", Doubt("syntax")),
        ("ada@firm", Doubt("no_dot")),
        ("ada@localhost", Doubt("reserved")),
        ("ada@firm.local", Doubt("reserved")),
        ("ada@example.com", Doubt("reserved")),
        ("ada@Mail.Example.ORG", Doubt("reserved")),
        ("ada@firm.test", Doubt("reserved")),
        ("ada@192.168.0.1", Doubt("top_level")),
        ("ada@firm.d", Doubt("top_level")),
        ("ada@firm.c0m", Doubt("top_level")),
        ("ada@firm.con", Doubt("misspelt", "ada@firm.com")),
        ("ada@gmial.com", Doubt("misspelt", "ada@gmail.com")),
        ("ada@gmai.com", Doubt("misspelt", "ada@gmail.com")),
        ("ada@gnail.com", Doubt("misspelt", "ada@gmail.com")),
        ("ada@gmaill.com", Doubt("misspelt", "ada@gmail.com")),
        ("ada@hotmial.co.uk", Doubt("misspelt", "ada@hotmail.co.uk")),
        ("Ada@yaho.com", Doubt("misspelt", "Ada@yahoo.com")),
    ],
)
def test_it_can_hardly_be_right(address: str, expected: Doubt) -> None:
    assert doubt(address) == expected


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    found = doubt(text)
    assert found is None or found.suggestion is None or doubt(found.suggestion) is None or "@" in found.suggestion


async def test_a_page_of_them(node: Node, vic: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end where so many addresses were looked at, even without one that is doubtful."""
    monkeypatch.setattr(commands, "_READ", 2)
    monkeypatch.setattr(commands, "_MOST_READ", 4)
    addresses = ["a@gmial.com", "b@web.de", "c@x", *(f"{each}@web.de" for each in "defghi"), "j@localhost"]
    rows = [{"email": each, "email_key": each} for each in addresses] + [{"external_id": "7"}]
    await node.core.db.write(lambda tx: create_many(tx, rows, source="import", actor=None))
    found, pages, after = [], 0, None
    while True:
        page = await vic.does("crm.contacts.implausible", limit=2, **({"after": after} if after else {}))
        found += [(each["contact"]["email"], each["reason"], each.get("suggestion")) for each in page["contacts"]]
        pages += 1
        if (after := page.get("next")) is None:
            break
    assert found == [
        ("a@gmial.com", "misspelt", "a@gmail.com"), ("c@x", "no_dot", None), ("j@localhost", "reserved", None),
    ]  # fmt: skip
    assert pages == 3
