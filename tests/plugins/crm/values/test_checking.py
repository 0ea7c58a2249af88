"""All values of a contact: what is kept, what is refused, and in which words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from chatnode_crm.contacts.values import FIELDS, Rules, check
from hypothesis import given
from hypothesis import strategies as st

NONE = Rules()
NEW = Rules(required=("email", "first_name", "last_name"), complete=True)


WRITTEN = st.sampled_from(["a@example.com", "J <Jo@Exa.example>", "030 123456", "+44 20 7946 0958", "Japon", "a\u0300"])


def codes(values: dict[str, object], rules: Rules = NONE) -> list[tuple[str, str, bool]]:
    return [(fault.field, fault.code, fault.warning) for fault in check(values, rules)[1]]


def test_values_are_trimmed_and_get_their_keys() -> None:
    values, faults = check(
        {"email": " John.Doe@Example.com ", "phone": "06 12 34 56 78", "country": "frankreich", "city": "\xa0Paris\t"},
        Rules(default_region="FR"),
    )
    assert values == {
        "email": "John.Doe@Example.com", "email_key": "john.doe@example.com", "phone": "+33612345678",
        "phone_key": "+33612345678", "country": "France", "city": "Paris",
    }  # fmt: skip
    assert faults == []


def test_only_what_is_given_is_there_and_an_empty_value_is_none() -> None:
    values, faults = check({"email": "", "phone": None, "company": "  "}, NONE)
    assert values == {"email": None, "email_key": None, "phone": None, "phone_key": None, "company": None}
    assert faults == []


def test_what_cannot_be_kept_is_not_among_the_values() -> None:
    values, faults = check({"email": "nobody", "company": "x" * 256, "city": "Paris"}, NONE)
    assert values == {"city": "Paris"}
    assert [(fault.field, fault.code) for fault in faults] == [("email", "invalid_email"), ("company", "too_long")]
    assert "must have" in faults[0].message or "@" in faults[0].message
    assert faults[1].message == "256 characters; the maximum is 255"


def test_required_fields() -> None:
    assert codes({"email": "a@example.com"}, NEW) == [
        ("first_name", "required", False),
        ("last_name", "required", False),
    ]
    assert codes({"email": "a@b"}, NEW)[0] == ("email", "invalid_email", False)
    change = Rules(required=("email",))
    assert codes({"city": "Paris"}, change) == []
    assert codes({"email": " "}, change) == [("email", "required", False)]


def test_names_are_derived_from_the_address_when_that_is_asked() -> None:
    rules = Rules(complete=True, derive_names=True)
    assert check({"email": "jane.doe@example.com"}, rules)[0]["last_name"] == "Doe"
    assert "last_name" not in check({"email": "jane.doe@example.com"}, NONE)[0]
    assert check({"email": "jane.doe@example.com", "first_name": "J"}, rules)[0]["first_name"] == "J"


@pytest.mark.parametrize(
    ("given", "kept", "warned"),
    [
        ("Jo\0hn", "John", True),
        ("Jo\x07hn", "John", True),
        ("\u202aJohn\u202c", "John", False),
        ("\ufeffJohn", "John", False),
        ("John\r\nDoe", "John Doe", False),
        ("Jose\u0301", "José", False),
        ("علی\u200cرضا", "علی\u200cرضا", False),
    ],
)
def test_characters_that_nobody_can_see_are_removed(given: str, kept: str, warned: bool) -> None:
    values, faults = check({"first_name": given}, NONE)
    assert values == {"first_name": kept}
    assert [fault.code for fault in faults] == (["control_characters"] if warned else [])


def test_a_description_keeps_its_lines() -> None:
    assert check({"description": "# A\r\n\tb\r\rc\n"}, NONE)[0] == {"description": "# A\n\tb\n\nc"}


def test_numbers_become_text_and_other_things_are_refused() -> None:
    assert check({"external_id": 17, "city": 17.0, "company": 1.5}, NONE)[0] == {
        "external_id": "17", "city": "17", "company": "1.5",
    }  # fmt: skip
    assert codes({"city": True, "company": ["x"], "shoe_size": "9"}) == [
        ("city", "not_text", False), ("company", "not_text", False), ("shoe_size", "unknown_field", False),
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), st.one_of(st.none(), st.text(), WRITTEN)))
def test_values_that_were_checked_stay_as_they_are(given: dict[str, str | None]) -> None:
    values, _ = check(given, Rules(default_region="DE"))
    again, faults = check({name: value for name, value in values.items() if not name.endswith("_key")}, NONE)
    assert again == values
    assert [fault.code for fault in faults if fault.code != "unknown_phone"] == []


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    script = (
        "import sys; from chatnode_crm.contacts import values; values.check({'city': 'x'}, values.Rules());"
        "print([name for name in ('phonenumbers', 'email_validator', 'pycountry') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
