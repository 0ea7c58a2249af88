"""Addresses that must not be imported: of contacts that were erased, or that were deleted a moment ago."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, json_array
from chatnode_crm.contacts.consenting import suppressed_emails

ERASED = "this contact was erased, or is not to be contacted"


def suppressed_among(reader: Querying, email_keys: Sequence[str], since: int) -> set[str]:
    """Those of the addresses that must not be imported by an import that began at `since`.

    Staged rows of contacts that were deleted after that are removed by a job; until then they are found here.
    """
    if not email_keys:
        return set()
    rows = reader.execute(
        "SELECT email_key FROM crm_import_names WHERE at >= ? AND email_key IN (SELECT value FROM json_each(?))",
        (since, json_array(email_keys)),
    )
    return {email for (email,) in rows.fetchall()}.union(suppressed_emails(reader, email_keys))
