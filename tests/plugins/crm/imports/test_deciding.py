"""What becomes of a row, by the policies."""

from __future__ import annotations

from typing import Any

import pytest
from chatnode_crm.contacts.values import FIELDS
from chatnode_crm.imports.deciding import Claims, Decision, decide
from chatnode_crm.imports.options import ImportPolicies

ANN = {"email": "ann@example.com", "email_key": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}


def stored(**values: Any) -> dict[str, Any]:
    """A contact of the tables."""
    empty = dict.fromkeys((*FIELDS, "email_key", "phone_key", "opted_out_at"))
    return {**empty, "key": 7, "custom": {}, **ANN, **values}


def decided(values: dict[str, Any], contact: dict[str, Any] | None = None, **policies: Any) -> Decision:
    return decide({**ANN, **values}, contact, Claims({}), ImportPolicies(**policies))


def test_a_new_contact_has_the_values_that_are_not_empty() -> None:
    decision = decided({"city": "Lyon", "phone": None, "phone_key": None, "opted_out": False})
    assert (decision.verdict, decision.changes) == ("create", {**ANN, "city": "Lyon"})


def test_a_new_contact_needs_no_name() -> None:
    assert decided({"first_name": None, "last_name": None}).verdict == "create"


@pytest.mark.parametrize(
    ("policies", "changes"),
    [
        ({"fields": "skip"}, {}),
        ({"fields": "fill_empty"}, {"country": "France"}),
        ({"fields": "fill_empty", "empty": "erase"}, {"country": "France"}),
        ({"fields": "overwrite_non_empty"}, {"city": "Lyon", "country": "France"}),
        ({"fields": "overwrite_non_empty", "empty": "erase"}, {"city": "Lyon", "country": "France"}),
        ({"fields": "overwrite"}, {"city": "Lyon", "country": "France"}),
        ({"fields": "overwrite", "empty": "erase"}, {"city": "Lyon", "country": "France", "company": None}),
    ],
)
def test_the_policy_of_fields(policies: dict[str, str], changes: dict[str, Any]) -> None:
    row = {"city": "Lyon", "country": "France", "company": None}
    decision = decided(row, stored(city="Paris", company="Acme"), **policies)
    assert decision.changes == changes
    assert decision.verdict == ("update" if changes else "unchanged")
    assert decision.before == {name: {"city": "Paris", "company": "Acme"}.get(name) for name in changes}


def test_with_error_a_contact_that_exists_is_refused() -> None:
    decision = decided({}, stored(), fields="error")
    assert decision.fault is not None
    assert (decision.verdict, decision.fault.code) == ("invalid", "exists")


def test_addresses_names_and_what_rows_are_matched_by_are_never_erased() -> None:
    decision = decided({"first_name": None}, stored(), fields="overwrite", empty="erase")
    assert decision.verdict == "unchanged"
    by_id = {"fields": "overwrite", "empty": "erase", "match": "external_id"}
    decision = decided({"external_id": None}, stored(external_id="x1"), **by_id)
    assert decision.verdict == "unchanged"


@pytest.mark.parametrize(
    ("policy", "opted_out", "was", "now"),
    [
        ("tighten", True, False, True),
        ("tighten", False, True, None),
        ("ignore", True, False, None),
        ("ignore", False, True, None),
        ("overwrite", True, False, True),
        ("overwrite", False, True, False),
        ("overwrite", True, True, None),
    ],
)
def test_consent_is_loosened_only_if_asked(policy: str, opted_out: bool, was: bool, now: bool | None) -> None:
    contact = stored(opted_out_at=1 if was else None)
    decision = decided({"opted_out": opted_out}, contact, fields="skip", consent=policy)
    assert decision.changes.get("opted_out") == now


def test_a_phone_changes_with_its_key() -> None:
    row = {"phone": "+33 6 12 34 56 78", "phone_key": "+33612345678"}
    assert decided(row, stored()).changes == row


def test_another_contact_may_have_the_external_id_and_rows_before_may_have_taken_or_left_it() -> None:
    claims, policies = Claims({"x1": 9}), ImportPolicies()
    first = decide({**ANN, "external_id": "x1"}, stored(), claims, policies)
    assert first.fault is not None
    assert first.fault.code == "external_id_taken"
    left = decide({**ANN, "external_id": "x2"}, stored(key=9, external_id="x1"), claims, policies)
    again = decide({**ANN, "external_id": "x1"}, stored(), claims, policies)
    late = decide({**ANN, "external_id": "x2"}, None, claims, policies)
    assert [left.verdict, again.verdict, late.verdict] == ["update", "update", "invalid"]


def test_an_erased_contact_does_not_come_back() -> None:
    decision = decide(ANN, None, Claims({}), ImportPolicies(), "was erased")
    assert decision.verdict == "suppressed"
