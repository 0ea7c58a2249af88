"""Cells of CSV are never formulas, and read back exactly."""

from __future__ import annotations

import pytest
from chatnode_crm.files.names import join_names, split_names
from chatnode_crm.files.safety import neutralised, restored
from hypothesis import example, given
from hypothesis import strategies as st

NASTY = st.text(alphabet="'=+-@\t\r\n＝ 0123456789.,()a;\"|!", max_size=24) | st.text(max_size=12)


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1;1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "+33 6 12=1",
        "-1-1",
        "'=1",
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(formula: str) -> None:
    assert neutralised(formula) == f"'{formula}"


@pytest.mark.parametrize(
    "text",
    ["+33612345678", "+33 6 12 34 56 78", "+1 (555) 010-0199", "+49 (0)30-123456", "-5", "-12.50", "-3,5"],
)
def test_phone_numbers_and_negative_numbers_stay_as_they_are(text: str) -> None:
    assert neutralised(text) == text
    assert restored(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "O'Neill", "'t Hooft", "a=b", "ann@example.com", "1-1", "'quoted'"],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert neutralised(text) == text
    assert restored(text) == text


@given(NASTY)
@example("''+33612345678")
@example("'+33612345678")
def test_a_cell_reads_back_as_what_it_was(text: str) -> None:
    assert restored(neutralised(text)) == text


@given(NASTY)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    cell = neutralised(text)
    if cell[:1] and cell[0] in "=+-@\t\r\n＝＋－＠":
        assert cell.strip("+-0123456789 ().,") == ""


def test_the_apostrophe_that_people_put_before_a_number_is_not_part_of_it() -> None:
    assert restored("'+33612345678") == "+33612345678"


NAMES = st.lists(st.text(alphabet=' ;"ab\n,é', min_size=1, max_size=8) | st.text(min_size=1, max_size=8), max_size=4)


@given(NAMES)
def test_names_in_a_cell_read_back_as_the_same_names(names: list[str]) -> None:
    assert split_names(join_names(names)) == names


@given(NAMES, st.sampled_from(",|\t"))
def test_names_may_be_separated_by_something_else(names: list[str], separator: str) -> None:
    assert split_names(join_names(names, separator), separator) == names


def test_names_as_people_write_them() -> None:
    assert split_names(' Gold;  "a; b" ;;5" pipes; say "hi" ;') == ["Gold", "a; b", '5" pipes', 'say "hi"']
    assert split_names('"never closed; two') == ['"never closed', "two"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [('="00123"', "00123"), ('="5"" pipe"', '5" pipe'), ('="a"&"b"', '="a"&"b"'), ('\'="00123"', '="00123"')],
)
def test_a_formula_that_is_nothing_but_a_text_is_that_text(cell: str, text: str) -> None:
    assert restored(cell) == text
