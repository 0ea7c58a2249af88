"""What a chat asks all the time goes by an index: SQLite says what it will look at."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.storage.engine.connection import Reader
from chatnode.storage.filters.collection import Asker
from chatnode.storage.filters.compile import Parameters
from chatnode.storage.filters.query import Query, plan, run
from chatnode.storage.filters.timeline import statement
from chatnode.testing import User

ID = "0" * 32
OPEN = {"is_active": {"_eq": True}, "is_closed": {"_eq": False}}
UNREAD = {"reader_id": {"_eq": "$CURRENT_USER"}, "status": {"_neq": "READ"}}
LATELY = {"created_at": {"_gt": 7}}
SHOWN = {"conversation_id": {"_eq": ID}, "is_deleted": {"_eq": False}}

#: What is asked, and how its rows are found.
ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("conversations", {"filter": OPEN, "sort": "-last_message_at", "limit": 50}, "mine USING INDEX members_person"),
    (
        "message_reads", {"filter": UNREAD, "group_by": "conversation_id"},
        "item USING INDEX sqlite_autoindex_messages_2 (conversation=? AND seq>?)",
    ),
    ("messages", {"filter": LATELY}, "item USING INDEX messages_late (conversation=? AND at>?)"),
    (
        "messages", {"filter": LATELY, "sort": "-seq"},
        "item USING INDEX sqlite_autoindex_messages_2 (conversation=? AND seq>?",
    ),
    ("messages", {"filter": LATELY, "sort": "-seq"}, "near USING INDEX messages_hours (conversation=? AND at<?)"),
    (
        "messages", {"filter": SHOWN, "sort": "-seq", "limit": 30},
        "item USING INDEX sqlite_autoindex_messages_2 (conversation=? AND seq>?)",
    ),
    (
        "message_reads", {"filter": {"message_id": {"_eq": ID}}, "sort": "-read_at"},
        "item USING INDEX sqlite_autoindex_messages_1 (id=?)",
    ),
    ("conversation_settings", {"filter": {"is_starred": {"_eq": True}}}, "own USING PRIMARY KEY"),
    ("message_edits", {"filter": {"message_id": {"_eq": ID}}}, "item USING INDEX sqlite_autoindex_messages_1 (id=?)"),
]  # fmt: skip


async def steps(node: Node, who: User, collection: str, fields: dict[str, Any]) -> list[str]:
    """What SQLite will do."""
    declared = node.core.collections.find(collection)
    parameters = Parameters(Asker(who.account.key, None, 0))
    sql = statement(plan(declared, Query(**fields), node.core.config.limits), parameters)

    def read(reader: Reader) -> list[str]:
        return [row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}", parameters.values)]

    return await node.core.db.read(read)


@pytest.mark.parametrize(("collection", "fields", "found_by"), ASKED)
async def test_it_goes_by_an_index(
    node: Node, ann: User, collection: str, fields: dict[str, Any], found_by: str
) -> None:
    planned = await steps(node, ann, collection, fields)
    assert any(step.startswith(f"SEARCH {found_by}") for step in planned), planned
    assert [step for step in planned if step.startswith("SCAN") and "subquery" not in step] == []


async def test_the_newest_page_of_messages_is_not_sorted(node: Node, ann: User) -> None:
    planned = await steps(node, ann, "messages", {"filter": SHOWN, "sort": "-seq", "limit": 30})
    assert not any("ORDER BY" in step for step in planned)


async def test_messages_by_time_go_by_seq_and_those_out_of_order_by_an_index(node: Node, ann: User) -> None:
    place = await ann.group(title="Plans")
    for number in range(3):
        await ann.says(place, f"{number}")
    await node.core.db.write(lambda tx: tx.execute("UPDATE messages SET late = 1 WHERE seq = 2"))
    asked = Query({"conversation_id": {"_eq": place}, "created_at": {"_gt": 7}}, "-created_at", 30)
    asker = Asker(ann.account.key, None, 0)

    def read(reader: Reader) -> list[str]:
        executed = list[str]()
        reader.set_trace_callback(executed.append)
        page = run(reader, asker, plan(node.core.collections.find("messages"), asked, node.core.config.limits), 0)
        reader.set_trace_callback(None)
        assert [row["seq"] for row in page.data] == [3, 2, 1]
        return [row[3] for sql in executed for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}")]

    planned = await node.core.db.read(read)
    assert "SEARCH item USING INDEX sqlite_autoindex_messages_2 (conversation=? AND seq>? AND seq<?)" in planned
    assert "SEARCH item USING INDEX messages_late (conversation=? AND at>?)" in planned
    assert [step for step in planned if step.startswith("SCAN item") or step == "USE TEMP B-TREE FOR ORDER BY"] == []


async def test_participants_of_one_conversation_are_not_looked_for_in_all(node: Node, ann: User) -> None:
    planned = await steps(node, ann, "chat_participants", {"filter": {"conversation_id": {"_eq": ID}}})
    order = [step.split()[1] for step in planned if step.startswith("SEARCH")]
    assert order.index("conv") < order.index("part")
