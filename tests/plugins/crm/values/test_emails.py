"""Email addresses: the quick way and the library agree, and the same address has one key."""

from __future__ import annotations

from typing import Any

import email_validator
import pytest
from chatnode_crm.contacts.values import email_key
from chatnode_crm.contacts.values.emails import NotAnEmail, normalize_email
from hypothesis import example, given
from hypothesis import strategies as st

ADDRESSES = st.one_of(
    st.emails(),
    st.from_regex(r"[a-zA-Z0-9.!#+_-]{1,8}@([a-zA-Z0-9-]{1,6}\.){0,3}[a-zA-Z0-9-]{1,6}", fullmatch=True),
    st.builds(
        "{}@{}.{}".format,
        st.sampled_from(["a", "Info", "SALES", "jürgen", "x" * 64, "x" * 230, "a.b", ".a", "a..b", '"a b"', "a b"]),
        st.sampled_from(
            ["example", "Exa-mple", "xn--bcher-kva", "bücher", "ab--c", "-a", "a-", "x" * 63, "x" * 64, "1"]
        ),
        st.sampled_from(
            ["com", "COM", "c", "test", "invalid", "local", "arpa", "onion", "1", "co.uk", "example", "de."]
        ),
    ),
    st.text(max_size=20),
)


def outcome(address: str) -> str | None:
    try:
        return normalize_email(address)[1]
    except NotAnEmail:
        return None


@given(ADDRESSES)
@example("info@example.com")
@example("a@localhost")
@example(f"{'x' * 245}@e.com")
@example(f"{'x' * 249}@e.com")
@example("a@b.c")
@example("a@example.com\n")
def test_what_is_recognised_quickly_is_what_the_library_finds(address: str) -> None:
    try:
        expected = email_validator.validate_email(
            address, check_deliverability=False, allow_display_name=True
        ).normalized
    except email_validator.EmailNotValidError:
        expected = None
    assert outcome(address) == expected


def test_ordinary_addresses_do_not_need_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, validate = list[str](), email_validator.validate_email

    def recorded(address: str, **options: Any) -> Any:
        asked.append(address)
        return validate(address, **options)

    monkeypatch.setattr(email_validator, "validate_email", recorded)
    for address in ("john.doe+news@mail.example.co.uk", "INFO@Example.com", "o'brien@x-y.org"):
        normalize_email(address)
    assert asked == []
    normalize_email("jürgen@example.com")
    assert asked == ["jürgen@example.com"]


def test_the_name_around_an_address_is_no_part_of_it() -> None:
    assert normalize_email("Doe John <John@Doe.example>") == ("John@Doe.example", "John@doe.example")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("John@Example.com", "john@example.COM"),
        (" a@example.com ", "a@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("JÜRGEN@example.com", "ju\u0308rgen@example.com"),
    ],
)
def test_the_same_address_has_one_key(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)


def test_a_text_that_is_no_address_has_a_key_too() -> None:
    assert email_key(" Nobody ") == "nobody"
