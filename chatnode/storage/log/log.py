"""Reading the log: what a person missed, made into events again from the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chatnode.model import events
from chatnode.model.events import Event
from chatnode.model.people import Account
from chatnode.model.times import rfc3339
from chatnode.storage.conversations import blocks, conversations, settings, signs
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import messages
from chatnode.storage.people import people


def epoch(reader: Reader | Transaction) -> str:
    """Changes when a backup is restored: a cursor of another epoch means nothing here."""
    return reader.execute("SELECT value FROM node WHERE key = 'epoch'").fetchone()[0]


def head(reader: Reader | Transaction) -> int:
    """The gid of the newest row, 0 on a new node."""
    return reader.execute("SELECT coalesce(max(gid), 0) FROM log").fetchone()[0]


def newest_at(reader: Reader) -> int:
    """When the newest row was written, in milliseconds; 0 on a new node."""
    row = reader.execute("SELECT at FROM log ORDER BY gid DESC LIMIT 1").fetchone()
    return row[0] if row is not None else 0


def rewrite_epoch(tx: Transaction) -> None:
    """A write that takes space and changes nothing."""
    tx.execute("UPDATE node SET value = value WHERE key = 'epoch'")


def gids_since(reader: Reader, account: Account, since: int, most: int) -> list[int] | None:
    """The gids above `since` that a person may see, in order; None when there are more than `most`.

    That is: events of each conversation from joining to leaving, and those that concern the person.
    """
    found = {
        gid
        for (gid,) in reader.execute(
            "SELECT gid FROM log WHERE person = :person AND gid > :since "
            "UNION ALL SELECT gid FROM log_audience WHERE person = :person AND gid > :since",
            {"person": account.key, "since": since},
        )
    }
    for conversation, above, until in _memberships_since(reader, account, since):
        if len(found) > most:
            break
        found.update(_gids_of_conversation(reader, conversation, above, until))
    return sorted(found) if len(found) <= most else None


def _memberships_since(reader: Reader, account: Account, since: int) -> Iterator[tuple[int, int, int]]:
    """Conversation, gid above which and gid until which the person took part, as often as they came and went."""
    began = {
        conversation: since
        for (conversation,) in reader.execute(
            "SELECT conversation FROM members WHERE person = ? AND coalesce(left_gid, ?) > ?",
            (account.key, _NEVER, since),
        )
    }
    changes = reader.execute(
        "SELECT gid, conversation, kind FROM log WHERE person = ? AND gid > ? "
        "AND kind IN ('member.joined', 'member.left') ORDER BY gid",
        (account.key, since),
    ).fetchall()
    for gid, conversation, kind in changes:
        if kind == "member.joined":
            began[conversation] = gid - 1
        elif conversation in began:
            yield conversation, began.pop(conversation), gid
    for conversation, above in began.items():
        yield conversation, above, _NEVER


_NEVER = 2**62


def _gids_of_conversation(reader: Reader, conversation: int, above: int, until: int) -> Iterator[int]:
    """What happened in a conversation: posts by way of its messages, newest first, then everything else."""
    for (gid,) in reader.execute("SELECT gid FROM messages WHERE conversation = ? ORDER BY seq DESC", (conversation,)):
        if gid <= above:
            break
        if gid <= until:
            yield gid
    for (gid,) in reader.execute(
        "SELECT gid FROM log WHERE conversation = ? AND kind <> 'message.posted' AND gid > ? AND gid <= ? "
        "AND (person IS NULL OR kind IN ('member.joined', 'member.left'))",  # what else names a person is only theirs
        (conversation, above, until),
    ):
        yield gid


def events_of(reader: Reader, account: Account, gids: list[int]) -> Iterator[tuple[int, Event]]:
    """The events at `gids`, as they would be sent now. What is not there any more is left out."""
    for gid in gids:
        row = reader.execute(
            "SELECT l.gid, l.conversation, coalesce(c.id, ''), l.kind, l.subject, l.actor, l.at "
            "FROM log l LEFT JOIN conversations c ON c.key = l.conversation WHERE l.gid = ?",
            (gid,),
        ).fetchone()
        if row is None:
            continue
        row = Row(*row)
        if row.kind in _MAKE:
            event = _MAKE[row.kind](reader, row)
            shown = _for(reader, account, event, row) if event is not None else None
        else:
            shown = _of_plugin(reader, account, row)
        if shown is not None:
            yield gid, shown


def _of_plugin(reader: Reader, account: Account, row: Row) -> Event | None:
    """The event of a plugin, if it is there. What is told of a conversation is only for who takes part now."""
    kind = additions(reader).events.get(row.kind)
    if kind is None:
        return None
    if row.conversation_key is not None:
        first = conversations.first_seen(reader, row.conversation_key, account.key)
        if first is None or (kind.of_message and row.subject < first):
            return None
    return kind.make(reader, row)


def _for(reader: Reader, account: Account, event: Event, row: Row) -> Event | None:
    """The event as somebody who heard the conversation then may be shown it today; None if not at all.

    The tables say how things are now. That is not for who is out of it since, nor, if it is a message from
    before they came back, for who sees no history: they get a post as it was posted.
    """
    conversation = row.conversation_key
    if isinstance(event, events.ReceiptRead | events.ReceiptDelivered) and row.actor is not None:
        return None if signs.is_hidden(reader, row.actor, account.key, row.at) else event
    if conversation is None or not isinstance(event, _SHOWS_NOW):
        return event
    if isinstance(event, events.MessagePosted) and not event.message.changed:
        return event
    first = conversations.first_seen(reader, conversation, account.key)
    if isinstance(event, events.ConversationUpdated | events.MemberChanged):
        return event if first is not None else None
    if first is not None and event.message.seq >= first:
        return event
    if isinstance(event, events.MessagePosted):
        return events.MessagePosted(event.conversation, messages.as_posted(reader, conversation, event.message))
    return None


_SHOWS_NOW = (
    events.ConversationUpdated,
    events.MemberChanged,
    events.MessagePosted,
    events.MessageEdited,
    events.MessageDeleted,
    events.MessagePinned,
)


# ---- an event of each kind, from its row


def _changed(kind: Any) -> Callable[[Reader, Row], Event | None]:
    def make(reader: Reader, row: Row) -> Event | None:
        assert row.conversation_key is not None
        message = messages.at_seq(reader, row.conversation_key, row.subject)
        if message is None:
            return None
        if message.replies is not None:  # those that came later have events of their own, and are counted there
            message.replies = messages.replies_until(reader, row.conversation_key, message.seq, row.gid)
        if kind is not events.MessagePosted:
            messages.enrich(reader, [message], None)
        return kind(row.conversation, message)

    return make


def _receipt(kind: Any) -> Callable[[Reader, Row], Event | None]:
    def make(reader: Reader, row: Row) -> Event | None:
        person = people.ref(reader, row.actor)
        return kind(row.conversation, person, row.subject, rfc3339(row.at))

    return make


def _membership(kind: Any) -> Callable[[Reader, Row], Event | None]:
    def make(reader: Reader, row: Row) -> Event | None:
        by = people.ref(reader, row.actor) if row.actor != row.subject else None
        return kind(row.conversation, people.ref(reader, row.subject), by)

    return make


def _role(reader: Reader, row: Row) -> Event | None:
    assert row.conversation_key is not None
    role = conversations.member_role(reader, row.conversation_key, row.subject)
    person = people.ref(reader, row.subject)
    return events.MemberChanged(row.conversation, person, role) if person and role else None


def _updated(reader: Reader, row: Row) -> Event | None:
    assert row.conversation_key is not None
    return events.ConversationUpdated(row.conversation, conversations.details(reader, row.conversation_key))


def _trimmed(reader: Reader, row: Row) -> Event | None:
    return events.ConversationTrimmed(row.conversation, row.subject)


def _imported(reader: Reader, row: Row) -> Event | None:
    return events.ConversationImported(row.conversation, row.subject)


def _settings(reader: Reader, row: Row) -> Event | None:
    assert row.actor is not None
    assert row.conversation_key is not None
    return events.SettingsChanged(row.conversation, settings.of_member(reader, row.actor, row.conversation_key))


def _blocked(reader: Reader, row: Row) -> Event | None:
    person = people.ref(reader, row.subject)
    assert person is not None
    assert row.actor is not None
    return events.PersonBlocked(person, blocks.has_blocked(reader, row.actor, row.subject))


def _person(reader: Reader, row: Row) -> Event | None:
    return events.PersonUpdated(people.public(people.by_key(reader, row.subject)))


def _erased(reader: Reader, row: Row) -> Event | None:
    account = people.by_key(reader, row.subject)
    return events.PersonErased(people.public(account), rfc3339(account.erased_at or row.at))


def _adopted(reader: Reader, row: Row) -> Event | None:
    assert row.actor is not None
    author, person = (people.public(people.by_key(reader, key)) for key in (row.subject, row.actor))
    return events.PersonAdopted(author, person)


def _revoked(reader: Reader, row: Row) -> Event | None:
    return events.SessionRevoked(row.subject)


def _role_changed(reader: Reader, row: Row) -> Event | None:
    return events.RoleChanged(people.by_key(reader, row.subject).role)


_MAKE: dict[str, Callable[[Reader, Row], Event | None]] = {
    events.MessagePosted.name: _changed(events.MessagePosted),
    events.MessageEdited.name: _changed(events.MessageEdited),
    events.MessageDeleted.name: _changed(events.MessageDeleted),
    events.MessagePinned.name: _changed(events.MessagePinned),
    events.ReceiptRead.name: _receipt(events.ReceiptRead),
    events.ReceiptDelivered.name: _receipt(events.ReceiptDelivered),
    events.MemberJoined.name: _membership(events.MemberJoined),
    events.MemberLeft.name: _membership(events.MemberLeft),
    events.MemberChanged.name: _role,
    events.ConversationUpdated.name: _updated,
    events.ConversationTrimmed.name: _trimmed,
    events.ConversationImported.name: _imported,
    events.SettingsChanged.name: _settings,
    events.PersonBlocked.name: _blocked,
    events.PersonUpdated.name: _person,
    events.PersonErased.name: _erased,
    events.PersonAdopted.name: _adopted,
    events.SessionRevoked.name: _revoked,
    events.RoleChanged.name: _role_changed,
}
