"""Columns become fields: by the names that programs and people give them, and by what is in them."""

from __future__ import annotations

import pytest
from chatnode_crm.files.mapping import (
    BadMapping,
    ColumnMapping,
    MappedRow,
    addresses_in,
    apply,
    preview,
    suggest,
    suggested_mapping,
)
from chatnode_crm.files.mapping.dates import read_date
from chatnode_crm.files.reading import RawRow, RowFault

EXPORTS = {
    "Google": (
        "First Name,Middle Name,Last Name,Phonetic First Name,Nickname,File As,Organization Name,Organization Title,"
        "Organization Department,Birthday,Notes,Photo,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,"
        "E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,Address 1 - Label,Address 1 - Formatted,Address 1 - City,"
        "Address 1 - Country",
        "first_name,-,last_name,-,-,-,company,-,-,-,description,-,tags,-,email,-,-,-,phone,-,-,city,country",
    ),
    "Outlook": (
        "Title,First Name,Middle Name,Last Name,Suffix,Company,Department,Job Title,Business City,"
        "Business Country/Region,Home City,Business Fax,Business Phone,Home Phone,E-mail Address,E-mail Type,"
        "E-mail 2 Address,Categories,Notes",
        "-,first_name,-,last_name,-,company,-,-,city,country,-,-,phone,-,email,-,-,tags,description",
    ),
    "Mailchimp": (
        "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CC,REGION,"
        "LAST_CHANGED,LEID,EUID,NOTES,TAGS",
        "email,first_name,last_name,-,phone,-,-,-,-,-,-,-,external_id,-,description,tags",
    ),
    "HubSpot": (
        "Record ID - Contact,First Name,Last Name,Email,Phone Number,Associated Company,City,Country/Region,Lead",
        "external_id,first_name,last_name,email,phone,company,city,country,-",
    ),
    "Listmonk": (
        "uuid,email,name,attributes,status,created_at,updated_at",
        "external_id,email,full_name,-,-,-,-",
    ),
    "Seed": (
        "email,first_name,last_name,company,phone,country,city",
        "email,first_name,last_name,company,phone,country,city",
    ),
    "German": (
        "Vorname;Nachname;E-Mail-Adresse;Firma;Telefon (mobil);Ort;Land;Notizen;Schlagwörter;Kundennummer",
        "first_name;last_name;email;company;phone;city;country;description;tags;external_id",
    ),
    "German with a short name": ("Vorname;Name;E-Mail", "first_name;last_name;email"),
    "French": (
        "Prénom;Nom;Adresse e-mail;Société;Téléphone portable;Ville;Pays;Remarques",
        "first_name;last_name;email;company;phone;city;country;description",
    ),
    "Spanish": (
        "Nombre;Apellidos;Correo electrónico;Empresa;Teléfono;Ciudad;País;Etiquetas",
        "first_name;last_name;email;company;phone;city;country;tags",
    ),
    "Spanish with one name": ("Nombre;Correo", "full_name;email"),
    "Italian": (
        "Nome;Cognome;Indirizzo e-mail;Azienda;Cellulare;Città;Paese",
        "first_name;last_name;email;company;phone;city;country",
    ),
    "Portuguese": (
        "Nome;Sobrenome;Endereço de e-mail;Empresa;Telemóvel;Cidade;País",
        "first_name;last_name;email;company;phone;city;country",
    ),
    "Dutch": (
        "Voornaam;Achternaam;E-mailadres;Bedrijf;Telefoonnummer;Woonplaats;Land;Opmerkingen",
        "first_name;last_name;email;company;phone;city;country;description",
    ),
    "Polish": (
        "Imię;Nazwisko;Adres e-mail;Firma;Numer telefonu;Miasto;Kraj;Uwagi",
        "first_name;last_name;email;company;phone;city;country;description",
    ),
    "Russian": (
        "Имя;Фамилия;Электронная почта;Компания;Телефон;Город;Страна;Примечания",
        "first_name;last_name;email;company;phone;city;country;description",
    ),
    "Chinese": ("姓名;电子邮箱;公司;手机号码;城市;国家;备注", "full_name;email;company;phone;city;country;description"),
    "Japanese": ("氏名;メールアドレス;会社名;電話番号;国", "full_name;email;company;phone;country"),
    "Words around": (
        "Customer E-Mail (work);Contact's first name;email opt-in date;Your LAST-NAME:;客户邮箱地址2",
        "email;first_name;-;last_name;-",
    ),
}


@pytest.mark.parametrize("source", EXPORTS)
def test_the_columns_of_programs_and_languages(source: str) -> None:
    header, expected = EXPORTS[source]
    separator = ";" if ";" in header else ","
    found = suggest(header.split(separator))
    wanted = [target.replace("-", "ignore") if target == "-" else target for target in expected.split(separator)]
    assert dict(zip(header.split(separator), [each.target for each in found], strict=True)) == dict(
        zip(header.split(separator), wanted, strict=True)
    )
    assert all((each.confidence > 0) == (each.target != "ignore") for each in found)
    suggested_mapping(found)


@pytest.mark.parametrize(
    ("header", "target", "sure"),
    [
        ("Country of Birth", "country", "ignore"), ("Insurance Company", "company", "ignore"),
        ("Company ID", "company", "ignore"), ("Customer first name", "first_name", "first_name"),
        ("Emergency Contact Phone", "ignore", "ignore"), ("Unsubscribed from all email", "ignore", "ignore"),
    ],
)  # fmt: skip
def test_what_is_not_sure_is_suggested_but_not_mapped(header: str, target: str, sure: str) -> None:
    [found] = suggest([header], [["x"]])
    assert (found.target, suggested_mapping([found]).columns) == (target, (sure,))


def test_an_address_of_somebody_else_is_not_the_contacts() -> None:
    found = suggest(["Sales Rep Email", "Customer Email"], [["rep@example.org", "ada@example.org"]])
    assert [each.target for each in found] == ["ignore", "email"]


def test_columns_without_names_are_known_by_their_content() -> None:
    found = suggest(["", "", "x"], [["Ann", "+33 6 12 34 56 78", "a@b.de"], ["Bob", "0612345678.0", "b@c.de"]])
    assert [each.target for each in found] == ["ignore", "phone", "email"]


def test_content_is_stronger_than_a_name_that_says_otherwise() -> None:
    found = suggest(["Contact", "Account"], [["a@b.de", "Acme"], ["b@b.de", "Best"]])
    assert [each.target for each in found] == ["email", "company"]


@pytest.mark.parametrize("cell", ["a@" + "." * 90_000 + " x", "<" * 90_000, "1" * 6 + "a" * 90_000, "1 (" * 30_000])
def test_long_cells_take_no_longer_than_others(cell: str) -> None:
    found = suggest(["", "email"], [[cell, "a@b.de"]])
    assert [each.target for each in found] == ["ignore", "email"]


def test_a_text_in_place_of_a_name_names_no_field() -> None:
    found = suggest(["May we write to your email address? " + "we " * 30_000], [["yes"]])
    assert [each.target for each in found] == ["ignore"]


def test_the_column_that_is_filled_has_the_field() -> None:
    found = suggest(["Email", "E-mail"], [["", "a@b.de"], ["", "b@b.de"]])
    assert [each.target for each in found] == ["ignore", "email"]


def test_first_and_last_name_make_the_full_name_needless() -> None:
    found = suggest(["Name", "First name", "Last name"], [["A B", "A", "B"]])
    assert [each.target for each in found] == ["ignore", "first_name", "last_name"]
    found = suggest(["Name", "First name", "Last name"], [["A B", "", ""]])
    assert [each.target for each in found] == ["full_name", "ignore", "ignore"]


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ({"columns": ("email", "nonsense")}, "columns[1]"),
        ({"columns": ("email", "custom.")}, "columns[1]"),
        ({"columns": ("email", "email")}, "columns"),
        ({"columns": ("email",), "constants": {"x": "y"}}, "constants.x"),
        ({"columns": ("email",), "constants": {"ignore": "y"}}, "constants.ignore"),
        ({"columns": ("email",), "separator": "  "}, "separator"),
        ({"columns": ("email",), "default_region": "fr"}, "default_region"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(mapping: dict[str, object], path: str) -> None:
    with pytest.raises(BadMapping) as caught:
        ColumnMapping(**mapping)  # type: ignore[arg-type]
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


def test_a_mapping_for_other_columns_is_refused() -> None:
    with pytest.raises(BadMapping, match="2 targets, but the file has 3 columns"):
        preview(ColumnMapping(columns=("email", "tags")), ["a", "b", "c"], [])


def row(*values: str, faults: tuple[RowFault, ...] = ()) -> RawRow:
    return RawRow(1, 2, list(values), faults)


def test_rows_become_values() -> None:
    mapping = ColumnMapping(
        columns=("email", "full_name", "tags", "ignore", "custom.size", "lists", "tags"),
        constants={"country": "France", "tags": "imported; vip", "lists": "All"},
    )
    raw = row("a@b.de", "Doe, Jane", 'vip; "a; b"', "x", "42", "* Friends ::: * myContacts", "x, y")
    assert apply(mapping, raw) == MappedRow(
        {"email": "a@b.de", "first_name": "Jane", "last_name": "Doe", "custom.size": "42", "country": "France"},
        ["vip", "a; b", "x", "y", "imported"],
        ["Friends", "myContacts", "All"],
        [],
    )


def test_a_value_comes_before_a_constant_and_a_field_before_the_full_name() -> None:
    mapping = ColumnMapping(columns=("country", "last_name", "full_name"), constants={"country": "France"})
    assert apply(mapping, row("Chad", "Roe", "Jane Doe")).values == {
        "country": "Chad", "first_name": "Jane", "last_name": "Roe",
    }  # fmt: skip
    assert apply(mapping, row(" ", "", "")).values == {"country": "France", "first_name": "", "last_name": ""}


def test_the_separator_can_be_chosen() -> None:
    mapping = ColumnMapping(columns=("tags",), separator="/")
    assert apply(mapping, row("a, b/c;d/ a, b")).tags == ["a, b", "c;d"]


def test_faults_of_cells_that_are_not_used_do_not_matter() -> None:
    mapping = ColumnMapping(columns=("email", "ignore", "custom.x"))
    faults = (RowFault(1, "cell_error", "m"), RowFault(2, "cell_error", "n"), RowFault(None, "too_many_cells", "o"))
    found = apply(mapping, row("a", "b", "c", faults=faults)).faults
    assert [(fault.field, fault.message, fault.warning) for fault in found] == [
        ("custom.x", "n", False), ("row", "o", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("ada@example.org ::: ada2@example.org", "ada@example.org"),
        ("ada@example.org; ada2@example.org", "ada@example.org"),
        ("Ada <ada@example.org>, Bob <bob@example.org>", "ada@example.org"),
        ("mailto:ada@example.org?subject=Hi", "ada@example.org"),
        ("Lovelace, Ada <ada@example.org>", "Lovelace, Ada <ada@example.org>"),
        ("a@" * 5_000, "a@" * 5_000),
    ],
)
def test_the_first_of_several_addresses_counts(cell: str, address: str) -> None:
    assert apply(ColumnMapping(columns=("email",)), row(cell)).values == {"email": address}


def test_the_first_of_several_values_that_google_puts_in_a_cell_counts() -> None:
    found = apply(ColumnMapping(columns=("phone", "city")), row("+33 6 12 ::: +33 6 34", " ::: Lyon ::: Nice"))
    assert found.values == {"phone": "+33 6 12", "city": "Lyon"}


@pytest.mark.parametrize(
    ("text", "form", "found"),
    [
        ("2024-01-31", "dmy", "2024-01-31"), ("2024-01-31T12:00:00Z", "iso", "2024-01-31"),
        ("20240131", "iso", "2024-01-31"),
        ("31/01/2024", "dmy", "2024-01-31"), ("31. 1. 24", "dmy", "2024-01-31"), ("1/31/99", "mdy", "1999-01-31"),
        ("2024年1月31日", "iso", "2024-01-31"), ("2024/1/31 10:00", "mdy", "2024-01-31"),
        ("31.01.2024", "iso", "2024-01-31"), ("02.01.2024", "iso", "2024-01-02"), ("1/31/2024", "iso", "2024-01-31"),
        ("31-Jan-24", "iso", "2024-01-31"), ("31. Januar 2024", "iso", "2024-01-31"),
        ("1er mars 2024", "iso", "2024-03-01"),
        ("Jan 31, 2024, 4:05 PM", "iso", "2024-01-31"), ("Wed, 31 Jan 2024 10:00:00 +0000", "iso", "2024-01-31"),
        ("1 de mayo de 2024", "iso", "2024-05-01"), ("3 января 2024", "iso", "2024-01-03"),
        ("02/01/2024", "iso", None), ("02/02/2024", "iso", "2024-02-02"), ("31.01.24", "iso", None),
        ("01.02.26", "iso", None), ("01.02.26", "dmy", "2026-02-01"), ("26/02/01", "ymd", "2026-02-01"),
        ("1/31/2024", "dmy", None), ("30.02.2024", "dmy", None), ("soon", "dmy", None), ("1", "dmy", None),
        ("x " * 100, "iso", None),
    ],
)  # fmt: skip
def test_dates(text: str, form: str, found: str | None) -> None:
    assert read_date(text, form) == found


def test_a_mapping_is_saved_by_the_names_of_columns() -> None:
    columns = ["E-Mail", "Name", "", "Size"]
    mapping = ColumnMapping(columns=("email", "full_name", "ignore", "custom.size"))
    saved = mapping.targets_by_name(columns)
    assert saved == {"E-Mail": "email", "Name": "full_name", "Size": "custom.size"}
    again = ColumnMapping.by_names(["size", "NEW", "e_mail", "e-mail"], saved, separator=";")
    assert again == ColumnMapping(columns=("custom.size", "ignore", "email", "ignore"), separator=";")


@pytest.mark.parametrize(
    "text",
    [
        "'ann@example.org'", "[ann@example.org]", "{ann@example.org}", "`ann@example.org`", "*ann@example.org*",
        "_ann@example.org_", "“ann@example.org”", "Ann<ann@example.org>", "mailto:ann@example.org?subject=Hello",
        "https://example.com/?to=ann@example.org&from=me", "https://example.com/?to=ann%40example.org",
        "- ann@example.org.",
        "邮箱：ann@example.org。", "邮箱ann@example.org是", "bob@example.org,ann@example.org", "ann@example.org!",
        "['ann@example.org']", "see ann@example.org/bob@example.org",
    ],
)  # fmt: skip
def test_an_address_is_found_whatever_is_around_it(text: str) -> None:
    assert "ann@example.org" in addresses_in(text)


@pytest.mark.parametrize(
    "address", ["o'ann@example.org", "jo.ann@example.org", "jo+ann@example.org", "jo-ann@example.org"]
)
def test_the_end_of_an_address_is_not_another_one(address: str) -> None:
    assert addresses_in(f"'{address}'") == [f"'{address}", address]
