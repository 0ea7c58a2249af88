"""Which messages of a source were ever imported, and where they are: known by the hashes of their ids there.

The source's id identifies a message, even if its author was renamed or it was deleted here.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from chatnode.model.commands.importing import Unique
from chatnode.model.ids import keyed_hash
from chatnode.model.records import record
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Querying


def kind_of(source: str) -> str:
    """`irc` of `irc.libera`."""
    return source.partition(".")[0]


@record(frozen=True)
class ImportedRoom:
    """A conversation elsewhere. `conversation` is its key here, None as long as it is not.

    `formerly` are keys of other conversations that messages of it may have been imported into, where ids are unique
    in a conversation.
    """

    source: str
    key: str
    unique: Unique
    conversation: int | None = None
    id: str = ""
    formerly: tuple[str, ...] = ()


@record(frozen=True)
class KnownMessage:
    """A message that was imported. `message` (its id here) and `sender` are None when it is not here any more."""

    conversation: int
    seq: int
    message: str | None
    sender: int | None


class Register:
    """Looks ids up, and adds those of new messages."""

    def __init__(self, reader: Querying) -> None:
        self._execute = reader.execute
        (self._key,) = reader.execute("SELECT value FROM node WHERE key = 'import_key'").fetchone()

    def find(self, room: ImportedRoom, cids: Iterable[str]) -> KnownMessage | None:
        """The message with one of these ids. Where ids are unique in a conversation only, it is one of the room's."""
        for cid in cids:
            found = self._rows(room.source, cid)
            mine = next((each for each in found if each.conversation == room.conversation), None)
            if mine is not None:
                return mine
            if found and room.unique == "source":
                return found[0]
            if room.unique == "conversation" and (earlier := self._earlier(room, cid)) is not None:
                return earlier
        return None

    def _earlier(self, room: ImportedRoom, cid: str) -> KnownMessage | None:
        """From when it was not known of which place of its kind the room is; then rooms of one name were one."""
        kind = kind_of(room.source)
        names = room.formerly if kind == room.source else (room.key, *room.formerly)
        for each in self._rows(kind, cid):
            if each.conversation == room.conversation or self._name(each.conversation) in names:
                return each
        return None

    def _name(self, conversation: int) -> str | None:
        row = self._execute("SELECT source_key FROM conversations WHERE key = ?", (conversation,)).fetchone()
        return row[0] if row is not None else None

    def _rows(self, source: str, cid: str) -> list[KnownMessage]:
        rows = self._execute(
            "SELECT i.conversation, i.seq, m.id, m.sender FROM imported i "
            "LEFT JOIN messages m ON m.conversation = i.conversation AND m.seq = i.seq WHERE i.hash = ?",
            (keyed_hash(self._key, source, cid),),
        )
        return [KnownMessage(*row) for row in rows]

    def add(self, room: ImportedRoom, cid: str, seq: int) -> str:
        """Note a message as imported; returns the id that it gets here: the same in every import into this node."""
        assert room.conversation is not None
        self._execute(
            "INSERT INTO imported (hash, conversation, seq) VALUES (?, ?, ?)",
            (keyed_hash(self._key, room.source, cid), room.conversation, seq),
        )
        return keyed_hash(self._key, room.id, room.source, cid).hex()


def resolve(reader: Querying, room: ImportedRoom, sample: Iterable[str]) -> ImportedRoom:
    """The room with the conversation that it is here, if it is.

    `irc.libera` and `irc` are the same room if they have one name and one of the messages of `sample`: the network of
    a log became known, or unknown, since.
    """
    row = reader.execute(
        "SELECT key, id FROM conversations WHERE source = ? AND source_key = ?", (room.source, room.key)
    ).fetchone()
    if row is not None:
        return attrs.evolve(room, conversation=row[0], id=row[1])
    register, kind = Register(reader), kind_of(room.source)
    sample = list(sample)
    if room.unique == "source" or not sample:
        return room
    where, given = ("source = ?", kind) if kind != room.source else ("source LIKE ? || '.%'", kind)
    rows = reader.execute(
        f"SELECT source, key, id FROM conversations WHERE {where} AND source_key = ? ORDER BY key",  # noqa: S608
        (given, room.key),
    ).fetchall()
    for source, key, id in rows:
        there = attrs.evolve(room, source=source, conversation=key, id=id)
        if any((known := register.find(there, (cid,))) and known.conversation == key for cid in sample):
            return there
    return room


TABLES = (CoreTable("imported", left_out="hashes, by which this node knows what it imported once"),)
