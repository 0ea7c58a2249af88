"""A node into which an earlier version imported: importing the same again adds nothing, and only what is new is new."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatnode.config import Storage
from chatnode.model.ids import message_id
from chatnode.node import Node, open_node
from chatnode.storage.engine.connection import Reader, connect_writer
from chatnode.storage.engine.migrations import core_migrations, initialize, migrate
from chatnode.storage.people import people

BEFORE = "0014"
"""The steps of earlier versions."""

PEOPLE = (
    # key, handle, source, name there, password, erased
    (1, "ann", None, None, "x", None),
    (2, "ada", "irc", "Ada[m]", None, None),
    (3, "ada-2", "irc", "ada{M}", None, None),  # the same nick in another spelling
    (4, "erased-1", "irc", "erased:" + "0" * 32, None, 9),
    (5, "kevin", "zulip", "Kevin B", None, None),
    (6, "grace", "zulip", "Grace H", "y", None),  # whose account was given to a user
)
ROOMS = ((1, "irc", "#linux"), (2, "irc", "#linux.2013-05"), (3, "zulip", "7"), (4, "zulip", "9"))
SAID = (
    # room, seq, sender, cid, deleted
    (1, 1, 2, "irc:1", None),
    (1, 2, 3, "irc:2", None),
    (1, 3, 4, "irc:3", 9),
    (2, 1, 2, "irc:4", None),
    (3, 1, 5, "zulip:1", None),
    (3, 2, 6, "zulip:2", None),
    (4, 1, 5, "zulip:3", None),
)


def id_of(number: int) -> str:
    return f"{number:032x}"


def write_as_before(path: Path) -> None:
    """A database as earlier versions left it after imports."""
    with closing(connect_writer(path, Storage())) as connection:
        migrate(connection, [step for step in core_migrations() if step.name < BEFORE])
        initialize(connection)
        for key, handle, source, name, password, erased in PEOPLE:
            connection.execute(
                "INSERT INTO people (key, id, handle, name, role, password, created_at, source, source_name, "
                "deactivated_at, erased_at) VALUES (?, ?, ?, ?, 'member', ?, 1, ?, ?, ?, ?)",
                (key, id_of(key), handle, handle, password, source, name, erased, erased),
            )
        for key, source, name in ROOMS:
            head = max(seq for room, seq, *_ in SAID if room == key)
            connection.execute(
                "INSERT INTO conversations (key, id, kind, title, description, visibility, history, created_at, head, "
                "activity, source, source_key, messages, last_at) "
                "VALUES (?, ?, 'group', ?, '', 'public', 'all', 1, ?, ?, ?, ?, "
                "(SELECT 0), 1)",
                (key, id_of(100 + key), name, head, key, source, name),
            )
            for person in {1} | {sender for room, _, sender, *_ in SAID if room == key and sender != 4}:
                connection.execute(
                    "INSERT INTO members (conversation, person, role, joined_at, joined_gid, read_seq) "
                    "VALUES (?, ?, 'member', 1, 1, 0)",
                    (key, person),
                )
            connection.execute(
                "INSERT INTO log (gid, conversation, kind, subject, at) VALUES (?, ?, 'conversation.imported', ?, 1)",
                (key, key, head),
            )
        for room, seq, sender, cid, deleted in SAID:
            connection.execute(
                "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at, deleted_at, deleted_reason) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    message_id(id_of(sender), cid), room, seq, room, sender, cid, "" if deleted else cid, seq, deleted,
                    "erased" if deleted else None,
                ),
            )  # fmt: skip
        connection.execute("UPDATE messages SET reply_to = ? WHERE cid = 'zulip:3'", (message_id(id_of(5), "zulip:1"),))
        connection.execute(
            "UPDATE conversations AS c SET messages = "
            "(SELECT count(*) FROM messages m WHERE m.conversation = c.key AND m.deleted_at IS NULL)"
        )


@pytest.fixture
async def node(tmp_path: Path) -> Any:
    write_as_before(tmp_path / "chatnode.sqlite3")
    async with open_node(tmp_path) as node:
        yield node


async def bring_in(node: Node, source: str, key: str, unique: str, *items: tuple[str, str], **more: Any) -> Any:
    given = await node.call(
        "import.conversation", source=source, key=key, title=key, unique=unique, sample=[cid for cid, _ in items]
    )
    plain = [{"cid": cid, "author": author, "at": 5, "text": f"again {cid}"} for cid, author in items]
    if source.startswith("irc"):
        plain = [each | {"author_key": str(each["author"]).lower()} for each in plain]
    done = await node.call("import.messages", **given, unique=unique, items=plain, **more)
    return {name: value for name, value in done.items() if value and name != "elsewhere"}


async def test_importing_again_adds_nothing(node: Node) -> None:
    for source in ("irc", "irc.libera", "irc"):  # whether the network is known or not
        irc = await bring_in(
            node, source, "#linux", "conversation", ("irc:1", "Ada{m}"), ("irc:2", "ada{m}"), ("irc:3", "Gone")
        )
        assert irc == {"present": 3}, source
    may = await bring_in(node, "irc.libera", "#linux", "conversation", ("irc:4", "ada{m}"), formerly=["#linux.2013-05"])
    assert may == {"present": 1}
    zulip = await bring_in(node, "zulip", "7", "source", ("zulip:1", "Kevin Buzzard"), ("zulip:2", "Grace H"))
    assert zulip == {"present": 2}
    await node.call("jobs.run", job="owners")  # earlier versions left imported groups without one
    checked = await node.call("node.check")
    assert checked["clean"], [each for each in checked["checks"] if each["problems"]]


async def test_what_is_new_is_of_the_same_people(node: Node) -> None:
    new = ("irc:9", "ADA{M}"), ("irc:10", "Bob")
    assert await bring_in(node, "irc", "#linux", "conversation", ("irc:1", "ada{m}"), *new) == {
        "present": 1, "imported": 2,
    }  # fmt: skip
    await bring_in(node, "zulip", "7", "source", ("zulip:10", "Kevin B"), ("zulip:11", "Grace H"))

    def read(reader: Reader) -> list[Any]:
        return reader.execute(
            "SELECT cid, handle FROM messages JOIN people ON people.key = sender WHERE text LIKE 'again%' "
            "ORDER BY gid, seq"
        ).fetchall()

    assert await node.core.db.read(read) == [
        ("irc:9", "ada"), ("irc:10", "bob"), ("zulip:10", "kevin"), ("zulip:11", "grace"),
    ]  # fmt: skip


async def test_an_author_is_known_by_name_alone(node: Node) -> None:
    await bring_in(node, "irc", "#linux", "conversation", ("irc:9", "ADA{M}"))

    def read(reader: Reader) -> list[Any]:
        return reader.execute(
            "SELECT handle FROM messages JOIN people ON people.key = sender WHERE cid = 'irc:9'"
        ).fetchall()

    assert await node.core.db.read(read) == [("ada",)]


async def test_authors_are_marked_and_users_are_not(node: Node) -> None:
    def read(reader: Reader) -> tuple[set[str], set[str]]:
        listed = people.page(reader, None, "", None, 100)
        taking_part = {handle for (handle,) in reader.execute("SELECT handle FROM people JOIN members ON person = key")}
        return {person.handle for person in listed if person.imported}, taking_part

    assert await node.core.db.read(read) == ({"ada", "ada-2", "kevin"}, {"ann", "grace"})


async def test_a_reply_to_another_conversation_is_none(node: Node) -> None:
    def read(reader: Reader) -> list[Any]:
        return reader.execute("SELECT reply_to FROM messages WHERE cid = 'zulip:3'").fetchall()

    assert await node.core.db.read(read) == [(None,)]
