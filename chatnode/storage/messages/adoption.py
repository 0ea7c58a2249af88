"""Handing an imported author over: what they wrote, and whatever names them, becomes a user's.

It is done in steps, each a transaction of its own and short, as erasing is; `adoptions` notes what was begun, so that
a restarted node resumes it. What is left is an empty profile, like that of an erased user.
"""

from __future__ import annotations

from itertools import permutations

import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.adoption import Following
from chatnode.model.conversations import RANK
from chatnode.model.events import Event, MemberChanged, PersonAdopted, PersonUpdated
from chatnode.model.people import Account, Person
from chatnode.model.records import record
from chatnode.storage.conversations import conversations, members
from chatnode.storage.engine import catalogue
from chatnode.storage.engine.additions import CoreTable, EventKind, additions
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, authors, owners, people

SPAN = 20_000
"""Messages that one step looks through."""
MOST = 200
"""Messages that one step moves, and mentions."""


@record(frozen=True)
class AuthorBatch:
    """Keys of messages of the author; `upto` is how far was looked, `last` whether that is all."""

    keys: list[int]
    upto: int
    last: bool


def check(author: Account, person: Account | None) -> None:
    """Raises `Refusal` for an author who was not imported, and a user who cannot have what they wrote."""
    if not author.imported:
        raise Refusal("invalid", f"{author.handle} is not an author of imported messages", path="author")
    if person is not None:
        if person.imported:
            raise Refusal("invalid", f"{person.handle} is an imported author too, not an account", path="person")
        people.check_reachable(person)


def following(reader: Reader, author: Account) -> Following:
    """How much would be handed over."""
    counts = (
        "SELECT count(*) FROM messages WHERE sender = ?",
        "SELECT count(*) FROM mentions WHERE person = ?",
        "SELECT count(*) FROM members m JOIN conversations c ON c.key = m.conversation "
        "WHERE m.person = ? AND m.left_gid IS NULL AND c.kind = 'group'",
    )
    return Following(*(reader.execute(sql, (author.key,)).fetchone()[0] for sql in counts))


def give_to_itself(tx: Transaction, author: Account) -> Person:
    """The author becomes an account as any other, which a user can be given."""
    tx.execute("UPDATE people SET source = NULL WHERE key = ?", (author.key,))
    account = people.by_key(tx, author.key)
    people.join_what_everybody_joins(tx, account)
    owners.ensure_owners_of_person(tx, account.key)
    person = people.public(account)
    tx.record(PersonUpdated(person), people=people.fellows(tx, account.key), subject=account.key)
    return person


def begin(tx: Transaction, author: Account, person: Account) -> None:
    """From now on what is imported from the author is the person's. Beginning again for the same person is no fault."""
    row = tx.execute("SELECT person FROM adoptions WHERE author = ?", (author.key,)).fetchone()
    if row is None:
        tx.execute("INSERT INTO adoptions (author, person) VALUES (?, ?)", (author.key, person.key))
    elif row[0] != person.key:
        raise Refusal("conflict", f"{author.handle} is being handed over to another account", path="author")
    authors.hand_over(tx, author, person)


def is_under_way(tx: Transaction, account: Account) -> bool:
    """Whether something is being handed over from or to the account."""
    return tx.execute("SELECT 1 FROM adoptions WHERE ? IN (author, person)", (account.key,)).fetchone() is not None


def unfinished(reader: Reader) -> list[tuple[int, int]]:
    """Keys of authors and users of what was begun and not finished."""
    return reader.execute("SELECT author, person FROM adoptions ORDER BY author").fetchall()


def find_messages(reader: Reader, author: int) -> AuthorBatch:
    """The next messages to move."""
    row = reader.execute("SELECT upto FROM adoptions WHERE author = ?", (author,)).fetchone()
    after = row[0] if row else 0
    (newest,) = reader.execute("SELECT coalesce(max(key), 0) FROM messages").fetchone()
    rows = reader.execute(
        "SELECT key FROM messages WHERE key > ? AND key <= ? AND sender = ? ORDER BY key LIMIT ?",
        (after, after + SPAN, author, MOST),
    ).fetchall()
    upto = rows[-1][0] if len(rows) == MOST else after + SPAN
    return AuthorBatch([key for (key,) in rows], upto, upto >= newest)


def move_messages(tx: Transaction, author: int, person: int, batch: AuthorBatch) -> int:
    """Give a batch to the person; returns how many messages that were."""
    moved = 0
    for key in batch.keys:
        row = tx.execute(
            "UPDATE messages SET sender = ? WHERE key = ? AND sender = ? RETURNING conversation", (person, key, author)
        ).fetchone()
        if row is not None:
            moved += 1
            tx.execute("INSERT INTO adoption_conversations VALUES (?, ?) ON CONFLICT DO NOTHING", (author, row[0]))
    tx.execute("UPDATE adoptions SET upto = ? WHERE author = ?", (batch.upto, author))
    return moved


def move_mentions(tx: Transaction, author: int, person: int) -> int:
    """Let some messages that name the author name the person; returns how many."""
    old, new = people.by_key(tx, author).id, people.by_key(tx, person).id
    rows = tx.execute(
        "SELECT n.conversation, n.seq, m.mentions FROM mentions n JOIN messages m "
        "ON m.conversation = n.conversation AND m.seq = n.seq WHERE n.person = ? LIMIT ?",
        (author, MOST),
    ).fetchall()
    for conversation, seq, mentions in rows:
        named = dict.fromkeys(new if id == old else id for id in orjson.loads(mentions or "[]"))
        tx.execute(
            "UPDATE messages SET mentions = ? WHERE conversation = ? AND seq = ?",
            (json_array(named), conversation, seq),
        )
        tx.execute("INSERT INTO mentions VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (person, conversation, seq))
        tx.execute(
            "DELETE FROM mentions WHERE person = ? AND conversation = ? AND seq = ?", (author, conversation, seq)
        )
        tx.execute("INSERT INTO adoption_conversations VALUES (?, ?) ON CONFLICT DO NOTHING", (author, conversation))
    return len(rows)


def finish(tx: Transaction, author: int, person: int) -> int:
    """Groups, and what tables keep about people; then tell everybody who has something of it.

    Returns how many groups that were.
    """
    old, new = people.by_key(tx, author), people.by_key(tx, person)
    if not is_under_way(tx, old):
        return 0  # another task was quicker
    groups = _move_groups(tx, old, new)
    owners.ensure_owners_of_person(tx, person)
    if _move_rows(tx, author, person):
        tx.record(PersonUpdated(people.public(new)), people=(person,), subject=person)  # plugins follow it
    for column in ("person", "blocked"):
        tx.execute(f"DELETE FROM blocks WHERE {column} = ?", (author,))  # noqa: S608
    concerned = tx.execute(
        "SELECT DISTINCT m.person FROM members m WHERE m.left_gid IS NULL AND m.conversation IN "
        "(SELECT conversation FROM adoption_conversations WHERE author = ?)",
        (author,),
    ).fetchall()
    tx.execute("DELETE FROM adoption_conversations WHERE author = ?", (author,))
    tx.execute("DELETE FROM adoptions WHERE author = ?", (author,))
    event = PersonAdopted(people.public(people.empty(tx, old, "adopted")), people.public(new))
    tx.record(event, people=sorted({person, *(key for (key,) in concerned)}), subject=author, actor=person)
    audit.record(tx, None, "people.adopted", old.id, by=new.id)
    return groups


def _move_groups(tx: Transaction, author: Account, person: Account) -> int:
    """The person takes the author's places. Who is in a group already keeps theirs, with the higher role of both."""
    rows = tx.execute(
        "SELECT c.key, c.id, c.head, m.role, m.first FROM members m JOIN conversations c ON c.key = m.conversation "
        "WHERE m.person = ? AND m.left_gid IS NULL AND c.kind = 'group'",
        (author.key,),
    ).fetchall()
    for key, id, head, role, first in rows:
        tx.execute("UPDATE members SET role = 'member' WHERE conversation = ? AND person = ?", (key, author.key))
        present = conversations.member_role(tx, key, person.key)
        if present is None:
            members.enter(tx, key, id, person, role=role, head=head, first=first, by=None)
        elif RANK[role] > RANK[present]:
            tx.execute("UPDATE members SET role = ? WHERE conversation = ? AND person = ?", (role, key, person.key))
            tx.record(MemberChanged(id, person.ref, role), conversation=key, subject=person.key)
        members.leave(tx, author, id)
    return len(rows)


def _move_rows(tx: Transaction, author: int, person: int) -> int:
    """Of two rows that become one the person's stays; none comes to be about the person and themself."""
    moved = 0
    for table in additions(tx).tables:
        for one, other in permutations(table.people, 2):
            tx.execute(f"DELETE FROM {table.name} WHERE {one} = ? AND {other} = ?", (author, person))  # noqa: S608
        for column in table.people:
            moved += catalogue.reassign_rows(tx, table.name, column, author, person)
    return moved


def _made_again(reader: Reader, row: Row) -> Event:
    assert row.actor is not None
    author, person = (people.public(people.by_key(reader, key)) for key in (row.subject, row.actor))
    return PersonAdopted(author, person)


EVENTS = (EventKind(PersonAdopted, _made_again),)


TABLES = (
    CoreTable("adoptions", left_out="handing authors over goes on here"),
    CoreTable("adoption_conversations", left_out="part of adoptions"),
)
