"""Questions that a chat's pages ask of its lists, each as one query."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.model.ids import direct_id
from chatnode.model.times import DAY_MS, now_ms, rfc3339
from chatnode.node import Node
from tests.filters.neighbourhood import Neighbourhood, settle


@pytest.fixture
async def there(node: Node) -> Neighbourhood:
    return await settle(node)


def either(who: str) -> dict[str, Any]:
    """That a direct conversation is somebody's."""
    return {"_or": [{"initiator_id": {"_eq": who}}, {"receiver_id": {"_eq": who}}]}


def between(one: str, other: str) -> dict[str, Any]:
    return {"initiator_id": {"_eq": one}, "receiver_id": {"_eq": other}}


# ---- conversations


async def test_get_the_conversations_of_a_user_that_are_active(there: Neighbourhood) -> None:
    asked = either("ann") | {"is_active": {"_eq": True}}
    rows = await there.rows(there.ann, "conversations", filter=asked, sort="-last_message_at", limit=50)
    assert [row["conversation_id"] for row in rows] == [there.plans, there.talk]
    assert [row["initiator_id"] for row in rows] == [there.ann.id, there.bob.id]
    assert [row["receiver_id"] for row in rows] == [None, there.ann.id]


async def test_find_the_existing_conversation_of_two_users(there: Neighbourhood) -> None:
    asked = {"_or": [between("ann", there.bob.id), between(there.bob.id, "ann")]}
    for who in (there.ann, there.bob):
        assert await there.column(who, "conversations", "conversation_id", filter=asked, limit=1) == [there.talk]


async def test_get_unread_conversations_with_their_unread_count(there: Neighbourhood) -> None:
    asked = {"unread_count": {"_gt": 0}}
    rows = await there.rows(there.ann, "conversations", filter=asked, fields="conversation_id,unread_count")
    grouped = await there.rows(
        there.ann, "message_reads", filter={"reader_id": {"_eq": "ann"}, "status": {"_neq": "READ"}},
        group_by="conversation_id",
    )  # fmt: skip
    unread = {row["conversation_id"]: row["unread_count"] for row in rows}
    assert unread == {row["conversation_id"]: row["count"] for row in grouped}
    assert set(unread) == {there.plans, there.late}


# ---- messages


async def test_get_the_messages_of_a_conversation_page_by_page(there: Neighbourhood) -> None:
    asked = {"conversation_id": {"_eq": there.plans}, "is_deleted": {"_eq": False}}
    fields = {"collection": "messages", "filter": asked, "sort": "-created_at", "limit": 3}
    seqs: list[int] = []
    page = await there.ann.call("items.query", **fields)
    seqs += [row["seq"] for row in page["data"]]
    while "next" in page:
        page = await there.ann.call("items.query", after=page["next"], **fields)
        seqs += [row["seq"] for row in page["data"]]
    assert seqs == [9, 8, 7, 6, 5, 4, 2, 1]


async def test_get_the_latest_message_of_a_conversation(there: Neighbourhood) -> None:
    asked = {"conversation_id": {"_eq": there.talk}, "is_deleted": {"_eq": False}}
    texts = await there.column(there.ann, "messages", "message_text", filter=asked, sort="-created_at", limit=1)
    assert texts == ["talk 6"]


async def test_search_the_messages_of_a_conversation(there: Neighbourhood) -> None:
    asked = {"conversation_id": {"_eq": there.plans}, "is_deleted": {"_eq": False}}
    for text, found in (
        ({"_contains": "straße %_'"}, [6, 4]),
        ({"_contains": "%"}, [6, 4]),
        ({"_contains": "STRASSE"}, []),
        ({"_icontains": "STRASSE"}, [6, 4]),
        ({"_starts_with": "Plan "}, [6, 4, 2]),
    ):
        rows = await there.column(
            there.ann, "messages", "seq", filter=asked | {"message_text": text}, sort="-created_at"
        )
        assert rows == found, text


async def test_get_edited_messages_latest_edit_first(there: Neighbourhood) -> None:
    rows = await there.rows(there.ann, "messages", filter={"edit_count": {"_gt": 0}}, sort="-edited_at")
    assert [(row["conversation_id"], row["edit_count"]) for row in rows] == [(there.talk, 1), (there.plans, 2)]


# ---- receipts


async def test_get_the_number_of_unread_messages_of_a_user(there: Neighbourhood) -> None:
    asked = {"reader_id": {"_eq": "ann"}, "status": {"_neq": "READ"}}
    inbox = await there.ann.call("inbox.list")
    expected = sum(entry["unread"] for entry in inbox["conversations"])
    rows = await there.rows(there.ann, "message_reads", filter=asked, group_by="reader_id")
    assert rows == [{"reader_id": there.ann.id, "count": expected}]


async def test_get_the_read_status_of_a_message_latest_first(there: Neighbourhood) -> None:
    [message] = await there.column(
        there.ann, "messages", "message_id", filter={"conversation_id": {"_eq": there.plans}, "seq": {"_eq": 4}}
    )
    rows = await there.rows(
        there.ann, "message_reads", filter={"message_id": {"_eq": message}}, sort="-read_at",
        fields="reader_id,status,delivered_at,read_at",
    )  # fmt: skip
    assert {row["reader_id"]: row["status"] for row in rows} == {there.bob.id: "READ", there.cay.id: "READ"}
    assert all(row["read_at"] and row["delivered_at"] for row in rows)
    [last] = await there.column(
        there.ann, "messages", "message_id", filter={"conversation_id": {"_eq": there.plans}, "seq": {"_eq": 9}}
    )
    statuses = await there.column(there.ann, "message_reads", "status", filter={"message_id": {"_eq": last}})
    assert sorted(statuses) == ["SENT", "SENT"]


async def test_get_the_unread_count_of_each_conversation(there: Neighbourhood) -> None:
    asked = {"reader_id": {"_eq": "ann"}, "status": {"_neq": "READ"}}
    rows = await there.rows(there.ann, "message_reads", filter=asked, group_by="conversation_id")
    inbox = await there.ann.call("inbox.list")
    unread = {entry["conversation"]: entry["unread"] for entry in inbox["conversations"] if entry["unread"]}
    assert {row["conversation_id"]: row["count"] for row in rows} == unread


# ---- participants and settings


async def test_get_a_participant_of_a_conversation(there: Neighbourhood) -> None:
    asked = {"conversation_id": {"_eq": there.plans}, "user_id": {"_eq": there.bob.id}}
    [row] = await there.rows(there.ann, "chat_participants", filter=asked)
    assert (row["handle"], row["role"], row["last_read_seq"], row["is_blocked"]) == ("bob", "member", 9, False)


async def test_get_the_unread_counts_of_a_user(there: Neighbourhood) -> None:
    asked = {"user_id": {"_eq": "ann"}, "unread_count": {"_gt": 0}}
    rows = await there.rows(there.ann, "chat_participants", filter=asked, fields="conversation_id,unread_count")
    inbox = await there.ann.call("inbox.list")
    unread = {entry["conversation"]: entry["unread"] for entry in inbox["conversations"] if entry["unread"]}
    assert {row["conversation_id"]: row["unread_count"] for row in rows} == unread


async def test_get_the_settings_of_a_user_for_a_conversation(there: Neighbourhood) -> None:
    asked = {"conversation_id": {"_eq": there.plans}, "user_id": {"_eq": "$CURRENT_USER"}}
    [row] = await there.rows(there.ann, "conversation_settings", filter=asked)
    assert (row["color_tag"], row["custom_label"], row["notification_type"], row["is_muted"]) == (
        "BLUE", "our plans", "MENTIONS_ONLY", True,
    )  # fmt: skip


async def test_get_starred_conversations(there: Neighbourhood) -> None:
    asked = {"user_id": {"_eq": "ann"}, "is_starred": {"_eq": True}}
    assert await there.column(there.ann, "conversation_settings", "conversation_id", filter=asked) == [there.plans]


async def test_count_what_is_newer_than_a_time_given_either_way(there: Neighbourhood) -> None:
    [at] = await there.column(
        there.ann, "messages", "created_at", filter={"conversation_id": {"_eq": there.talk}, "seq": {"_eq": 5}}
    )
    for since in (at, at.replace("Z", "+00:00")):
        asked = {"conversation_id": {"_eq": there.talk}, "created_at": {"_gte": since, "_lt": rfc3339(now_ms() + 1)}}
        [group] = await there.rows(there.ann, "messages", filter=asked, group_by="conversation_id")
        assert group["count"] >= 3


async def test_get_the_members_of_a_group_newest_first(there: Neighbourhood) -> None:
    asked = {"conversation_id": {"_eq": there.late}}
    rows = await there.rows(there.ann, "chat_participants", filter=asked, sort="-joined_at,handle")
    assert [(row["handle"], row["role"]) for row in rows] == [("ann", "member"), ("bob", "owner"), ("cay", "member")]


async def test_get_the_admins_of_ones_groups(there: Neighbourhood) -> None:
    asked = {"role": {"_in": ["owner", "admin"]}, "user_id": {"_neq": "$CURRENT_USER"}}
    rows = await there.rows(there.bob, "chat_participants", filter=asked, fields="conversation_id,handle")
    assert rows == [{"conversation_id": there.plans, "handle": "ann"}]


async def test_get_the_groups_of_a_user_by_when_they_were_made(there: Neighbourhood) -> None:
    rows = await there.rows(there.ann, "conversations", filter={"kind": {"_eq": "group"}}, sort="created_at,title")
    assert [row["title"] for row in rows] == ["Plans", "Ünder the bridge", "Hall"]


# ---- what a conversation between two, and an inbox, are made of


async def test_get_a_conversation_of_two_by_the_id_that_both_compute(there: Neighbourhood) -> None:
    id = direct_id(there.ann.id, there.bob.id)
    for who in (there.ann, there.bob):
        [row] = await there.rows(who, "conversations", filter={"conversation_id": {"_eq": id}})
        assert (row["conversation_id"], row["kind"]) == (there.talk, "direct")


async def test_get_the_inbox_of_a_user(there: Neighbourhood) -> None:
    """The last message, its time and what is unread, the latest first: as the inbox has it."""
    rows = await there.rows(there.ann, "conversations", filter={"is_active": {"_eq": True}}, sort="-last_message_at")
    inbox = (await there.ann.call("inbox.list"))["conversations"]
    assert {row["conversation_id"]: (row["last_message_id"], row["last_message_at"], row["unread_count"],
            row["mention_count"], row["participants"]) for row in rows} == {
        entry["conversation"]: (entry["last"]["message"], entry["last"]["at"], entry["unread"], entry["mentions"],
                                entry["members"]) for entry in inbox if "last" in entry
    }  # fmt: skip
    times = [row["last_message_at"] for row in rows]
    assert times == sorted(times, reverse=True)


async def test_get_what_was_sent_to_a_user_and_has_not_reached_a_device(there: Neighbourhood) -> None:
    """What is sent on when somebody comes back."""
    asked = {"reader_id": {"_eq": "cay"}, "status": {"_eq": "SENT"}, "conversation_id": {"_eq": there.plans}}
    rows = await there.rows(there.bob, "message_reads", filter=asked, sort="seq", fields="seq,delivered_at,read_at")
    assert rows == [{"seq": 9, "delivered_at": None, "read_at": None}]


async def test_get_whether_ones_messages_were_delivered_and_seen(there: Neighbourhood) -> None:
    asked = {"sender_id": {"_eq": "$CURRENT_USER"}, "conversation_id": {"_eq": there.talk}}
    rows = await there.rows(there.ann, "message_reads", filter=asked, sort="seq", fields="seq,status")
    assert [row["seq"] for row in rows] == [1, 4, 7]
    assert rows[0]["status"] == "READ"


async def test_get_the_conversations_that_are_open(there: Neighbourhood) -> None:
    asked = {"is_active": {"_eq": True}, "is_closed": {"_eq": False}}
    rows = await there.column(there.ann, "conversations", "conversation_id", filter=asked)
    assert set(rows) == {there.talk, there.plans}


async def test_get_the_conversations_about_a_thing(there: Neighbourhood) -> None:
    asked = {"context_type": {"_eq": "order"}, "context_id": {"_eq": "17"}, "conversation_type": {"_eq": "SUPPORT"}}
    assert await there.column(there.ann, "conversations", "conversation_id", filter=asked) == [there.late]


async def test_get_what_an_edited_message_said(there: Neighbourhood) -> None:
    [message] = await there.column(
        there.ann, "messages", "message_id", filter={"conversation_id": {"_eq": there.plans}, "edit_count": {"_gt": 0}}
    )
    rows = await there.rows(there.ann, "message_edits", filter={"message_id": {"_eq": message}}, sort="version")
    assert [row["message_text"] for row in rows] == ["Plan 1 at first", "Plan 1 once more"]


async def test_get_the_notices_of_a_kind(there: Neighbourhood) -> None:
    asked = {"message_type": {"_eq": "SYSTEM"}, "system_message_type": {"_starts_with": "order."}}
    assert await there.column(there.ann, "messages", "seq", filter=asked) == [7]


async def test_get_what_was_deleted_for_a_reason_in_whatever_case(there: Neighbourhood) -> None:
    for reason, seqs in (("SPAM", [3]), ("spam", [3]), ("USER_REQUEST", [])):
        assert await there.column(there.ann, "messages", "seq", filter={"deleted_reason": {"_eq": reason}}) == seqs


async def test_get_where_one_takes_part_and_how_that_is(there: Neighbourhood) -> None:
    """One's own state in each conversation, and how one stands to the others in it."""
    rows = await there.rows(there.bob, "chat_participants", filter={"user_id": {"_eq": "bob"}}, group_by="status")
    assert rows == [{"status": "ACTIVE", "count": 3}, {"status": "ARCHIVED", "count": 1}]
    rows = await there.rows(there.ann, "chat_participants", filter={"user_id": {"_neq": "ann"}}, group_by="status")
    assert {row["status"] for row in rows} == {"ACTIVE", "BLOCKED"}
    hall = {"status": {"_eq": "INACTIVE"}, "user_id": {"_eq": "ann"}}
    [place] = await there.column(there.ann, "chat_participants", "conversation_id", filter=hall)
    [row] = await there.rows(there.ann, "conversations", filter={"conversation_id": {"_eq": place}})
    assert (row["title"], row["is_active"]) == ("Hall", False)


async def test_get_how_many_messages_each_deletion_reason_has(there: Neighbourhood) -> None:
    asked = {"is_deleted": {"_eq": True}}
    assert await there.rows(there.ann, "messages", filter=asked, group_by="deleted_reason") == [
        {"deleted_reason": "spam", "count": 1}
    ]


# ---- what people are up to, for those who run the node


async def test_get_who_has_not_been_here_for_a_while(there: Neighbourhood) -> None:
    asked = {"_or": [{"last_used_at": {"_null": True}}, {"last_used_at": {"_lt": now_ms() - 30 * DAY_MS}}]}
    handles = await there.column(there.root, "accounts", "handle", filter=asked)
    assert "ann" not in handles
    assert {"bob", "cay"} <= set(handles)


async def test_get_how_many_accounts_each_role_has(there: Neighbourhood) -> None:
    rows = await there.rows(there.root, "accounts", group_by="role", sort="-count")
    assert rows == [{"role": "member", "count": 6}, {"role": "admin", "count": 1}]


async def test_get_the_jobs_that_failed(there: Neighbourhood) -> None:
    assert await there.column(there.root, "jobs", "name", filter={"ok": {"_eq": False}}) == ["backup"]


async def test_get_removals_that_are_not_proved_or_left_traces(there: Neighbourhood) -> None:
    asked = {"_or": [{"proved_at": {"_null": True}}, {"traces": {"_gt": 0}}]}
    rows = await there.rows(there.root, "removals", filter=asked, sort="removal", fields="rule,days,traces")
    assert rows == [{"rule": "closed", "days": 365, "traces": None}, {"rule": "messages", "days": 9, "traces": 1}]
