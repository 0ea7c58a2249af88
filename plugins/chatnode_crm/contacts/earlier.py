"""Email addresses, external ids and phone numbers that contacts have had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from chatnode.api import Querying, json_array, record
from chatnode_crm.contacts import finding
from chatnode_crm.contacts.numbered import PHONE, ways_to_name
from chatnode_crm.contacts.values import email_key, phone_key


@record(frozen=True)
class EarlierNames:
    """By contact: normalized addresses, and external ids."""

    emails: list[tuple[int, str]]
    external_ids: list[tuple[int, str]]


def earlier_names(reader: Querying, keys: Sequence[int]) -> EarlierNames:
    """What the journal still knows, without the names that other contacts have now."""
    rows = reader.execute(
        "SELECT DISTINCT contact, before ->> 'email', before ->> 'external_id' FROM crm_changes "
        "WHERE contact IN (SELECT value FROM json_each(?)) AND after IS NOT NULL "
        "AND coalesce(before ->> 'email', before ->> 'external_id') IS NOT NULL",
        (json_array(keys),),
    ).fetchall()
    emails = {(key, email_key(email)) for key, email, _ in rows if email is not None}
    external_ids = {(key, external_id) for key, _, external_id in rows if external_id is not None}
    return EarlierNames(
        _free(emails, finding.keys_by_email(reader, [email for _, email in emails]), keys),
        _free(external_ids, finding.keys_by_external(reader, [id for _, id in external_ids]), keys),
    )


def _free(names: set[tuple[int, str]], holders: dict[str, int], keys: Sequence[int]) -> list[tuple[int, str]]:
    gone = frozenset(keys)
    return sorted((key, name) for key, name in names if holders.get(name, key) in gone)


def numbers_of(reader: Querying, keys: Sequence[int]) -> list[tuple[int, str]]:
    """By contact: the phone numbers that it has and had, as rows are found by them: with the name of then, and alone.
    Others may have the same, too."""
    states: dict[int, dict[str, Any]] = {
        row.key: {PHONE: row.phone_key, "first_name": row.first_name, "last_name": row.last_name}
        for row in finding.rows(reader, keys)
    }
    found = {(key, number) for key, state in states.items() for number in ways_to_name(state)}
    changes = reader.execute(
        "SELECT contact, before, after IS NULL FROM crm_changes WHERE contact IN (SELECT value FROM json_each(?)) "
        "ORDER BY gid DESC",
        (json_array(keys),),
    )
    for key, stored, is_deletion in changes.fetchall():
        before = orjson.loads(stored)
        state = states[key] = {} if is_deletion else states.get(key, {})
        state.update(before)
        if "phone" in before:
            state[PHONE] = before["phone"] and phone_key(before["phone"])
        found.update((key, number) for number in ways_to_name(state))
    return sorted(found)
