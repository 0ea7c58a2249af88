"""The accounts that commands are run as from within the node, kept until one changes."""

from __future__ import annotations

from chatnode.model.events import PersonAdopted, PersonErased, PersonUpdated, RoleChanged
from chatnode.model.people import Account
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.transaction import Committed, Recorded
from chatnode.storage.people import people

MOST_KEPT = 4_096
"""KnownAccounts kept at a time; past that, all are looked up again."""
CHANGES = (PersonUpdated, RoleChanged, PersonErased, PersonAdopted)
"""Whatever changes an account records one of these."""


class KnownAccounts:
    """One per node, on the trio thread.

    A commit that changes an account is seen here before the reply to that change is sent. So after the reply to a
    deactivation, nothing is done with the account as it was before.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: dict[str, Account] = {}
        self._looking_up = 0
        self._changes = 0

    def kept(self, who: str) -> Account | None:
        """The account, if it is known and reading is not needed."""
        return self._kept.get(who)

    async def find(self, who: str) -> Account:
        """The account with this handle or id; raises `Refusal("not_found")`. It may be deactivated."""
        kept = self.kept(who)
        if kept is not None:
            return kept
        before = self._changes
        self._looking_up += 1
        try:
            found = await self._db.read(lambda reader: people.find(reader, who))
        finally:
            self._looking_up -= 1
        if self._changes == before:  # else what was read may be from before the change
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[who] = found
        return found

    def committed(self, recorded: list[Committed]) -> None:
        """Forget all accounts if one was changed. Part of the commit listener: never raises or blocks."""
        if (self._kept or self._looking_up) and any(
            isinstance(each, Recorded) and isinstance(each.event, CHANGES) for each in recorded
        ):
            self._kept.clear()
            self._changes += 1
