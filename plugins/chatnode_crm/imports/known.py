"""By which names rows of files are about contacts: for their reports, and to remove the rows when they are erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from unicodedata import normalize

import attrs

from chatnode.api import record
from chatnode_crm.contacts.numbered import bare_number
from chatnode_crm.contacts.values import email_key
from chatnode_crm.files.mapping import addresses_in
from chatnode_crm.imports.staged import StagedRow


@record(frozen=True)
class KnownNames:
    """Normalized email addresses, external ids, and phone numbers, alone and with the name, that contacts have or had.
    The time of each is until when it was theirs, in milliseconds: in an import that began later it is somebody
    else's."""

    emails: Mapping[str, int]
    external_ids: Mapping[str, int]
    numbers: Mapping[str, int]
    _mailboxes: frozenset[str] = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: frozenset(map(_mailbox_of, self.emails)), takes_self=True),
    )

    def has(self, row: StagedRow, since: int) -> bool:
        """Whether a row of an import that began at `since` is about one of the contacts, or has an address of one in
        any cell."""
        return self.has_name(row.values, since) or self.are_in(row.raw, since)

    def has_name(self, values: Mapping[str, Any], since: int) -> bool:
        """Whether the values of a row have a name of one of the contacts. A phone number is one only for a row that has
        nothing else, and no other name: people may share a number."""
        email, external_id = values.get("email_key") or "", values.get("external_id") or ""
        if email or external_id:
            return max(self.emails.get(email, -1), self.external_ids.get(external_id, -1)) >= since
        return bool(self.numbers) and self.numbers.get(bare_number(values) or "", -1) >= since

    def are_in(self, cells: Iterable[str], since: int) -> bool:
        """Whether an address is in some cell."""
        return any(self._last_time(address) >= since for address in addresses_in("\n".join(cells)))

    def _last_time(self, address: str) -> int:
        """Until when an address was that of one of the contacts, -1 if it never was. Normalizing each address of a file
        would take minutes for a megabyte, if most are not ASCII."""
        mailbox = _mailbox_of(address)
        if mailbox in self._mailboxes or normalize("NFC", mailbox) in self._mailboxes:
            return self.emails.get(email_key(address), -1)
        return -1


def _mailbox_of(address: str) -> str:
    """What is before the @. Normalizing changes no more of it than case and composition."""
    return address.rpartition("@")[0].lower()
