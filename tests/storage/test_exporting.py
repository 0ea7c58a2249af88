"""An export holds every table and column, or says why not, and none of the secrets."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from chatnode.node import Node, open_node
from chatnode.services import TABLES
from chatnode.storage.people import people
from chatnode.storage.upkeep.exporting import lines
from chatnode.storage.upkeep.snapshots import open_read_only
from chatnode.testing import User
from tests.bots import DEPLOY
from tests.commands import PLUGINS
from tests.services.dialogue import PASSWORD

LINES = {table.name: table.lines for table in TABLES if table.lines is not None}

#: Columns that are not exported under their own names, and why.
OTHERWISE = {
    "key": "a number of this database's own",
    "people.password": "a secret",
    "people.source_name": "not used any more: the names are authors",
    "sessions.token_hash": "a secret",
    "identities.session": "a number of this database's own",
    "invites.code_hash": "a secret",
    "members.joined_gid": "a place in the log, which is not exported",
    "members.left_gid": "told as left",
    "conversations.activity": "a place in the log",
    "messages.conversation": "by its public id",
    "messages.sent": "a hash of what a plugin changed",
    "conversations.ordered_at": "made from the times of messages",
    "messages.late": "made from the times of messages",
    "conversations.found_by": "made from title and description",
    "message_edits.conversation": "told as message",
    "message_edits.seq": "told as message",
    "presence.version": "counts changes for the node's own use",
}


def of_node(node: Node) -> list[dict[str, Any]]:
    with open_read_only(node.directory.database) as reader:
        return [orjson.loads(line) for line in lines(reader, TABLES)]


def tables(node: Node) -> dict[str, list[str]]:
    with sqlite3.connect(node.core.db.path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for name in names
            if not name.startswith(("sqlite_", "search_words_", *(f"{each.name}_" for each in PLUGINS)))
        }
    connection.close()
    return found


@pytest.fixture
async def said(node: Node, ann: User, bob: User) -> dict[str, str]:
    """A bit of everything; where and what was said."""
    room = await ann.group(bob, title="walkers")
    first = await ann.posts(room, "shall we go @bob?", metadata={"mood": "bright"})
    await bob.says(room, "yes", thread=first["message"])
    await ann.call("messages.edit", message=first["message"], text="shall we all go @bob?")
    gone = await bob.posts(room, "never said")
    await bob.call("messages.delete", message=gone["message"])
    await bob.call("conversations.settings", conversation=room, starred=True)
    await bob.call("presence.status", text="in the hills")
    await bob.call("people.block", person="ann")
    await bob.call("messages.report", message=first["message"], reason="other", note="a joke")
    await bob.call("tokens.create", label="phone", scopes=["chat:read"])
    await node.call("invites.create")
    await node.admit("app:42")
    await (await User.new(node, "root", admin=True)).call("bots.create", handle="ci")
    await (await User.of(node, "ci")).call("bots.commands.set", commands=[DEPLOY])
    await ann.says(await ann.direct(ann), "note to self")
    given = await node.call("import.conversation", source="irc", key="#x", title="#x")
    await node.call(
        "import.messages", **given, items=[{"cid": "1", "author": "Ada", "at": 0, "text": "hello"}],
    )  # fmt: skip
    return {"room": room, "first": first["message"]}


async def test_every_table_and_column_is_there_or_left_out_for_a_reason(node: Node, said: dict[str, str]) -> None:
    found = tables(node)
    assert set(found) == {table.name for table in TABLES}
    with open_read_only(node.directory.database) as reader:
        for table, (_, sql) in LINES.items():
            told = {column[0].removesuffix("_json") for column in reader.execute(sql).description}
            missing = {column for column in found[table] if column not in told}
            assert not {each for each in missing if each not in OTHERWISE and f"{table}.{each}" not in OTHERWISE}, table


async def test_what_was_said_is_in_it(node: Node, ann: User, bob: User, said: dict[str, str]) -> None:
    first, *rest = of_node(node)
    assert (first["type"], first["version"], first["epoch"]) == ("export", 1, node.core.epoch)
    counted = {kind: sum(row["type"] == kind for row in rest) for kind, _ in LINES.values()}
    assert counted == first["counts"]
    assert all(count for kind, count in counted.items() if kind not in ("removal", "presence_change")), counted
    message = next(row for row in rest if row["type"] == "message" and row["id"] == said["first"])
    assert (message["conversation"], message["sender"]) == (said["room"], ann.id)
    assert (message["text"], message["metadata"], message["mentions"]) == (
        "shall we all go @bob?", {"mood": "bright"}, [bob.id]
    )  # fmt: skip
    assert message["at"].endswith("Z")
    (edit,) = [row for row in rest if row["type"] == "edit"]
    assert (edit["message"], edit["text"]) == (said["first"], "shall we go @bob?")
    assert "never said" not in str(rest)


async def test_what_others_refer_to_comes_before_them(node: Node, said: dict[str, str]) -> None:
    persons, conversations, messages = set[str](), set[str](), set[str]()
    for row in of_node(node):
        known = {"person": persons, "sender": persons, "conversation": conversations, "message": messages}
        for name, seen in known.items():
            if row["type"] != name and isinstance(row.get(name), str):
                assert row[name] in seen, row
        if row["type"] in known:
            known[row["type"]].add(row["id"])


async def test_no_secret_is_in_it(node: Node, said: dict[str, str]) -> None:
    await node.call("people.create", handle="cy", password=PASSWORD, admin=True)
    cy = User(node, await node.core.db.read(lambda reader: people.find(reader, "cy")))
    token = (await cy.call("tokens.create"))["token"]
    invite = (await node.call("invites.create"))["code"]
    reset = await node.call("people.reset_link", person="cy")
    with sqlite3.connect(node.core.db.path) as connection:
        (stored,) = connection.execute("SELECT password FROM people WHERE handle = 'cy'").fetchone()
        hashes = [
            row[0] for row in connection.execute("SELECT token_hash FROM sessions UNION SELECT code_hash FROM invites")
        ]
    connection.close()
    with open_read_only(node.directory.database) as reader:
        written = b"".join(lines(reader, TABLES))
    assert stored.startswith("$argon2id$")
    for secret in (stored, token, invite, reset["link"].rpartition("/")[2], PASSWORD, "argon2"):
        assert secret.encode() not in written
    for digest in hashes:
        assert digest.hex().encode() not in written
        assert digest not in written


async def test_it_is_of_one_moment(tmp_path: Path) -> None:
    """Who writes meanwhile is not held up, and not in it."""
    async with open_node(tmp_path / "data") as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        await ann.says(notes, "before")
        with open_read_only(node.directory.database) as reader:
            coming = lines(reader, TABLES)
            head = orjson.loads(next(coming))
            await ann.says(notes, "meanwhile")
            rest = [orjson.loads(line) for line in coming]
        assert [row["text"] for row in rest if row["type"] == "message"] == ["before"]
        assert head["counts"]["message"] == 1
