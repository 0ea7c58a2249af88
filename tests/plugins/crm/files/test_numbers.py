"""Numbers as people and spreadsheets write them."""

from __future__ import annotations

import pytest
from chatnode_crm.files.mapping import decimal_sign, read_number
from chatnode_crm.files.writing.columns import Column, ColumnKind
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.plugins.crm.files.test_round_trips import read
from tests.plugins.crm.writing.made import written
from tests.quick import examples


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12), ("-0.5", -0.5), (".5", 0.5), ("5.", 5), ("1E+05", 100_000), ("5e-05", 0.00005), ("1,5", 1.5),
        ("0,123", 0.123), ("1.234,56", 1234.56), ("1,234.56", 1234.56), ("1.234.567", 1_234_567), ("1 234,5", 1234.5),
        ("12\u00a0345\u202f678", 12_345_678), ("1'234.50", 1234.5), ("1,23,456", 123_456), ("12 %", 0.12),
        ("12.5%", 0.125), ("$12.00", 12), ("-3,00 €", -3), ("€ -3.50", -3.5), ("(3.25)", -3.25), ("CHF 1'000", 1000),
        ("12,50 kr", 12.5), ("\u22125", -5), ("12-", -12), ("１２", 12), ("1.234", 1.234),
        ("0.30000000000000004", 0.30000000000000004), ("9007199254740991", 2**53 - 1),
    ],
)  # fmt: skip
def test_numbers_that_can_be_read_in_one_way(text: str, number: float) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "-", "%", "€", "1,234", "12,345", "1..2", "1,2,3", "1.5,5,5", "1 2", "1_000", "NaN", "0x1", "1e999", "abc",
    "1" * 5_000, "1 " * 150, "1." * 180],
)  # fmt: skip
def test_what_is_no_number_or_may_be_two(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize("filler", [" ", "\t", ".", "1 ", "'", "1.", "$ ", "e"])
def test_a_column_of_long_cells_that_are_no_numbers(filler: str) -> None:
    """Each is refused at once: one that could be taken apart in many ways would hold up the node for seconds."""
    columns = (f"{before}{filler * 400}"[:397] + "x" for before in ("", "$", "-", "$-$", "1 ", "(") for _ in range(10))
    assert {read_number(cell) for cell in columns} == {None}


def test_the_sign_before_decimals_can_be_said() -> None:
    assert (read_number("1,234", ","), read_number("1,234", ".")) == (1.234, 1234)
    assert (read_number("1.234", ","), read_number("1.234", ".")) == (1234, 1.234)
    assert (read_number("1.5", ","), read_number("1,5", ".")) == (None, None)


@pytest.mark.parametrize(
    ("text", "sign"),
    [("1,5", ","), ("1.234,5", ","), ("1.5", "."), ("1,234.5", "."), ("1.234", None), ("12", None), ("x", None)],
)
def test_which_sign_a_number_shows(text: str, sign: str | None) -> None:
    assert decimal_sign(text) == sign


NUMBERS = st.floats(-(2**53) + 1, 2**53 - 1) | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e-5, 1e-5)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(NUMBERS, min_size=1, max_size=5))
@example([0.00005, 0.1 + 0.2, 5e-324, 123.456, -0.0, 1e-7, 4503599627370497.5])
def test_every_number_that_is_written_is_read_back_exactly(numbers: list[float]) -> None:
    columns = (Column("email", "Email"), Column("custom.size", "Size", ColumnKind.NUMBER))
    rows = [(f"u{at}@example.com", number) for at, number in enumerate(numbers)]
    for format in ("csv", "xlsx"):
        _, found, _ = read(written(format, *rows, columns=columns))
        assert [read_number(cell) for _, cell in found] == numbers
    for format in ("vcard3", "vcard4"):
        card = written(format, *rows, columns=columns).replace(b"\r\n ", b"").decode()
        lines = [line.rpartition(":")[2] for line in card.splitlines() if line.startswith("X-CHATNODE")]
        assert [read_number(line) for line in lines] == numbers
