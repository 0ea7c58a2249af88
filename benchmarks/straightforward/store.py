"""All the SQL of the straightforward server, through aiosqlite: one connection writes, one reads."""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosqlite
import trio
from attrs import field, frozen
from trio_asyncio import aio_as_trio

SCHEMA = Path(__file__).with_name("schema.sql")

MESSAGES = (
    "SELECT m.id AS message, m.conversation, m.seq, m.gid, m.sender, p.handle, m.cid, m.text, m.at"
    " FROM messages m JOIN people p ON p.id = m.sender"
)


class Refused(Exception):
    """The request cannot be done; the text is the error's code."""


@frozen(eq=False)
class Store:
    """People, conversations and messages.

    A transaction takes several awaits, so ``writing`` keeps other tasks out of the middle of one.
    """

    writer: aiosqlite.Connection
    reader: aiosqlite.Connection
    writing: trio.Lock = field(factory=trio.Lock)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """What is written inside is stored together, and is on disk when the block has ended.

        The ``sqlite3`` module begins the transaction before the first statement that writes.
        """
        async with self.writing:
            try:
                yield
                await aio_as_trio(self.writer.commit)()
            except BaseException:
                with trio.CancelScope(shield=True):
                    await aio_as_trio(self.writer.rollback)()
                raise

    async def write(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """One statement of the transaction around it, and the rows it returns."""
        return list(await aio_as_trio(self.writer.execute_fetchall)(sql, values))

    async def read(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """One query, which sees what has been committed."""
        return list(await aio_as_trio(self.reader.execute_fetchall)(sql, values))

    async def find_person(self, name: str) -> sqlite3.Row:
        """The person with this handle or id."""
        found = await self.read("SELECT id, handle FROM people WHERE handle = ? OR id = ?", name, name)
        if not found:
            raise Refused("not_found")
        return found[0]

    async def add_person(self, handle: str) -> str:
        """A new person's id."""
        person = uuid.uuid4().hex
        async with self.transaction():
            await self.write("INSERT INTO people VALUES (?, ?)", person, handle)
        return person

    async def add_conversation(self, title: str | None, members: list[str]) -> str:
        """A new conversation's id; ``members`` are ids of people."""
        conversation = uuid.uuid4().hex
        async with self.transaction():
            await self.write("INSERT INTO conversations (id, title) VALUES (?, ?)", conversation, title)
            for person in members:
                await self.write("INSERT INTO members VALUES (?, ?)", conversation, person)
        return conversation

    async def find_direct(self, one: str, other: str) -> str | None:
        """The conversation without a title between two people."""
        found = await self.read(
            "SELECT c.id FROM conversations c JOIN members a ON a.conversation = c.id AND a.person = ?"
            " JOIN members b ON b.conversation = c.id AND b.person = ? WHERE c.title IS NULL",
            one,
            other,
        )
        return found[0]["id"] if found else None

    async def members(self, conversation: str) -> list[str]:
        """The ids of the people in it."""
        found = await self.read("SELECT person FROM members WHERE conversation = ?", conversation)
        return [row["person"] for row in found]

    async def add_message(
        self, sender: str, handle: str, conversation: str, cid: str, text: str
    ) -> tuple[dict[str, Any], bool]:
        """The stored message and whether it was there before; on disk when this returns."""
        message = {"message": uuid.uuid4().hex, "conversation": conversation, "cid": cid, "text": text}
        message["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            async with self.transaction():
                head = await self.write(
                    "UPDATE conversations SET head = head + 1 WHERE id = ?1 AND EXISTS"
                    " (SELECT 1 FROM members WHERE conversation = ?1 AND person = ?2) RETURNING head",
                    conversation,
                    sender,
                )
                if not head:
                    raise Refused("not_found")
                stored = await self.write(
                    "INSERT INTO messages (id, conversation, seq, sender, cid, text, at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq, gid",
                    message["message"],
                    conversation,
                    head[0]["head"],
                    sender,
                    cid,
                    text,
                    message["at"],
                )
        except sqlite3.IntegrityError:
            earlier = await self.read(f"{MESSAGES} WHERE m.sender = ? AND m.cid = ?", sender, cid)
            return message_from(earlier[0]), True
        return message | dict(stored[0]) | {"sender": {"id": sender, "handle": handle}}, False

    async def list_messages(
        self, person: str, conversation: str, before: int | None, after: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """A page in ascending ``seq``: just above ``after``, just below ``before``, or the newest."""
        if not await self.read("SELECT 1 FROM members WHERE conversation = ? AND person = ?", conversation, person):
            raise Refused("not_found")
        if after is not None:
            page, edge = "m.seq > ? ORDER BY m.seq", after
        else:
            page, edge = "m.seq < ? ORDER BY m.seq DESC", 2**62 if before is None else before
        found = await self.read(f"{MESSAGES} WHERE m.conversation = ? AND {page} LIMIT ?", conversation, edge, limit)
        return sorted(map(message_from, found), key=lambda message: message["seq"])

    async def missed(self, person: str, gid: int, limit: int) -> list[dict[str, Any]]:
        """Messages above ``gid`` in the conversations of ``person``, oldest first."""
        found = await self.read(
            f"{MESSAGES} WHERE m.gid > ? AND EXISTS"
            " (SELECT 1 FROM members WHERE conversation = m.conversation AND person = ?)"
            " ORDER BY m.gid LIMIT ?",
            gid,
            person,
            limit,
        )
        return [message_from(row) for row in found]

    async def head(self) -> int:
        """The highest gid."""
        return (await self.read("SELECT coalesce(max(gid), 0) AS head FROM messages"))[0]["head"]


def message_from(row: sqlite3.Row) -> dict[str, Any]:
    """The message as the protocol writes it."""
    message = dict(row)
    message["sender"] = {"id": message["sender"], "handle": message.pop("handle")}
    return message


@asynccontextmanager
async def open_store(data: Path) -> AsyncIterator[Store]:
    """The store in ``data``, made on first use."""
    path = data / "chat.db"
    writer = await aio_as_trio(open_connection)(path)
    await aio_as_trio(writer.executescript)(SCHEMA.read_text())
    reader = await aio_as_trio(open_connection)(path)
    try:
        yield Store(writer, reader)
    finally:
        with trio.CancelScope(shield=True):
            await aio_as_trio(reader.close)()
            await aio_as_trio(writer.close)()


async def open_connection(path: Path) -> aiosqlite.Connection:
    """A connection with the durability that the node has; runs under asyncio."""
    connection = await aiosqlite.connect(path)
    connection.row_factory = sqlite3.Row
    await connection.execute("PRAGMA journal_mode = WAL")
    await connection.execute("PRAGMA synchronous = FULL")
    await connection.execute("PRAGMA foreign_keys = ON")
    return connection
