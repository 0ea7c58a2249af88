"""Reactions to changes of users: new names, erasures, blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

from chatnode.api import (
    Account,
    Change,
    Consumer,
    Context,
    PersonBlocked,
    PersonUpdated,
    Reader,
    Row,
    Transaction,
    has_blocked,
    hookimpl,
    json_array,
    only_for,
    person_by_key,
)
from chatnode_contacts import entries, requests, words

MOST_TOLD = 5_000
"""Up to this many owners are notified of a new name: each is a row in the log."""
MOST_AT_ONCE = 2_000
"""Entries written per transaction, which takes some ten milliseconds."""


@hookimpl
@only_for(PersonUpdated)
def audience(tx: Transaction, change: Change) -> list[int]:
    """Users with the person as a contact, or with a pending request, are notified of a new name and of an erasure.
    Users who share a conversation are notified anyway. If very many users have the contact, the rest see the change
    when they list.
    """
    rows = tx.execute(
        "SELECT owner FROM (SELECT owner FROM contacts_entries WHERE contact = :person AND removed_at IS NULL "
        "ORDER BY key LIMIT :most) e "
        "UNION SELECT sender FROM contacts_requests WHERE receiver = :person AND declined_at IS NULL "
        "UNION SELECT receiver FROM contacts_requests WHERE sender = :person AND declined_at IS NULL "
        "EXCEPT SELECT person FROM blocks WHERE blocked = :person "
        "EXCEPT SELECT blocked FROM blocks WHERE person = :person",
        {"person": change.subject, "most": MOST_TOLD},
    )
    return [key for (key,) in rows]


@hookimpl
@only_for(PersonUpdated, PersonBlocked)
def in_transaction(tx: Transaction, change: Change) -> None:
    """Keep lists in the order of current names. While one user blocks another, neither is in the other's list."""
    event = change.event
    if isinstance(event, PersonUpdated):
        rename(tx, change.subject, event.person.name, event.person.handle, 0)
    elif isinstance(event, PersonBlocked):
        blocker, blocked = person_by_key(tx, cast("int", change.actor)), person_by_key(tx, change.subject)
        if not has_blocked(tx, blocked.key, blocker.key):  # else they did not see each other anyway
            (_part if event.blocked else _join)(tx, blocker, blocked)


def rename(tx: Transaction, person: int, name: str, handle: str, after: int) -> int | None:
    """Give some of the entries of a person, those after a key, their name; gives the key to go on after, None at the
    end."""
    keys = [
        key
        for (key,) in tx.execute(
            "SELECT key FROM contacts_entries WHERE contact = ? AND key > ? ORDER BY key LIMIT ?",
            (person, after, MOST_AT_ONCE),
        )
    ]
    tx.execute(
        "UPDATE contacts_entries SET called = :called, "
        "sort_name = CASE WHEN nickname IS NULL THEN :sort_name ELSE sort_name END "
        "WHERE key IN (SELECT value FROM json_each(:keys)) AND called <> :called",
        {
            "keys": json_array(keys), "called": words.called(name, handle),
            "sort_name": words.sort_name(None, name),
        },
    )  # fmt: skip
    return keys[-1] if len(keys) == MOST_AT_ONCE else None


async def rename_everywhere(ctx: Context, rows: Sequence[Row]) -> None:
    """Update the remaining entries of users who are in very many lists, in steps, so that no rename or erasure waits
    for all of them."""
    for person in dict.fromkeys(row.subject for row in rows):
        after = await ctx.read(partial(_before_the_first_left, person=person))
        while after is not None:
            after = await ctx.write(partial(_rename_some, person=person, after=after))


def _before_the_first_left(reader: Reader, person: int) -> int | None:
    account = person_by_key(reader, person)
    row = reader.execute(
        "SELECT key - 1 FROM contacts_entries WHERE contact = ? AND called <> ? ORDER BY key LIMIT 1",
        (person, words.called(account.name, account.handle)),
    ).fetchone()
    return row[0] if row is not None else None


def _rename_some(tx: Transaction, person: int, after: int) -> int | None:
    account = person_by_key(tx, person)
    return rename(tx, person, account.name, account.handle, after)


CONSUMER = Consumer("names", rename_everywhere, frozenset({PersonUpdated.name}))


def _part(tx: Transaction, blocker: Account, blocked: Account) -> None:
    requests.drop_between(tx, blocker, blocked)
    for owner, contact in ((blocker, blocked), (blocked, blocker)):
        if entries.is_kept(tx, owner.key, contact.key):
            entries.tell_removed(tx, owner.key, contact)


def _join(tx: Transaction, blocker: Account, blocked: Account) -> None:
    entries.tell_added(tx, blocker.key, blocked.key)
    entries.tell_added(tx, blocked.key, blocker.key)
