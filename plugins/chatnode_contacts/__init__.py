"""Contact lists, by request or on a user's own; with nicknames, groups, presence and interactions."""

from __future__ import annotations

from chatnode.api import Context, EventKind, Plugin, Table, Task, counted, hookimpl, steps_in
from chatnode_contacts import entries, following, labels, requests
from chatnode_contacts.checks import check
from chatnode_contacts.commands import COMMANDS
from chatnode_contacts.commands.requests import LIMITS
from chatnode_contacts.following import audience, in_transaction
from chatnode_contacts.interactions import CONSUMER
from chatnode_contacts.model import (
    ContactAdded,
    ContactRemoved,
    ContactUpdated,
    Relabelled,
    RequestAccepted,
    RequestCancelled,
    RequestDeclined,
    Requested,
)
from chatnode_contacts.permission import PERMISSIONS
from chatnode_contacts.queries import COLLECTIONS
from chatnode_contacts.settings import ContactsSettings
from chatnode_contacts.words import FUNCTIONS

__all__ = ["audience", "chatnode_plugin", "in_transaction"]

EVENTS = (
    EventKind(ContactAdded, entries.make_added),
    EventKind(ContactUpdated, entries.make_updated),
    EventKind(ContactRemoved, entries.make_removed),
    EventKind(Relabelled, labels.make_relabelled),
    EventKind(Requested, requests.make_requested),
    EventKind(RequestAccepted, requests.make_accepted),
    EventKind(RequestDeclined, requests.make_declined),
    EventKind(RequestCancelled, requests.make_cancelled),
)

TABLES = (
    Table(
        "contacts_entries",
        people=("owner", "contact"),
        export="SELECT e.key, p.id AS contact, p.handle, e.added_at, e.removed_at, e.favourite, e.nickname, e.number, "
        "e.note, e.groups, e.tags, nullif(e.interacted_at, 0) AS last_interacted_at FROM contacts_entries e "
        "JOIN people p ON p.key = e.contact WHERE e.owner = :person AND e.key > :after ORDER BY e.key LIMIT :limit",
    ),
    Table("contacts_labels", people=("owner", "contact")),
    Table(
        "contacts_requests",
        people=("sender", "receiver"),
        export="SELECT r.key, s.id AS sender, t.id AS receiver, r.note, r.at, r.declined_at FROM contacts_requests r "
        "JOIN people s ON s.key = r.sender JOIN people t ON t.key = r.receiver "
        "WHERE (r.sender = :person OR r.receiver = :person) AND r.key > :after ORDER BY r.key LIMIT :limit",
    ),
)


async def forget(ctx: Context) -> str:
    """Remove declined requests that may be repeated."""
    gone = await ctx.write(lambda tx: requests.forget_declined(tx, ctx.settings(ContactsSettings)))
    return f"removed {counted(gone, 'declined request')}"


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="contacts",
        version="0.1.0",
        api="2.0",
        about="Contact lists: requests, favourites, groups, recent interactions and presence.",
        settings=ContactsSettings,
        steps=steps_in("chatnode_contacts", functions=FUNCTIONS),
        tables=TABLES,
        permissions=PERMISSIONS,
        limits=LIMITS,
        commands=COMMANDS,
        events=EVENTS,
        collections=COLLECTIONS,
        consumers=(CONSUMER, following.CONSUMER),
        tasks=(Task("forget", forget, every=86_400),),
        check=check,
    )
