"""Addresses of contacts are found in cells, and files with many other addresses take no longer for that."""

from __future__ import annotations

import unicodedata

import pytest
from chatnode_crm.contacts.values import email_key
from chatnode_crm.imports import known
from chatnode_crm.imports.known import KnownNames

ADDRESSES = (
    "zoé@example.com",
    "INFO@example.com",
    "Ann.Smith+news@bücher.example.com",
    "o'brien@example.com",
    "İ@x.com",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_found_however_it_is_written(address: str) -> None:
    names = KnownNames({email_key(address): 7}, {}, {})
    mailbox, _, domain = address.partition("@")
    punycode = domain.encode("idna").decode()
    for written in (
        address, unicodedata.normalize("NFD", address), f"<{address.lower()}>", f"{mailbox}@{domain.upper()}",
        f"mailto:{mailbox}@{punycode}?x", f"an {address}.",
    ):  # fmt: skip
        assert names.are_in(["", f"x {written}"], 7), written
    assert not names.are_in([address], 8)
    assert not names.are_in([f"x{address}", f"{mailbox}@example.org"], 7)


def test_addresses_of_others_are_not_normalized(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell may have dozens of what could be one, and each that is not ASCII takes a tenth of a millisecond."""
    normalized: list[str] = []

    def noted(address: str) -> str:
        normalized.append(address)
        return email_key(address)

    monkeypatch.setattr(known, "email_key", noted)
    names = KnownNames({"zoé@bücher.example.com": 7}, {}, {})
    assert not names.are_in(["=é" * 27 + "a@bücher.example.com", "to=zoé@example.com"], 7)
    assert normalized == ["zoé@example.com"]
