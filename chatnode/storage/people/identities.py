"""Users whom the program vouches for that the node is mounted in: who its users are here, and how they are signed in.

Each has a session like a device's. The node makes its token, and keeps it to itself.
"""

from __future__ import annotations

import re

from chatnode.errors import Refusal
from chatnode.model.commands.accounts import CreatePerson
from chatnode.model.fields import HANDLE_FORM
from chatnode.model.people import Account
from chatnode.model.permissions import MEMBER
from chatnode.model.records import record
from chatnode.model.times import DAY_MS
from chatnode.protocol import codec
from chatnode.storage.engine.additions import CoreTable, rows_of
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, people, sessions

_TRIES = 99
"""How many handles are tried: the wanted one, then with -2 to -99."""
_STEM = 60
"""Characters of the wanted handle that fit in those, which have up to 63."""


@record(frozen=True)
class ProgramUser:
    """Who a user is in the program: `name`, as it calls them, of a `source`."""

    source: str
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


def admit(tx: Transaction, identity: ProgramUser, handle: str | None, shown: str | None) -> Account:
    """The account of this user. One who is not known gets it now, with this name, and a handle as this one is, if
    they are given.

    Raises `Refusal`: `forbidden` for a deactivated account, `invalid` for a name that is none.
    """
    row = tx.execute(
        "SELECT person FROM identities WHERE source = ? AND name = ?", (identity.source, identity.name)
    ).fetchone()
    if row is None:
        account = _create(tx, identity, handle, shown)
        row = (account.key,)
        tx.execute(
            "INSERT INTO identities (source, name, person) VALUES (?, ?, ?)",
            (identity.source, identity.name, account.key),
        )
    account = people.by_key(tx, row[0])
    people.check_reachable(account)
    return account


def sign_in(tx: Transaction, identity: ProgramUser, account: Account, token_hash: bytes, days: int) -> None:
    """Let the token stand for this user, who was admitted; one that stood for them before does not any more."""
    renewed = tx.execute(
        "UPDATE sessions SET token_hash = ?, expires_at = ? WHERE person = ? AND key = "
        "(SELECT session FROM identities WHERE source = ? AND name = ?)",
        (token_hash, tx.now + days * DAY_MS, account.key, identity.source, identity.name),
    ).rowcount
    if not renewed:
        session = sessions.create(tx, account.key, "device", f"signed in by {identity.source}", token_hash, days)
        tx.execute(
            "UPDATE identities SET session = ? WHERE source = ? AND name = ?",
            (session, identity.source, identity.name),
        )


def sign_out(tx: Transaction, identity: ProgramUser) -> None:
    """End this user's session and its open connections. Does nothing if there is no session."""
    row = tx.execute(
        "SELECT s.person, s.key FROM identities i JOIN sessions s ON s.key = i.session "
        "WHERE i.source = ? AND i.name = ?",
        (identity.source, identity.name),
    ).fetchone()
    if row is not None:
        sessions.revoke(tx, *row)


def _create(tx: Transaction, identity: ProgramUser, handle: str | None, shown: str | None) -> Account:
    """Tries several handles: one that another user already has must not keep this one out."""
    asked = codec.structure(
        {"handle": _as_handle(handle or str(identity), identity.source), "name": shown}, CreatePerson
    )
    for number in range(1, _TRIES + 1):
        tried = asked.handle if number == 1 else f"{asked.handle[:_STEM].rstrip('._-')}-{number}"
        try:
            account = people.create(tx, tried, name=asked.name or asked.handle, role=MEMBER)
        except Refusal as refusal:
            if refusal.code != "conflict" or number == _TRIES:
                raise
        else:
            audit.record(tx, None, "people.create", account.id, role=MEMBER, source=identity.source)
            return account
    raise AssertionError("the last handle was refused without an error")


def _as_handle(text: str, otherwise: str) -> str:
    """A handle that is like a text, such as a name or an address of mail."""
    letters = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:_STEM].strip("._-")
    return letters if re.fullmatch(HANDLE_FORM, letters) else otherwise


TABLES = (
    CoreTable(
        "identities",
        lines=(
            "identity",
            "SELECT i.source, i.name, p.id AS person FROM identities i JOIN people p ON p.key = i.person "
            "ORDER BY i.key",
        ),
        entry="identity",
        export="SELECT key, source, name FROM identities WHERE person = :person AND key > :after ORDER BY key "
        "LIMIT :limit",
        at_once=rows_of("identities", "person"),
    ),
)
