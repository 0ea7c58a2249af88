"""E-mail addresses and external ids that contacts had before."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, json_array, record
from chatnode_crm.contacts import finding
from chatnode_crm.contacts.values import email_key


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
