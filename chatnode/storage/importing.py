"""Messages from elsewhere: with their own authors and times, once however often they are brought in."""

from __future__ import annotations

import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.importing import ImportConversation, Imported, ImportFailure, ImportItem, ImportMessages
from chatnode.model.events import ConversationImported, MemberJoined
from chatnode.model.ids import message_id, new_id
from chatnode.model.people import Account
from chatnode.storage import conversations, owners, people
from chatnode.storage.people import add_member_row
from chatnode.storage.transaction import Transaction


def open_conversation(tx: Transaction, command: ImportConversation) -> str:
    """Find or make the public group for a conversation elsewhere; returns its id.

    With `join`, everybody who has an account takes part in it, and everybody who gets one will.
    """
    row = tx.execute(
        "SELECT id FROM conversations WHERE source = ? AND source_key = ?", (command.source, command.key)
    ).fetchone()
    if row is not None:
        return row[0]
    id = new_id()
    key = tx.execute(
        "INSERT INTO conversations (id, kind, title, description, found_by, visibility, history, created_at, activity, "
        "auto_join, source, source_key) VALUES (?, 'group', ?, ?, ?, 'public', 'all', ?, ?, ?, ?, ?)",
        (
            id, command.title, command.description, conversations.found_by(command.title, command.description),
            tx.now, tx.next_gid, int(command.join), command.source, command.key,
        ),
    ).lastrowid  # fmt: skip
    assert key is not None
    tx.record(ConversationImported(id, 0), conversation=key, subject=0)
    if command.join:
        accounts = tx.execute(
            "SELECT key FROM people WHERE source IS NULL AND deactivated_at IS NULL ORDER BY key"
        ).fetchall()
        for (person,) in accounts:
            add_member_row(tx, key, person, head=0, first=1)
            event = MemberJoined(id, people.by_key(tx, person).ref)
            tx.record(event, conversation=key, people=(person,), subject=person)
        owners.settle(tx, key)
    return id


def add_messages(tx: Transaction, command: ImportMessages, most_chars: int) -> Imported:
    """Append what is not there yet. One bad item is reported and does not stop the others.

    What is brought in is old: who had read everything before has read everything after.
    Raises `Refusal("not_found")` for a conversation that did not come from `source`.
    """
    id, source = command.conversation, command.source
    row = tx.execute("SELECT key, head FROM conversations WHERE id = ? AND source = ?", (id, source)).fetchone()
    if row is None:
        raise Refusal("not_found", f"no conversation from {source} has this id", path="conversation")
    key, head = row
    authors: dict[str, Account] = {}
    done = Imported(0, 0, [])
    gid = tx.next_gid
    seq = head
    for item in command.items:
        if most_chars and len(item.text) > most_chars:
            done.failed.append(ImportFailure(item.cid, f"the text is longer than {most_chars} characters"))
            continue
        author = authors.get(item.author)
        if author is None:
            author = authors[item.author] = _author(tx, source, item.author)
        if author.erased_at is not None and not _is_there(tx, author, item):
            done.failed.append(ImportFailure(item.cid, "its author was erased here"))
            continue
        reply_to = _reply(tx, authors, source, item)
        inserted = tx.execute(
            "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at, reply_to, metadata) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                message_id(author.id, item.cid), key, seq + 1, gid, author.key, item.cid, item.text, item.at,
                reply_to, orjson.dumps(item.metadata).decode() if item.metadata else None,
            ),
        ).rowcount  # fmt: skip
        seq += inserted
        done.imported += inserted
        done.present += 1 - inserted
    if seq > head:
        _add_authors(tx, key, authors)
        tx.execute(
            "UPDATE members SET read_seq = :seq, delivered_seq = iif(delivered_seq = :head, :seq, delivered_seq), "
            "shown_seq = iif(shown_seq = :head, :seq, shown_seq) WHERE conversation = :key AND read_seq = :head",
            {"seq": seq, "key": key, "head": head},
        )
        tx.execute(
            "UPDATE conversations SET head = ?, activity = ?, messages = messages + ?, last_at = ? WHERE key = ?",
            (seq, gid, seq - head, tx.now, key),
        )
        tx.record(ConversationImported(id, seq), conversation=key, subject=seq)
    return done


def _is_there(tx: Transaction, author: Account, item: ImportItem) -> bool:
    id = message_id(author.id, item.cid)
    return tx.execute("SELECT 1 FROM messages WHERE id = ?", (id,)).fetchone() is not None


def _author(tx: Transaction, source: str, name: str) -> Account:
    """The account that stands for an author elsewhere. Nobody can sign in as them."""
    found = people.find_author(tx, source, name)
    if found is not None:
        return found
    handle = people.free_handle(tx, name)
    return people.create(tx, handle, name=name[:100], role="member", source=source, source_name=name)


def _reply(tx: Transaction, authors: dict[str, Account], source: str, item: ImportItem) -> str | None:
    """The id of the message replied to, if it is here."""
    if item.reply_to is None or item.reply_to_author is None:
        return None
    author = authors.get(item.reply_to_author) or _author(tx, source, item.reply_to_author)
    id = message_id(author.id, item.reply_to)
    return id if tx.execute("SELECT 1 FROM messages WHERE id = ?", (id,)).fetchone() else None


def _add_authors(tx: Transaction, conversation: int, authors: dict[str, Account]) -> None:
    for author in authors.values():
        if author.erased_at is None and conversations.member_role(tx, conversation, author.key) is None:
            add_member_row(tx, conversation, author.key, head=0, first=1)
