"""Email addresses, external ids and phone numbers that contacts had before."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, json_array, record
from chatnode_crm.contacts import finding
from chatnode_crm.contacts.values import email_key, phone_key


@record(frozen=True)
class EarlierNames:
    """By contact: normalized addresses, external ids, and phone numbers in E.164 form, which others may have, too."""

    emails: list[tuple[int, str]]
    external_ids: list[tuple[int, str]]
    phones: list[tuple[int, str]]


def earlier_names(reader: Querying, keys: Sequence[int]) -> EarlierNames:
    """What the journal still knows, without the names that other contacts have now."""
    rows = reader.execute(
        "SELECT DISTINCT contact, before ->> 'email', before ->> 'external_id', before ->> 'phone' FROM crm_changes "
        "WHERE contact IN (SELECT value FROM json_each(?)) AND after IS NOT NULL "
        "AND coalesce(before ->> 'email', before ->> 'external_id', before ->> 'phone') IS NOT NULL",
        (json_array(keys),),
    ).fetchall()
    emails = {(key, email_key(email)) for key, email, _, _ in rows if email is not None}
    external_ids = {(key, external_id) for key, _, external_id, _ in rows if external_id is not None}
    phones = {(key, number) for key, _, _, phone in rows if phone is not None and (number := phone_key(phone))}
    return EarlierNames(
        _free(emails, finding.keys_by_email(reader, [email for _, email in emails]), keys),
        _free(external_ids, finding.keys_by_external(reader, [id for _, id in external_ids]), keys),
        sorted(phones),
    )


def _free(names: set[tuple[int, str]], holders: dict[str, int], keys: Sequence[int]) -> list[tuple[int, str]]:
    gone = frozenset(keys)
    return sorted((key, name) for key, name in names if holders.get(name, key) in gone)
