"""vCards as phones, mail programs and address books write them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from .reading import Read, read, refused


def cards(directory: Path, text: str | bytes) -> Read:
    content = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
    found = read(directory, content)
    assert found.table.kind == "vcard"
    return found


def card(directory: Path, text: str | bytes) -> dict[str, str]:
    """The only card: its values that are not empty."""
    found = cards(directory, text)
    assert found.codes == []
    [row] = found.rows
    return {name: value for name, value in zip(found.columns, row.values, strict=True) if value}


def test_version_2_1_with_quoted_printable(tmp_path: Path) -> None:
    text = """BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BC=
rgen;;Dr.;
TEL;CELL:+49 170 1234567
TEL;WORK;PREF:+49 30 123456
EMAIL;INTERNET:juergen@example.com
NOTE;ENCODING=QUOTED-PRINTABLE:One=0D=0ATwo =3D =
three
END:VCARD
"""
    assert card(tmp_path, text) == {
        "First name": "Jürgen", "Last name": "Müller", "Phone": "+49 30 123456", "Other phones": "+49 170 1234567",
        "Email": "juergen@example.com", "Notes": "One\r\nTwo = three",
    }  # fmt: skip


def test_quoted_printable_that_was_folded_too(tmp_path: Path) -> None:
    text = """BEGIN:VCARD
VERSION:2.1
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E5=B1=B1=E7=
 =94=B0=20=E5=A4=AA=
=E9=83=8E
NOTE;QUOTED-PRINTABLE:caf=C3=
 A9
END:VCARD
"""
    assert card(tmp_path, text) == {"First name": "太郎", "Last name": "山田", "Notes": "café"}


def test_version_3_0_of_apple(tmp_path: Path) -> None:
    text = """BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//macOS 14//EN
N:Doe;Jane;Mary;;
FN:Jane Mary Doe
ORG:Acme\\, Inc.;Sales
item1.EMAIL;type=INTERNET;type=HOME:second@example.com
item2.EMAIL;type=INTERNET;type=pref:first@example.com
item2.X-ABLabel:_$!<Work>!$_
item3.TEL;type="cell,voice;x:y";type=pref:+33 6 12 34 56 78
item4.ADR;type=HOME;type=pref:;;1 Main\\nStreet;Paris;;75001;France
item4.X-ABADR:fr
NOTE:a long note that was
  folded\\, and
 \tfolded\\nagain
CATEGORIES:VIP,New\\, special
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgK
 DBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJ
END:VCARD
"""
    assert card(tmp_path, text) == {
        "First name": "Jane Mary", "Last name": "Doe", "Company": "Acme, Inc.", "Email": "first@example.com",
        "Other emails": "second@example.com", "Phone": "+33 6 12 34 56 78", "City": "Paris", "Country": "France",
        "Street": "1 Main\nStreet", "Postal code": "75001", "Categories": 'VIP; "New, special"',
        "Notes": "a long note that was folded, and\tfolded\nagain",
    }  # fmt: skip


def test_version_4_0(tmp_path: Path) -> None:
    text = """BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1
FN;PID=1.1:J. Doe
N:Doe;J.;;;
EMAIL;PREF=2;TYPE=work:b@example.com
EMAIL;PREF=1:mailto:a@example.com
TEL;VALUE=uri;TYPE="voice,home":tel:+1-415-555-2671;ext=12
BDAY:19700310
END:VCARD
"""
    assert card(tmp_path, text) == {
        "UID": "urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "First name": "J.", "Last name": "Doe",
        "Email": "a@example.com", "Other emails": "b@example.com", "Phone": "+1-415-555-2671 ext. 12",
        "Birthday": "19700310",
    }  # fmt: skip


def test_a_name_that_is_only_shown_is_split(tmp_path: Path) -> None:
    found = card(tmp_path, "BEGIN:VCARD\nN:;;;;\nFN:Ludwig van Beethoven\nEND:VCARD\n")
    assert found == {"First name": "Ludwig", "Last name": "van Beethoven"}


def test_a_fax_is_not_the_phone(tmp_path: Path) -> None:
    found = card(tmp_path, "BEGIN:VCARD\nFN:A B\nTEL;FAX;PREF:1\nTEL;HOME:2\nEND:VCARD\n")
    assert (found["Phone"], found["Other phones"]) == ("2", "1")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, end: str, tmp_path: Path) -> None:
    text = "begin:vcard\nversion:3.0\nn:Müller;Zoë\nend:vcard\nBEGIN:VCARD\nFN:José X\nEND:VCARD"
    found = cards(tmp_path, text.replace("\n", end).encode(encoding))
    assert [row.values[1:3] for row in found.rows] == [["Zoë", "Müller"], ["José", "X"]]
    assert [row.line for row in found.rows] == [1, 5]


def test_each_value_may_have_an_encoding_of_its_own(tmp_path: Path) -> None:
    text = (
        b"BEGIN:VCARD\r\nN;CHARSET=SHIFT_JIS:" + "表;太郎".encode("cp932") + b"\r\nORG;CHARSET=windows-1251:"
        b"" + "Рога".encode("cp1251") + b"\r\nADR;CHARSET=UTF-8:;;;" + "Köln".encode() + b"\r\nEND:VCARD\r\n"
    )
    found = cards(tmp_path, text)
    assert found.rows[0].values[1:4] == ["太郎", "表", "Рога"]
    assert "Köln" in found.rows[0].values


def test_a_character_that_folding_cut_in_two(tmp_path: Path) -> None:
    text = b"BEGIN:VCARD\r\nFN:Jos\xc3\r\n \xa9 X\r\nNOTE:" + "é".encode() + b"\r\nEND:VCARD\r\n"
    assert card(tmp_path, text)["First name"] == "José"


def test_one_bad_card_is_one_fault(tmp_path: Path) -> None:
    text = """BEGIN:VCARD
FN:Ann A
END:VCARD

BEGIN:VCARD
FN:Bob B
this is nothing
END:VCARD
BEGIN:VCARD
FN:Carl C
BEGIN:VCARD
FN:Dan D
END:VCARD
who left this here?
and this?
BEGIN:VCARD
FN:Eve E
"""
    found = cards(tmp_path, text)
    assert [(row.line, row.values[1]) for row in found.rows] == [
        (1, "Ann"), (5, "Bob"), (9, "Carl"), (11, "Dan"), (14, ""), (16, "Eve"),
    ]  # fmt: skip
    assert found.codes == [(2, "bad_card"), (3, "bad_card"), (5, "bad_card"), (6, "bad_card")]
    assert "line 7" in found.rows[1].faults[0].message


def test_a_backslash_at_the_end_of_a_value(tmp_path: Path) -> None:
    text = "BEGIN:VCARD\nFN:A B\nORG:Foo GmbH\\\nADR:;;1 Main;Paris\\\nCATEGORIES:VIP,Gold\\\nEND:VCARD\n"
    found = card(tmp_path, text)
    assert (found["Company"], found["City"], found["Categories"]) == ("Foo GmbH\\", "Paris\\", "VIP; Gold\\")


def test_pictures_are_not_kept_and_do_not_end_a_card(tmp_path: Path) -> None:
    picture = base64.b64encode(bytes(range(256)) * 40_000).decode()
    folded = "\n ".join(picture[at : at + 74] for at in range(0, len(picture), 74))
    plain = "\n".join(picture[at : at + 76] for at in range(0, 8_000, 76))
    text = (
        f"BEGIN:VCARD\nPHOTO;ENCODING=b:{folded}\nFN:Ann A\nEND:VCARD\nBEGIN:VCARD\nPHOTO;BASE64:{picture}\nFN:Bob B\n"
        f"END:VCARD\nBEGIN:VCARD\nPHOTO;ENCODING=BASE64:\n{plain}\n\nFN:Carl C\nEND:VCARD\n"
    )
    found = cards(tmp_path, text)
    assert [row.values[1] for row in found.rows] == ["Ann", "Bob", "Carl"]
    assert found.codes == []


def test_a_note_that_is_too_long_is_a_fault(tmp_path: Path) -> None:
    found = cards(tmp_path, f"BEGIN:VCARD\nFN:A B\nNOTE:{'x' * 150_000}\nEND:VCARD\nBEGIN:VCARD\nFN:C D\nEND:VCARD\n")
    assert found.codes == [(1, "cell_too_long")]
    assert found.rows[1].values[1] == "C"


def test_a_card_in_a_card_is_not_one_of_the_file(tmp_path: Path) -> None:
    found = card(tmp_path, "BEGIN:VCARD\nFN:A B\nAGENT:\nBEGIN:VCARD\nFN:C D\nTEL:1\nEND:VCARD\nTEL:2\nEND:VCARD\n")
    assert found == {"First name": "A", "Last name": "B", "Phone": "2"}


def test_a_card_whose_agent_is_in_one_line_with_its_name(tmp_path: Path) -> None:
    text = "BEGIN:VCARD\nFN:A B\nitem1.AGENT;X=1:BEGIN:VCARD\nFN:C D\nEND:VCARD\nTEL:2\nitem2.END:VCARD\n"
    assert card(tmp_path, text) == {"First name": "A", "Last name": "B", "Phone": "2"}


@pytest.mark.parametrize("note", ["text END:VCARD", "see BEGIN:VCARD", "END:VCARD", "BEGIN:VCARD", "a\n END:VCARD"])
def test_a_text_that_speaks_of_cards_begins_and_ends_none(note: str, tmp_path: Path) -> None:
    found = card(tmp_path, f"BEGIN:VCARD\nFN:A B\nNOTE:{note}\nEMAIL:a@example.com\nEND:VCARD\n")
    assert found["Notes"] == note.replace("\n ", "")
    assert found["Email"] == "a@example.com"


@pytest.mark.parametrize("between", ["\n", "", "\ufeff", "\n\ufeff", "\n\n"])
def test_files_that_were_put_together(between: str, tmp_path: Path) -> None:
    one, two = (f"BEGIN:VCARD\nFN:{name} B\nEND:VCARD" for name in "AC")
    found = cards(tmp_path, one + between + two)
    assert (found.codes, [row.values[1] for row in found.rows]) == ([], ["A", "C"])


def test_a_group_is_not_a_contact(tmp_path: Path) -> None:
    assert cards(tmp_path, "BEGIN:VCARD\nKIND:group\nFN:Friends\nEND:VCARD\n").codes == [(1, "group")]


def test_a_csv_file_that_speaks_of_cards_is_a_csv_file(tmp_path: Path) -> None:
    assert read(tmp_path, b"email,note\na@b.de,BEGIN:VCARD\n").table.kind == "csv"
    assert refused(tmp_path, b"\xef\xbb\xbf  \n").code == "empty"
