"""Nobody learns by a list what they may not see: not by rows, counts, order, or what an error says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.storage.filters import query
from chatnode.storage.filters.collection import Collection
from chatnode.storage.filters.cursor import write_cursor
from chatnode.storage.people import people
from chatnode.testing import User, refused
from tests.declared import COLLECTIONS
from tests.filters.neighbourhood import SECRET, Neighbourhood, settle
from tests.services.dialogue import Visitor, outcome

each_collection = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda each: each.name)


@pytest.fixture
async def there(node: Node) -> Neighbourhood:
    return await settle(node)


#: Collection → what strangers, members and administrators get.
WHO = {
    "conversations": ("empty", "rows", "empty"),
    "public_conversations": ("rows", "rows", "rows"),
    "chat_participants": ("empty", "rows", "empty"),
    "conversation_settings": ("empty", "rows", "empty"),
    "messages": ("empty", "rows", "empty"),
    "message_edits": ("empty", "rows", "empty"),
    "message_reads": ("empty", "rows", "empty"),
    "message_reactions": ("empty", "rows", "empty"),
    "message_attachments": ("empty", "rows", "empty"),
    "people": ("rows", "rows", "rows"),
    "sessions": ("empty", "rows", "empty"),
    "blocks": ("empty", "rows", "empty"),
    "presence_history": ("empty", "rows", "empty"),
    "accounts": ("forbidden", "forbidden", "rows"),
    "account_sessions": ("forbidden", "forbidden", "rows"),
    "invites": ("forbidden", "forbidden", "rows"),
    "audit": ("forbidden", "forbidden", "rows"),
    "reports": ("forbidden", "forbidden", "rows"),
    "removals": ("forbidden", "forbidden", "rows"),
    "jobs": ("forbidden", "forbidden", "rows"),
    "work": ("empty", "rows", "rows"),
    "contacts": ("empty", "rows", "empty"),
    "crm_contacts": ("forbidden", "forbidden", "empty"),
    "contact_lists": ("forbidden", "forbidden", "empty"),
    "contact_tags": ("forbidden", "forbidden", "empty"),
    "contact_labels": ("empty", "rows", "empty"),
    "contact_requests": ("empty", "rows", "empty"),
    "chat_notifications": ("empty", "rows", "empty"),
}


async def test_who_gets_what(there: Neighbourhood) -> None:
    stranger = await User.new(there.node, "stranger")
    found: dict[str, tuple[str, ...]] = {}
    for collection in there.node.core.collections:
        answers: list[str] = []
        for who in (stranger, there.ann, there.root):
            try:
                answers.append("rows" if await there.rows(who, collection.name) else "empty")
            except Refusal as refusal:
                answers.append(refusal.code)
        found[collection.name] = tuple(answers)
        anonymous = Visitor(there.node).call("items.query", collection=collection.name)
        assert await outcome(anonymous) == "unauthenticated"
    assert found == WHO


async def test_the_operator_looks_through_what_belongs_to_no_person(there: Neighbourhood) -> None:
    for collection in there.node.core.collections:
        asked = there.node.call("items.query", collection=collection.name)
        assert await outcome(asked) == ("forbidden" if collection.personal else "ok")


async def test_a_moderator_reads_reports_and_not_the_audit(there: Neighbourhood) -> None:
    await there.node.call("people.role", person="cay", role="moderator")
    there.cay.account = await there.node.core.db.read(lambda reader: people.find(reader, "cay"))
    assert len(await there.rows(there.cay, "reports")) == 3
    with refused("forbidden"):
        await there.rows(there.cay, "audit")


async def test_what_is_not_anns_is_in_nothing_that_she_gets(there: Neighbourhood) -> None:
    """Rows by every order, groups by everything: no word, id or number of the hidden group."""
    received: list[str] = []
    for collection in there.node.core.collections:
        if collection.permission != "chat":
            continue
        for field in collection.fields:
            if field.sorts:
                received.append(json.dumps(await there.rows(there.ann, collection.name, sort=f"-{field.name}")))
            if field.groups:
                received.append(json.dumps(await there.rows(there.ann, collection.name, group_by=field.name)))
    everything = "\n".join(received)
    assert there.plans in everything
    assert SECRET not in everything
    assert there.hidden not in everything


async def test_a_filter_on_what_is_hidden_finds_nothing(there: Neighbourhood) -> None:
    for name, asked in (
        ("messages", {"message_text": {"_icontains": SECRET}}),
        ("messages", {"conversation_id": {"_eq": there.hidden}}),
        ("messages", {"_or": [{}, {"conversation_id": {"_eq": there.hidden}}], "message_text": {"_contains": SECRET}}),
        ("messages", {"_not": {"conversation_id": {"_nin": [there.hidden]}}}),
        ("message_reads", {"conversation_id": {"_eq": there.hidden}}),
        ("conversations", {"title": {"_contains": SECRET}}),
        ("chat_participants", {"conversation_id": {"_eq": there.hidden}}),
        ("conversation_settings", {"custom_label": {"_eq": SECRET}}),
        ("sessions", {"label": {"_eq": SECRET}}),
        ("blocks", {"blocked_id": {"_eq": "ann"}}),
        ("chat_notifications", {"title": {"_contains": SECRET}}),
        ("chat_notifications", {"body": {"_contains": SECRET}}),
        ("chat_notifications", {"conversation_id": {"_eq": there.hidden}}),
    ):
        assert await there.rows(there.ann, name, filter=asked) == [], asked
        assert await there.rows(there.ann, name, filter={"_and": [asked, {"_not": {"_not": asked}}]}) == []


async def test_history_before_one_joined_is_not_there(there: Neighbourhood) -> None:
    asked = {"conversation_id": {"_eq": there.late}}
    assert await there.column(there.ann, "messages", "message_text", filter=asked, sort="seq") == [
        "late 4", "late 5", "late 6",
    ]  # fmt: skip
    seqs = await there.column(there.ann, "message_reads", "seq", filter=asked)
    assert min(seqs) == 5


async def test_what_was_deleted_has_no_text(there: Neighbourhood) -> None:
    [row] = await there.rows(there.ann, "messages", filter={"is_deleted": {"_eq": True}})
    assert (row["message_text"], row["deleted_reason"]) == (None, "spam")
    assert await there.rows(there.ann, "messages", filter={"message_text": {"_contains": SECRET}}) == []


async def test_whoever_left_sees_nothing_of_it_any_more(there: Neighbourhood) -> None:
    await there.ann.call("conversations.leave", conversation=there.plans)
    for name in ("conversations", "messages", "message_reads", "chat_participants", "conversation_settings"):
        found = set(await there.column(there.ann, name, "conversation_id"))
        assert there.talk in found
        assert there.plans not in found
    members = await there.column(
        there.bob, "chat_participants", "handle", filter={"conversation_id": {"_eq": there.plans}}
    )
    assert members == ["bob", "cay"]


async def test_how_far_somebody_read_who_hides_it_stays_hidden(there: Neighbourhood) -> None:
    """Bob has read the talk up to the sixth message, and shows it up to the third message."""
    mine = {"conversation_id": {"_eq": there.talk}, "reader_id": {"_eq": "bob"}}
    rows = await there.rows(there.ann, "message_reads", filter=mine, sort="seq")
    assert {row["seq"]: row["status"] == "READ" for row in rows} == {1: True, 4: False, 7: False}
    assert [row["seq"] for row in rows if row["read_at"] is not None] == [1]
    unread = await there.column(there.ann, "message_reads", "seq", filter=mine | {"status": {"_neq": "READ"}})
    assert sorted(unread) == [4, 7]
    asked = {"conversation_id": {"_eq": there.talk}, "user_id": {"_eq": "bob"}}
    [seen] = await there.rows(there.ann, "chat_participants", filter=asked)
    [own] = await there.rows(there.bob, "chat_participants", filter=asked)
    assert (seen["last_read_seq"], seen["unread_count"]) == (3, None)
    assert (own["last_read_seq"], own["unread_count"]) == (6, 1)


async def test_what_others_set_for_themselves_is_theirs(there: Neighbourhood) -> None:
    """Bob starred, archived and muted the plans; and he blocked ann."""
    asked = {"conversation_id": {"_eq": there.plans}, "user_id": {"_eq": "bob"}}
    [seen] = await there.rows(there.ann, "chat_participants", filter=asked)
    assert (seen["is_muted"], seen["muted_until"], seen["status"], seen["is_blocked"]) == (None, None, "ACTIVE", False)
    [seen] = await there.rows(there.ann, "conversations", filter={"conversation_id": {"_eq": there.talk}})
    assert (seen["initiator_archived"], seen["receiver_archived"]) == (None, True)
    assert set(await there.column(there.ann, "conversation_settings", "user_id")) == {there.ann.id}


@each_collection
async def test_made_up_cursors_skip_rows_and_show_none(there: Neighbourhood, collection: Collection) -> None:
    """A cursor from before the first row gives what there is without one."""
    plan = query.plan(collection, query.Query(sort=collection.key[0]), there.node.core.config.limits)
    lowest: list[Any] = [
        None if key.field.nullable else (-1 if key.field.kind.is_stored(0) else "") for key in plan.keys
    ]
    who = there.root if collection.permission != "chat" else there.ann
    cursor = write_cursor(plan.place, plan.keys, lowest)
    rows = await there.rows(who, collection.name, sort=collection.key[0], after=cursor)
    assert rows == await there.rows(who, collection.name, sort=collection.key[0])
