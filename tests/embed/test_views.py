"""The promised views: their columns, and that they tell what the commands tell of the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from chatnode.model.times import DAY_MS, rfc3339
from chatnode.node import Node
from chatnode.reference import views as reference
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people
from chatnode.storage.privacy import erasure
from chatnode.storage.reading.views import VIEWS
from chatnode.testing import User
from tests.without_attachments import only_plugins as only_plugins

from .reading import Rows, rows

PROMISED = {
    "v1_people": "id handle name avatar role bot imported created_at deactivated_at erased_at",
    "v1_conversations": "id kind title description visibility history purpose context_type context_id created_at "
    "created_by closed_at closed_reason inactive_at idle_days retention_days avatar head first_seq messages members "
    "last_at",
    "v1_members": "conversation person role joined_at first_seq delivered_seq read_seq",
    "v1_messages": "id conversation seq gid sender cid kind text at mentions reply_to thread replies metadata files "
    "location system actions edits edited_at pinned_at deleted_at deleted_by deleted_reason",
    "v1_receipts": "conversation person kind seq at",
}
"""By view. Only ever longer, at the end: programs elsewhere rely on it."""
SQL_TYPES = {"text": "text", "id": "text", "json": "text", "number": "integer", "flag": "integer", "time": "integer"}


@pytest.fixture
def data(node: Node) -> Path:
    return node.directory.path


@pytest.fixture
async def root(node: Node) -> User:
    return await User.new(node, "root", admin=True)


@pytest.fixture
async def room(node: Node, root: User, ann: User, bob: User, eve: User) -> str:
    """A group in which everything has happened that a row can show."""
    room = await root.group(ann, bob, eve, title="Orders", history="since_joining", retention_days=30)
    await ann.says(room, "long ago")
    await bob.call("receipts.read", conversation=room, seq=1)
    await node.core.db.write(lambda tx: tx.execute("UPDATE messages SET at = at - ?", (60 * DAY_MS,)).rowcount)
    await root.call("conversations.settings", conversation=room, receipts=False)
    first = await ann.says(room, "hello @bob and @everyone", metadata={"order": "7"})
    assert (await node.call("jobs.run", job="retention"))["job"]["result"].startswith("1 message ")
    await ann.says(room, "an answer", reply_to=first, thread=first)
    edited = await ann.says(room, "frist")
    await ann.call("messages.edit", message=edited, text="first")
    await root.call("messages.pin", message=edited)
    gone = await bob.says(room, "a secret for @ann")
    await bob.call("messages.delete", message=gone)
    moderated = await ann.says(room, "an insult", metadata={"tone": "bad"})
    await root.call("messages.delete", message=moderated, reason="abuse")
    cat = {"file": "https://files.example/cat.png", "name": "cat.png", "type": "image/png", "bytes": 900, "width": 9}
    await ann.says(room, "", kind="image", files=[cat, cat | {"file": "https://files.example/dog.png"}])
    await ann.says(room, "", kind="location", location={"latitude": 52.5, "longitude": 13.4, "name": "here"})
    await root.says(room, "paid", kind="system", system={"type": "order.paid", "fields": {"order": "7"}})
    await node.call("people.create", handle="ci", bot=True)
    await root.call("conversations.members.add", conversation=room, member="ci")
    ci = await User.of(node, "ci")
    await ci.says(room, "deploy?", actions=[{"id": "yes", "label": "Yes"}])
    await bob.call("receipts.delivered", conversation=room, seq=4)
    await trio.sleep(0.003)
    await bob.call("receipts.read", conversation=room, seq=3)
    await root.call("receipts.read", conversation=room, seq=9)  # hidden from the others
    await node.call("people.create", handle="zoe")
    zoe = await User.of(node, "zoe")
    await root.call("conversations.members.add", conversation=room, member="zoe")
    await zoe.says(room, "what is this?")
    await zoe.call("conversations.leave", conversation=room)
    await ann.call("people.block", person="eve")
    await ann.call("receipts.read", conversation=room, seq=10)
    return room


def test_the_columns_are_as_promised() -> None:
    assert {view.name: " ".join(each.name for each in view.columns) for view in VIEWS} == PROMISED


def test_the_columns_are_documented() -> None:
    document = Path(__file__).parents[2] / "docs/embedding.md"
    text = document.read_text(encoding="utf-8")
    assert text == reference.fill(text), "run make docs"


async def test_every_value_is_of_its_type(data: Path, room: str) -> None:
    for view in VIEWS:
        columns = ", ".join(f"typeof({each.name}) AS {each.name}" for each in view.columns)
        found = await rows(data, f"SELECT {columns} FROM {view.name}")
        assert found
        for column in view.columns:
            types = {row[column.name] for row in found}
            assert types - {"null"} <= {SQL_TYPES[column.kind]}, f"{view.name}.{column.name}"
            assert column.nullable or "null" not in types, f"{view.name}.{column.name}"


# ---- what the commands tell


def told(row: dict[str, Any], *times: str, **instead: Any) -> dict[str, Any]:
    """A row as a reply has it: without what there is not, and times as text."""
    plain = row | {name: rfc3339(row[name]) for name in times if row[name] is not None} | instead
    return {name: value for name, value in plain.items() if value is not None}


def parsed(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: orjson.loads(row[name]) if row[name] is not None else None for name in names}


async def refs(data: Path) -> dict[str | None, dict[str, str] | None]:
    """By id, how a reply refers to a person."""
    return {None: None} | {
        row["id"]: {"id": row["id"], "handle": row["handle"]} for row in await rows(data, "SELECT * FROM v1_people")
    }


async def test_people_are_as_their_profiles(node: Node, data: Path, root: User, room: str) -> None:
    await node.call("people.deactivate", person="bob")
    await node.call("people.erase", person="eve", handle="eve")
    found = await rows(data, "SELECT * FROM v1_people ORDER BY handle")
    listed = (await root.call("people.list"))["people"]
    shown = [
        told(
            {name: row[name] for name in ("id", "handle", "name", "avatar")},
            bot=bool(row["bot"]) or None,
            imported=bool(row["imported"]) or None,
            deactivated=row["deactivated_at"] is not None or None,
            erased=row["erased_at"] is not None or None,
        )
        for row in found
    ]
    assert shown == [{name: value for name, value in each.items() if name != "extra"} for each in listed]


async def test_conversations_are_as_members_get_them(data: Path, root: User, ann: User, room: str) -> None:
    talk = await root.direct(ann)
    await root.call("conversations.close", conversation=talk, reason="completed")
    found = {row["id"]: row for row in await rows(data, "SELECT * FROM v1_conversations")}
    assert found.keys() == {room, talk}
    for id, row in found.items():
        context = {"type": row.pop("context_type"), "id": row.pop("context_id")}
        shown = told(row, "created_at", "closed_at", "inactive_at", context=context if context["type"] else None)
        entry = next(each for each in (await root.call("inbox.list"))["conversations"] if each["conversation"] == id)
        assert shown.pop("first_seq") == entry["first"]
        assert shown.pop("created_by") == root.id
        assert shown.pop("messages") == len([each for each in await root.sees(id) if "deleted_at" not in each])
        assert rfc3339(shown.pop("last_at", 0)) in (entry.get("last", {}).get("at"), rfc3339(0))
        shown["conversation"] = shown.pop("id")
        assert shown == (await root.call("conversations.get", conversation=id))["conversation"]


async def test_members_are_as_others_see_them(data: Path, root: User, ann: User, bob: User, room: str) -> None:
    found = await rows(data, "SELECT * FROM v1_members WHERE conversation = ?", room)
    by = await refs(data)
    names = {row["id"]: row["name"] for row in await rows(data, "SELECT id, name FROM v1_people")}
    assert {by[row["person"]]["handle"] for row in found} == {"root", "ann", "bob", "eve", "ci"}  # type: ignore[index]
    for viewer in (ann, bob):
        listed = (await viewer.call("conversations.members.list", conversation=room))["members"]
        seen = {each["person"]["id"]: each for each in listed if each["person"]["id"] != viewer.id}
        for row in found:
            if row["person"] == viewer.id:
                assert row["first_seq"] == (await viewer.entry(room))["first"]
                continue
            row = {name: row[name] for name in row if name not in ("conversation", "first_seq")}
            shown = told(row, "joined_at", person=by[row["person"]], name=names[row["person"]])
            assert shown == seen[row["person"]]


async def test_messages_are_as_members_get_them(data: Path, bob: User, room: str) -> None:
    found = await rows(data, "SELECT * FROM v1_messages WHERE conversation = ? ORDER BY seq", room)
    by = await refs(data)
    listed = await bob.sees(room)
    assert len(found) == len(listed) == 10
    for row, message in zip(found, listed, strict=True):
        json = parsed(row, "mentions", "metadata", "files", "location", "system", "actions")
        refer = {"sender": by[row["sender"]], "deleted_by": by[row["deleted_by"]]}
        counts = {"edits": row["edits"] or None, "replies": row["replies"] or None}
        shown = told(row, "at", "edited_at", "pinned_at", "deleted_at", **json, **refer, **counts)
        shown["message"] = shown.pop("id")
        assert shown == {name: value for name, value in message.items() if name not in ("media", "extra")}


async def test_receipts_are_those_that_are_shown(data: Path, root: User, ann: User, bob: User, room: str) -> None:
    by = await refs(data)
    newest = "SELECT at FROM v1_receipts r WHERE r.conversation = m.conversation AND r.person = p.person "
    query = (
        f"SELECT p.person, ({newest} AND kind = 'delivered' AND r.seq >= m.seq ORDER BY r.seq LIMIT 1) delivered_at, "
        f"({newest} AND kind = 'read' AND r.seq >= m.seq ORDER BY r.seq LIMIT 1) read_at FROM v1_messages m "
        "JOIN v1_members p ON p.conversation = m.conversation AND p.first_seq <= m.seq AND p.person <> m.sender "
        "WHERE m.id = ?"
    )
    seen = 0
    for message in await root.sees(room):
        found = await rows(data, query, message["message"])
        shown = [told(row, "delivered_at", "read_at", person=by[row["person"]]) for row in found]
        for viewer in (ann, bob):
            expected = (await viewer.call("receipts.list", message=message["message"]))["receipts"]
            others = [each for each in shown if len(each) > 1 and each["person"]["id"] != viewer.id]
            assert sorted(others, key=_handle) == [each for each in expected if each["person"]["id"] != viewer.id]
            seen += len(others)
    assert seen > 5
    assert root.id not in {row["person"] for row in await rows(data, "SELECT * FROM v1_receipts WHERE kind = 'read'")}


def _handle(receipt: dict[str, Any]) -> str:
    return receipt["person"]["handle"]


# ---- what nobody may see


async def test_what_an_erased_person_said_is_gone_at_once(node: Node, data: Path, ann: User, room: str) -> None:
    """Though erasing empties one message after the other."""

    def begin(tx: Transaction) -> None:
        erasure.begin(tx, people.by_key(tx, ann.key))

    await node.core.db.write(begin)
    found = await rows(data, "SELECT * FROM v1_messages WHERE sender = ?", ann.id)
    assert len(found) > 5
    assert {row["text"] for row in found} == {""}
    assert {row[name] for row in found for name in ("mentions", "metadata", "files", "location")} == {None}


async def test_tables_that_the_views_do_not_fit_are_reported(node: Node) -> None:
    await node.core.db.write(
        lambda tx: tx.execute("ALTER TABLE conversations RENAME COLUMN idle_days TO idle").rowcount
    )
    checked = {each["name"]: each["problems"] for each in (await node.call("node.check"))["checks"]}
    assert checked["views"] == ["v1_conversations cannot be made: no such column: c.idle_days"]


async def test_a_row_costs_no_more_than_in_the_tables(data: Path, room: str) -> None:
    """A page of a conversation is found by the index, not by looking through all messages."""
    plan: Rows = await rows(
        data, "EXPLAIN QUERY PLAN SELECT text FROM v1_messages WHERE conversation = ? AND seq > ?", room, 3
    )
    assert not [row["detail"] for row in plan if row["detail"].startswith("SCAN")]
