"""A subject of the core in a module of its own: messages that users keep, and users they share them with."""

from __future__ import annotations

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.shared import Nothing
from chatnode.model.events import Event
from chatnode.model.fields import Id
from chatnode.model.people import PersonRef
from chatnode.protocol.envelopes import ephemeral_frame
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage.engine.additions import CoreTable, Derived, EventKind, rows_of
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.kinds import Integer, String
from chatnode.storage.messages import messages
from chatnode.storage.people import people

SCHEMA = (
    "CREATE TABLE keepsakes (key INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people (key), "
    "message INTEGER NOT NULL REFERENCES messages (key), note TEXT NOT NULL, shared INTEGER NOT NULL DEFAULT 0)",
    "CREATE INDEX keepsakes_person ON keepsakes (person)",
    "CREATE INDEX keepsakes_message ON keepsakes (message)",
    "CREATE TABLE keepsake_shares (person INTEGER NOT NULL, with_whom INTEGER NOT NULL, keepsake INTEGER NOT NULL, "
    "PRIMARY KEY (person, with_whom, keepsake)) WITHOUT ROWID",
    "CREATE TABLE keepsake_marks (conversation INTEGER NOT NULL, person INTEGER NOT NULL, seq INTEGER NOT NULL, "
    "PRIMARY KEY (conversation, person, seq)) WITHOUT ROWID",
)
"""What a file in `storage/schema/` would hold."""


@attrs.define
class MessageKept(Event):
    """Someone keeps a message: the whole conversation hears it."""

    name = "keepsake.added"
    conversation: str
    person: PersonRef
    seq: int


@attrs.define
class KeepsakeShared(Event):
    """Someone shares something they keep: they and those they share it with hear it."""

    name = "keepsake.shared"
    keepsake: int
    note: str


@attrs.define
class KeepsakeSeen(Event):
    """Someone looks at it just now."""

    name = "keepsake.seen"
    person: PersonRef


@attrs.define
class Keep:
    message: Id
    note: str = ""


@attrs.define
class Share:
    keepsake: int
    people: list[str]


@attrs.define
class Kept:
    keepsake: int


@command("keepsakes.add", permission=permissions.CHAT)
async def add(ctx: Caller, asked: Keep) -> Kept:
    """Keep a message."""

    def write(tx: Transaction) -> Kept:
        place, message = messages.access(tx, ctx.me, asked.message)
        (key,) = tx.execute(
            "INSERT INTO keepsakes (person, message, note) SELECT ?, key, ? FROM messages WHERE id = ? RETURNING key",
            (ctx.me.key, asked.note, asked.message),
        ).fetchone()
        tx.execute("INSERT INTO keepsake_marks VALUES (?, ?, ?)", (place.key, ctx.me.key, message.seq))
        tx.record(
            MessageKept(place.id, ctx.me.ref, message.seq),
            conversation=place.key, subject=message.seq, actor=ctx.me.key,
        )  # fmt: skip
        return Kept(key)

    return await ctx.write(write)


@command("keepsakes.share", permission=permissions.CHAT)
async def share(ctx: Caller, asked: Share) -> Nothing:
    """Share it with others, wherever they are."""

    def write(tx: Transaction) -> Nothing:
        keys = [people.find(tx, who).key for who in asked.people]
        tx.execute("UPDATE keepsakes SET shared = ? WHERE key = ?", (len(keys), asked.keepsake))
        tx.executemany(
            "INSERT INTO keepsake_shares VALUES (?, ?, ?)", [(ctx.me.key, key, asked.keepsake) for key in keys]
        )
        (note,) = tx.execute("SELECT note FROM keepsakes WHERE key = ?", (asked.keepsake,)).fetchone()
        tx.record(KeepsakeShared(asked.keepsake, note), people=[ctx.me.key, *keys], subject=asked.keepsake)
        return Nothing()

    return await ctx.write(write)


@command("keepsakes.look", permission=permissions.CHAT)
async def look(ctx: Caller, asked: Nothing) -> Nothing:
    """Tell your own other devices that you look."""
    live = ctx.core.part(SessionRegistry).person(ctx.me.key)
    for session in live.sessions if live is not None else ():
        session.push(ephemeral_frame(KeepsakeSeen(ctx.me.ref)))
        session.flush()
    return asked


def _kept(reader: Reader, row: Row) -> Event | None:
    person = people.ref(reader, row.actor)
    return MessageKept(row.conversation, person, row.subject) if person is not None else None


def _shared(reader: Reader, row: Row) -> Event | None:
    found = reader.execute("SELECT note FROM keepsakes WHERE key = ?", (row.subject,)).fetchone()
    return KeepsakeShared(row.subject, found[0]) if found else None


async def count(core: Core) -> str:
    """The job."""
    (found,) = await core.db.read(lambda reader: reader.execute("SELECT count(*) FROM keepsakes").fetchone())
    return f"{found} kept"


_SHARES = "(SELECT count(*) FROM keepsake_shares s WHERE s.keepsake = k.key)"

SUBJECT = Subject(
    commands=(add, share, look),
    events=(EventKind(MessageKept, _kept, of_message=True), EventKind(KeepsakeShared, _shared)),
    ephemeral=(KeepsakeSeen,),
    tables=(
        CoreTable(
            "keepsakes",
            people=("person",),
            message="message",
            lines=(
                "keepsake",
                "SELECT p.id AS person, m.id AS message, k.note, json_array(k.shared) AS shared_json FROM keepsakes k "
                "JOIN people p ON p.key = k.person JOIN messages m ON m.key = k.message ORDER BY k.key",
            ),
            entry="keepsake",
            export="SELECT k.key, m.id AS message, k.note, k.shared > 0 AS shared_flag FROM keepsakes k "
            "JOIN messages m ON m.key = k.message WHERE k.person = :person AND k.key > :after "
            "ORDER BY k.key LIMIT :limit",
        ),
        CoreTable(
            "keepsake_shares", left_out="part of keepsakes", at_once=rows_of("keepsake_shares", "person", "with_whom")
        ),
        CoreTable(
            "keepsake_marks",
            left_out="counted from keepsakes",
            in_steps="DELETE FROM keepsake_marks WHERE (conversation, person, seq) IN "
            "(SELECT conversation, person, seq FROM keepsake_marks WHERE person = :person LIMIT :most)",
            removed="DELETE FROM keepsake_marks WHERE conversation = :conversation AND seq <= :upto",
        ),
    ),
    collections=(
        Collection(
            "keepsakes", "What you keep.", "keepsakes item", "item.person = :me",
            (Field("keepsake", Integer(), "item.key"), Field("note", String(), "item.note")),
            key=("keepsake",), order="keepsake", permission=permissions.CHAT,
        ),
    ),
    checks={"keepsakes": lambda reader: [f"{key} is empty" for (key,) in reader.execute(
        "SELECT key FROM keepsakes WHERE note = 'broken'")]},
    derived={
        "shares": Derived(
            f"SELECT k.key FROM keepsakes k WHERE k.shared <> {_SHARES}",
            "keepsake {0} is shared with others than it says",
            (f"UPDATE keepsakes AS k SET shared = {_SHARES}",),
        ),
    },
    jobs=(Job("count keepsakes", 3_600, count),),
)  # fmt: skip
