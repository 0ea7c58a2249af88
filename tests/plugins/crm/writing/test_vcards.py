"""vCards, parsed by a library of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import vobject
from chatnode_crm.files.names import split_names
from chatnode_crm.files.reading import open_table
from chatnode_crm.files.writing.formats import FormatName
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.crm.writing.made import AT, row, written

ID = "0123456789abcdef0123456789abcdef"
ANN = row(
    id=ID, email="ann@example.com", first_name="Ann", last_name="Lee, Jr.", company="Lee; Sons", phone="+33612345678",
    country="France", city="Paris", description="one\ntwo; three, \\four", tags=("Gold", "a,b"), updated_at=AT,
    custom__visits=3,
)  # fmt: skip


def cards(data: bytes) -> list[Any]:
    return list(vobject.readComponents(data.decode()))


def lines(data: bytes) -> list[str]:
    """Unfolded."""
    return data.decode().replace("\r\n ", "").splitlines()


def test_a_card_has_what_the_contact_has() -> None:
    [card] = cards(written("vcard3", ANN))
    assert card.fn.value == "Ann Lee, Jr."
    assert (card.n.value.given, card.n.value.family) == ("Ann", "Lee, Jr.")
    assert (card.email.value, card.tel.value, card.org.value) == ("ann@example.com", "+33612345678", ["Lee; Sons"])
    assert (card.adr.value.city, card.adr.value.country) == ("Paris", "France")
    assert card.note.value == "one\ntwo; three, \\four"
    assert card.categories.value == ["Gold", "a,b"]
    assert card.uid.value == ID
    assert card.rev.value == "2026-11-21T10:17:06Z"


def test_version_4_has_the_id_as_an_urn_and_times_without_punctuation() -> None:
    found = lines(written("vcard4", ANN))
    assert found[1] == "VERSION:4.0"
    assert "UID:urn:uuid:01234567-89ab-cdef-0123-456789abcdef" in found
    assert "REV:20261121T101706Z" in found


def test_what_vcards_have_no_property_for_is_named() -> None:
    found = lines(written("vcard3", row(custom__visits=3, custom__vip=0, **{'custom__size (")': "L; XL"})))
    assert [each for each in found if each.startswith("X-")] == [
        'X-CHATNODE;X-NAME="custom.visits":3',
        'X-CHATNODE;X-NAME="custom.vip":false',
        'X-CHATNODE;X-NAME="custom.size (^\')":L\\; XL',
    ]


@pytest.mark.parametrize(("format", "parameter"), [("vcard3", "X-DERIVED"), ("vcard4", "DERIVED")])
def test_a_name_that_is_made_up_is_marked(format: FormatName, parameter: str) -> None:
    found = lines(written(format, row(company="Acme"), row(email="bob@example.com"), row(id=ID)))
    named = [line for line in found if line.startswith("FN")]
    assert named == [f"FN;{parameter}=TRUE:{each}" for each in ("Acme", "bob@example.com", ID)]
    assert found.count("N:;;;;") == 3


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_lines_are_folded_at_75_bytes_and_never_within_a_character(text: str) -> None:
    data = written("vcard3", row(description=f"x{text}"))
    pieces = data.split(b"\r\n")
    assert all(len(piece) <= 75 for piece in pieces)
    for piece in pieces:
        piece.decode()
    [note] = [line for line in data.decode().replace("\r\n ", "").split("\r\n") if line.startswith("NOTE:")]
    escaped = text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    assert note == f"NOTE:x{escaped}"


def test_a_card_of_a_node_reads_back_without_what_was_made_up(tmp_path: Path) -> None:
    path = tmp_path / "cards.vcf"
    path.write_bytes(
        written("vcard4", row(id=ID, email="bob@example.com", company="Acme", tags=("a,b", "c;d")))
        + b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Cay Lee\r\nUID:cay\r\nEND:VCARD\r\n"
    )
    with open_table(path) as table:
        ours, other = [dict(zip(table.columns, each.values, strict=True)) for each in table.rows()]
    assert (ours["UID"], ours["First name"], ours["Company"], ours["Email"]) == ("", "", "Acme", "bob@example.com")
    assert split_names(ours["Categories"]) == ["a,b", "c;d"]
    assert (other["UID"], other["First name"], other["Last name"]) == ("cay", "Cay", "Lee")
