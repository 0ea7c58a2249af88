"""Messages from elsewhere: with their own authors and times, once however often they are brought in."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.importing import (
    Elsewhere,
    FindMissing,
    ImportConversation,
    Imported,
    ImportFailure,
    ImportHead,
    ImportItem,
    ImportMessages,
    Missing,
)
from chatnode.model.events import ConversationImported, MemberJoined
from chatnode.model.ids import new_id
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.additions import EventKind
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import times
from chatnode.storage.messages.imported import ImportedRoom, KnownMessage, Register, kind_of, resolve
from chatnode.storage.people import authors, owners, people
from chatnode.storage.people.people import add_member_row


def open_conversation(tx: Transaction, command: ImportConversation) -> ImportedRoom:
    """Find or make the public group for a conversation elsewhere.

    With `join`, everybody who has an account takes part in it, and everybody who gets one will.
    """
    room = resolve(tx, ImportedRoom(command.source, command.key, command.unique), command.sample)
    if room.conversation is None:
        return _make(tx, command)
    if room.source == kind_of(command.source) != command.source:  # what place it is of was not known before
        tx.execute("UPDATE conversations SET source = ? WHERE key = ?", (command.source, room.conversation))
        authors.share(tx, room.conversation, room.source, command.source)
        return attrs.evolve(room, source=command.source)
    return room


def _make(tx: Transaction, command: ImportConversation) -> ImportedRoom:
    id = new_id()
    key = tx.execute(
        "INSERT INTO conversations (id, kind, title, description, found_by, visibility, history, created_at, activity, "
        "auto_join, source, source_key) VALUES (?, 'group', ?, ?, ?, 'public', 'all', ?, ?, ?, ?, ?) RETURNING key",
        (
            id, command.title, command.description, conversations.found_by(command.title, command.description),
            tx.now, tx.next_gid, int(command.join), command.source, command.key,
        ),
    ).fetchone()[0]  # fmt: skip
    tx.record(ConversationImported(id, 0), conversation=key, subject=0)
    if command.join:
        accounts = tx.execute(
            "SELECT key FROM people WHERE source IS NULL AND deactivated_at IS NULL ORDER BY key"
        ).fetchall()
        for (person,) in accounts:
            add_member_row(tx, key, person, head=0, first=1)
            event = MemberJoined(id, people.by_key(tx, person).ref)
            tx.record(event, conversation=key, people=(person,), subject=person)
        owners.ensure_owner(tx, key)
    return ImportedRoom(command.source, command.key, command.unique, key, id)


# ---- what is there


def find_missing(reader: Reader, command: FindMissing) -> tuple[Missing, dict[str, Renamed]]:
    """Which messages were never imported; and who has another name there now, for `learn_names`."""
    room = ImportedRoom(command.source, command.key, command.unique, formerly=tuple(command.formerly))
    found = _Found(reader, resolve(reader, room, command.sample))
    missing = [item.cid for item in command.items if not found.has(item)]
    return Missing(missing, found.present, found.removed or None, found.elsewhere or None), found.renamed()


@record(frozen=True)
class Renamed:
    """An author who wrote messages that are here under another name. `person` is the key of the account."""

    source: str
    name: str
    person: int


class _Found:
    """Counts the messages that were imported before, and sees who is called otherwise than they were then."""

    def __init__(self, reader: Querying, room: ImportedRoom) -> None:
        self.room = room
        self.register = Register(reader)
        self.present = self.removed = 0
        self.elsewhere: list[Elsewhere] = []
        self._reader = reader
        self._senders: dict[str, set[int]] = {}

    def has(self, item: ImportHead | ImportItem) -> bool:
        known = self.register.find(self.room, (item.cid, *item.also))
        if known is None:
            return False
        if known.message is None:
            self.removed += 1
            return True
        self.present += 1
        if known.conversation != self.room.conversation:
            self.elsewhere.append(self._elsewhere(item.cid, known))
        assert known.sender is not None
        self._senders.setdefault(item.author_key or item.author, set()).add(known.sender)
        return True

    def _elsewhere(self, cid: str, known: KnownMessage) -> Elsewhere:
        row = self._reader.execute("SELECT id, title FROM conversations WHERE key = ?", (known.conversation,))
        return Elsewhere(cid, *row.fetchone())

    def renamed(self) -> dict[str, Renamed]:
        """Names that nobody here is known by, of authors whose messages all are of one account that nobody uses."""
        found: dict[str, Renamed] = {}
        for name, senders in self._senders.items():
            if len(senders) == 1 and authors.find(self._reader, self.room.source, name) is None:
                account = people.by_key(self._reader, *senders)
                if account.source is not None:
                    found[name] = Renamed(self.room.source, name, account.key)
        self._senders.clear()
        return found


def learn_names(tx: Transaction, renamed: Iterable[Renamed]) -> list[Account]:
    """What comes under the new name is of the same person from now on, also if they were erased here. Returns them."""
    accounts = [(people.by_key(tx, each.person), each) for each in renamed]
    for account, each in accounts:
        authors.add_name(tx, account, each.source, each.name)
    return [account for account, _ in accounts]


# ---- messages


def add_messages(tx: Transaction, command: ImportMessages, most_chars: int) -> Imported:
    """Append what was never imported. One bad item is reported and does not stop the others.

    What is brought in is old: who had read everything before has read everything after.
    Raises `Refusal("not_found")` for a conversation that did not come from `source`.
    """
    room, head = _room(tx, command)
    assert room.conversation is not None
    found = _Found(tx, room)
    known: dict[str, Account] = {}
    done = Imported(0, 0, [])
    gid, seq = tx.next_gid, head
    end = times.end_of(tx, room.conversation, head)
    for item in command.items:
        if found.has(item):
            continue
        if most_chars and len(item.text) > most_chars:
            done.failed.append(ImportFailure(item.cid, f"the text is longer than {most_chars} characters"))
            continue
        learn_names(tx, found.renamed().values())
        author = _author(tx, room.source, item, known)
        if author.erased_at is not None:
            done.failed.append(ImportFailure(item.cid, "its author was erased here"))
            continue
        seq += 1
        tx.execute(
            "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at, reply_to, metadata, late) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                found.register.add(room, item.cid, seq), room.conversation, seq, gid, author.key, item.cid, item.text,
                item.at, _reply(found, item), orjson.dumps(item.metadata).decode() if item.metadata else None,
                end.append(item.at, tx.now),
            ),
        )  # fmt: skip
    learn_names(tx, found.renamed().values())
    done.imported, done.present = seq - head, found.present
    done.removed, done.elsewhere = found.removed or None, found.elsewhere or None
    if seq > head:
        _move_head(tx, room, head, seq, end.ordered_at)
    return done


def _room(tx: Transaction, command: ImportMessages) -> tuple[ImportedRoom, int]:
    row = tx.execute(
        "SELECT key, head, source, source_key FROM conversations WHERE id = ? AND source IS NOT NULL",
        (command.conversation,),
    ).fetchone()
    if row is None or command.source not in (row[2], kind_of(row[2])):
        raise Refusal("not_found", f"no conversation from {command.source} has this id", path="conversation")
    key, head, source, name = row
    return ImportedRoom(source, name, command.unique, key, command.conversation, tuple(command.formerly)), head


def _move_head(tx: Transaction, room: ImportedRoom, head: int, seq: int, ordered_at: int) -> None:
    gid, key = tx.next_gid, room.conversation
    tx.execute(
        "UPDATE members SET read_seq = :seq, "
        "delivered_seq = CASE delivered_seq WHEN :head THEN :seq ELSE delivered_seq END, "
        "shown_seq = CASE shown_seq WHEN :head THEN :seq ELSE shown_seq END "
        "WHERE conversation = :key AND read_seq = :head AND left_gid IS NULL",
        {"seq": seq, "key": key, "head": head},
    )
    tx.execute(
        "UPDATE conversations SET head = ?, activity = ?, messages = messages + ?, last_at = ?, ordered_at = ? "
        "WHERE key = ?",
        (seq, gid, seq - head, tx.now, ordered_at, key),
    )
    tx.record(ConversationImported(room.id, seq), conversation=key, subject=seq)


def _author(tx: Transaction, source: str, item: ImportItem, known: dict[str, Account]) -> Account:
    """The account that stands for an author elsewhere."""
    name = item.author_key or item.author
    if name not in known:
        known[name] = authors.find(tx, source, name, item.author) or authors.create(tx, source, name, item.author)
    return known[name]


def _reply(found: _Found, item: ImportItem) -> str | None:
    """The id of the message replied to, if it is here, in the same conversation."""
    if item.reply_to is None:
        return None
    known = found.register.find(found.room, (item.reply_to,))
    return known.message if known is not None and known.conversation == found.room.conversation else None


EVENTS = (
    EventKind(
        ConversationImported, lambda reader, row: ConversationImported(row.conversation, row.subject),
        after_leaving=True,
    ),
)  # fmt: skip
