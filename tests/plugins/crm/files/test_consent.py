"""Columns that say who opted out, by their names and cells."""

from __future__ import annotations

import re

import pytest
from chatnode_crm.files.mapping import find_consent, read_opt_out

NEW_YEAR_2020 = 1_577_836_800_000


def found(header: str, *cells: str) -> tuple[bool, int]:
    """Whether the column is sure to say who opted out, and how many notes there are."""
    consent = find_consent([header], [cells], [True])
    return consent.column is not None, len(consent.notes)


@pytest.mark.parametrize(
    "header",
    [
        "Opted Out At", "Opt Out", "Unsubscribed", "Unsubscribed from all email", "Email Opt Out", "HasOptedOutOfEmail",
        "HASOPTEDOUTOFEMAIL", "UNSUB_TIME", "EMAIL_BLACKLISTED", "Do not allow Bulk Emails", "Désinscrit",
        "Newsletter abbestellt", "Abgemeldet am", "Fecha de baja", "Disiscritto", "Descadastrado", "Uitgeschreven",
        "Wypisany", "Отписан", "退订", "配信停止",
    ],
)  # fmt: skip
def test_the_columns_of_programs_and_languages(header: str) -> None:
    assert found(header) == (True, 0)


@pytest.mark.parametrize("cells", [("enabled", "blocklisted"), ("subscribed", "unsubscribed"), ("active", "opted out")])
def test_a_status_is_one_if_all_of_its_words_are_known(cells: tuple[str, ...]) -> None:
    assert found("Status", *cells) == (True, 0)


@pytest.mark.parametrize(
    ("header", "cells", "notes"),
    [
        ("Status", ["Customer", "unsubscribed"], 1),
        ("Opted out of email: Marketing", ["true"], 1),
        ("SMS opt-out", ["1"], 1),
        ("Newsletter", ["yes", "no"], 1),
        ("Anything", ["unsubscribed"], 1),
        ("Unsubscribe", ["https://example.org/u/1"], 1),
        ("Newsletter", ["yes"], 0),
        ("Status", ["Lead", "Customer"], 0),
        ("Status", ["active", "inactive"], 0),
        ("SMS opt-out", [], 0),
        ("Salutation", ["Confidential - do not distribute"], 0),
    ],
)
def test_what_is_not_sure_is_told_and_not_believed(header: str, cells: list[str], notes: int) -> None:
    assert found(header, *cells) == (False, notes)


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("GDPR consent", ["yes", "no"]),
        ("Newsletter", ["1", "0"]),
        ("Marketing consent", ["TRUE", "FALSE"]),
        ("Subscribed", ["yes", "unsubscribed", "no"]),
    ],
)
def test_a_column_where_yes_means_consent_is_never_offered_as_one_of_opt_outs(header: str, cells: list[str]) -> None:
    """Read as opt-outs, it would write to those alone who said no."""
    [note] = find_consent([header], [cells], [True]).notes
    assert f"column {header!r} may contain consent" in note
    assert "set opted_out to" not in note


def test_of_two_columns_the_one_that_is_not_read_is_told() -> None:
    consent = find_consent(["Status", "Unsubscribed"], [["subscribed"], ["no"]], [True, True])
    assert consent.column == 1
    assert ["'Status'" in note for note in consent.notes] == [True]


YES = [
    "1",
    "1.0",
    "yes",
    "TRUE",
    "WAHR",
    "VRAI",
    "oui",
    "да",
    "✓",
    "unsubscribed",
    "-1",
    "x",
    "02/01/2020",
    "01.02.20",
    "0001-01-01T00:00:00+14:00",
]
NO = ["0", "00", "0.0", "0000-00-00", "0000-00-00 00:00:00", "no", "FALSCH", "subscribed"]
NOTHING = ["", " ", "-", "NULL", r"\N", "n/a", "never"]
AT = [
    "2020-01-01", "2020-01-01 00:00:00", "2020-01-01T01:00:00+01:00", "20200101", "01.01.2020", "Jan 1, 2020",
    "1577836800", "1577836800000", "Wed, 01 Jan 2020 00:00:00 +0000",
]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "meaning"), [(YES, True), (NO, False), (NOTHING, None), (AT, NEW_YEAR_2020)], ids=["yes", "no", "-", "at"]
)
def test_what_a_cell_says(texts: list[str], meaning: bool | int | None) -> None:
    assert {text: str(read_opt_out(text)) for text in texts} == dict.fromkeys(texts, str(meaning))


@pytest.mark.parametrize(
    "text", ["2", "perhaps", "2020", "12345", "0" * 100 + "1", "x" * 1_000, "1 Jan 59999999991 00:00:00 +0000"]
)
def test_other_texts_say_nothing_that_can_be_believed(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        read_opt_out(text)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("enabled", False), ("disabled", True), ("blocklisted", True), ("subscribed", False), ("bounced", None)],
)
def test_what_a_status_says(text: str, meaning: bool | None) -> None:
    assert read_opt_out(text, status=True) is meaning
