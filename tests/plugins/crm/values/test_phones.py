"""Phone numbers: the quick way and the library agree; whatever a file holds is kept."""

from __future__ import annotations

import phonenumbers
import pytest
from chatnode_crm.contacts.values.phones import _quick, normalize_phone, phone_key
from hypothesis import example, given
from hypothesis import strategies as st

REGIONS = st.sampled_from(["FR", "DE", "US", "CA", "GB", "IT", "BR", "AR", "MX", "JP", "RU", "KZ", "AU", "CN", "SM"])
CODES = st.sampled_from([1, 7, 20, 33, 34, 39, 44, 49, 52, 54, 55, 61, 81, 86, 90, 225, 352, 378, 598, 800, 883])


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number that is nearly an example of the library's, national or not, with something between the digits."""
    region = draw(REGIONS)
    kind = draw(st.sampled_from([0, 1, 2, 3, 4, 6]))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    assert example is not None
    form = draw(st.sampled_from([0, 1, 2, 3]))
    text = phonenumbers.format_number(example, form)
    digit = draw(st.sampled_from([None, "0", "1", "5", "9"]))
    if digit is not None:
        at = draw(st.integers(1, len(text)))
        text = text[:at] + digit + text[at + draw(st.integers(0, 1)) :]
    return draw(st.sampled_from(["", "", "", "0", "00", "+"])) + text


def by_library(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, 0) if phonenumbers.is_valid_number(number) else None


@given(
    st.one_of(
        numbers(),
        st.builds("+{}{}".format, CODES, st.from_regex("[0-9]{4,12}", fullmatch=True)),
        st.from_regex(r"\+?[0-9]{1,3}([ .()-]{0,2}[0-9]){4,12}", fullmatch=True),
    ),
    st.one_of(st.none(), REGIONS),
)
@example("+1 415-555-2671", None)
@example("+44 (0)20 7946 0958", "GB")
@example("06 12 34 56 78", "FR")
@example("415 555 2671", "US")
def test_what_is_recognised_quickly_is_what_the_library_finds(text: str, region: str | None) -> None:
    quick = _quick(text, region)
    assert quick is None or quick == by_library(text, region)


@pytest.mark.parametrize(
    ("text", "region"),
    [("+33612345678", None), ("+33 6 12 34 56 78", "DE"), ("06.12.34.56.78", "FR"), ("415-555-2671", "US")],
)
def test_ordinary_numbers_are_recognised_quickly(text: str, region: str | None) -> None:
    assert _quick(text, region) is not None


@pytest.mark.parametrize(
    ("text", "region", "shown", "key"),
    [
        ("+33 6 12 34 56 78", None, "+33 6 12 34 56 78", "+33612345678"),
        ("06 12 34 56 78", "FR", "+33612345678", "+33612345678"),
        ("33612345678.0", "FR", "+33612345678", "+33612345678"),
        ("33612345678,00", "FR", "+33612345678", "+33612345678"),
        ("612345678.0", "FR", "+33612345678", "+33612345678"),
        ("3.3612345678E+10", "FR", "+33612345678", "+33612345678"),
        ("0033612345678", None, "+33612345678", "+33612345678"),
        ("0033612345678", "US", "+33612345678", "+33612345678"),
        ("4915123456789", "FR", "+4915123456789", "+4915123456789"),
        ("+1 415-555-2671 ext. 12", None, "+1 415-555-2671 ext. 12", "+14155552671"),
        ("415-555-2671 x12", "US", "+14155552671 ext. 12", "+14155552671"),
        ("+39 06 1234 5678", None, "+39 06 1234 5678", "+390612345678"),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, region: str | None, shown: str, key: str) -> None:
    phone = normalize_phone(text, region)
    assert (phone.shown, phone.key, phone.problem) == (shown, key, None)


@pytest.mark.parametrize("text", ["ask Jim", "3.36123E+10", "12", "06 12 34 56 78", "+999 123 456 789", "33612345678"])
def test_what_is_no_number_is_kept_with_a_warning(text: str) -> None:
    phone = normalize_phone(text, None)
    assert (phone.shown, phone.key) == (text, None)
    assert phone.problem


def test_a_number_of_a_spreadsheet_loses_its_decimals_even_if_it_is_not_valid() -> None:
    assert normalize_phone("33612345678.0", None).shown == "33612345678"


@given(st.one_of(numbers(), st.text(min_size=1)), st.one_of(st.none(), REGIONS))
def test_what_is_shown_is_read_again_without_knowing_the_region(text: str, region: str | None) -> None:
    phone = normalize_phone(text, region)
    if phone.key is not None:
        assert normalize_phone(phone.shown, None) == phone
    assert phone_key(phone.shown, region) == phone.key
