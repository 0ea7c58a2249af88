"""What follows when something happens to people: their names change, they block somebody."""

from __future__ import annotations

from typing import cast

from chatnode.api import (
    Account,
    Change,
    PersonBlocked,
    PersonUpdated,
    Transaction,
    has_blocked,
    hookimpl,
    only_for,
    person_by_key,
)
from chatnode_contacts import entries, requests, words


@hookimpl
@only_for(PersonUpdated)
def audience(tx: Transaction, change: Change) -> list[int]:
    """Whoever has somebody as a contact, or a request between them, is told of a new name, and of an erasure.

    Those who share a conversation are told anyway.
    """
    rows = tx.execute(
        "SELECT owner FROM contacts_entries WHERE contact = :person AND removed_at IS NULL "
        "UNION SELECT sender FROM contacts_requests WHERE receiver = :person AND declined_at IS NULL "
        "UNION SELECT receiver FROM contacts_requests WHERE sender = :person AND declined_at IS NULL "
        "EXCEPT SELECT person FROM blocks WHERE blocked = :person "
        "EXCEPT SELECT blocked FROM blocks WHERE person = :person",
        {"person": change.subject},
    )
    return [key for (key,) in rows]


@hookimpl
@only_for(PersonUpdated, PersonBlocked)
def in_transaction(tx: Transaction, change: Change) -> None:
    """Names in the order of lists are those that people have; who blocks somebody is out of their list, and they of
    theirs, until it is taken back."""
    event = change.event
    if isinstance(event, PersonUpdated):
        _name(tx, change.subject, event.person.name, event.person.handle)
    elif isinstance(event, PersonBlocked):
        blocker, blocked = person_by_key(tx, cast("int", change.actor)), person_by_key(tx, change.subject)
        if not has_blocked(tx, blocked.key, blocker.key):  # else they did not see each other anyway
            (_part if event.blocked else _join)(tx, blocker, blocked)


def _name(tx: Transaction, person: int, name: str, handle: str) -> None:
    tx.execute(
        "UPDATE contacts_entries SET called = :called, "
        "sort_name = CASE WHEN nickname IS NULL THEN :sort_name ELSE sort_name END "
        "WHERE contact = :person AND called <> :called",
        {"person": person, "called": words.called(name, handle), "sort_name": words.sort_name(None, name)},
    )


def _part(tx: Transaction, blocker: Account, blocked: Account) -> None:
    requests.drop_between(tx, blocker, blocked)
    for owner, contact in ((blocker, blocked), (blocked, blocker)):
        if entries.is_kept(tx, owner.key, contact.key):
            entries.tell_removed(tx, owner.key, contact)


def _join(tx: Transaction, blocker: Account, blocked: Account) -> None:
    entries.tell_added(tx, blocker.key, blocked.key)
    entries.tell_added(tx, blocked.key, blocker.key)
