"""Messages for very many users: decided for each once, some hundreds at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chatnode_notifications
import pytest
from chatnode_notifications.deciding import fanning, looking
from chatnode_notifications.deciding.closing import close_due
from chatnode_notifications.deciding.fanning import fan_out_next

from chatnode.api import Transaction, new_id
from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User, catch_up
from tests.plugins.notifications.telling import context, decide, register, tell, waiting
from tests.plugins.sql import rows

MANY = 1_200


async def crowd(node: Node, group: str, like: User, count: int) -> None:
    """Let so many users join, copies of one who takes part; each has a device."""

    def write(tx: Transaction) -> None:
        columns = [name for _, name, *_ in tx.execute("PRAGMA table_info(people)")]
        same = ", ".join(name for name in columns if name not in ("key", "id", "handle"))
        (before,) = tx.execute("SELECT max(key) FROM people").fetchone()
        for number in range(count):
            tx.execute(
                f"INSERT INTO people (id, handle, {same}) SELECT ?, ?, {same} FROM people WHERE key = ?",
                (new_id(), f"one-{number}", like.key),
            )
        columns = [name for _, name, *_ in tx.execute("PRAGMA table_info(members)")]
        same = ", ".join(f"w.{name}" for name in columns if name != "person")
        tx.execute(
            f"INSERT INTO members (person, {same.replace('w.', '')}) SELECT p.key, {same} FROM people p, members w "
            "JOIN conversations c ON c.key = w.conversation WHERE p.key > ? AND c.id = ? AND w.person = ?",
            (before, group, like.key),
        )
        tx.execute(
            "INSERT INTO notifications_registrations (id, person, transport, address, label, created_at) "
            "SELECT 'r-' || key, key, 'ntfy', 'https://ntfy.example/' || key, 'phone', 0 FROM people WHERE key > ?",
            (before,),
        )

    await node.core.db.write(write)


async def notified(node: Node) -> list[tuple[int, int]]:
    """How many users were notified how often."""
    return await rows(
        node,
        "SELECT times, count(*) FROM (SELECT count(*) AS times FROM notifications_items GROUP BY person) "
        "GROUP BY times",
    )  # fmt: skip


async def test_a_group_of_a_thousand(node: Node, amy: User, ben: User) -> None:
    await register(node, ben)
    group = await amy.group(ben)
    await crowd(node, group, ben, MANY)
    for number in range(3):
        await amy.says(group, f"line {number}")
    await catch_up(node)
    assert await waiting(node) == []  # the consumer leaves it to the task
    steps = 0
    while await fan_out_next(context(node)):
        steps += 1
    assert steps == -(-(MANY + 1) // looking.MOST_PAIRS)
    assert [each.count for each in await waiting(node)] == [3] * (MANY + 1)
    assert await rows(node, "SELECT 1 FROM notifications_fanouts") == []
    await close_due(context(node))
    assert await notified(node) == [(1, MANY + 1)]


async def test_a_restart_in_the_middle(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "MOST_PAIRS", 4)
    monkeypatch.setattr(fanning, "MOST_PAIRS", 4)
    monkeypatch.setattr(fanning, "_LEAST", 1)

    def opened() -> Any:
        return open_node(tmp_path / "data", config, only=[chatnode_notifications])

    async with opened() as node:
        amy, ben = await User.new(node, "amy"), await User.new(node, "ben")
        group = await amy.group(ben)
        await crowd(node, group, ben, 10)
        await amy.says(group, "hello")
        await catch_up(node)
        assert await fan_out_next(context(node))
        assert len(await waiting(node)) == 4
    async with opened() as node:
        await decide(node)
        await close_due(context(node))
    async with opened() as node:
        await tell(node, ahead_seconds=60)
        assert await notified(node) == [(1, 10)]
        assert await rows(node, "SELECT count FROM notifications_items WHERE count <> 1") == []


async def test_only_members_whom_it_concerns_are_looked_at(node: Node, amy: User, ben: User) -> None:
    """Where nobody has a device, a message that is not meant for anybody is not judged for anybody."""
    group = await amy.group(ben, *[await User.new(node, f"user{number}") for number in range(5)])
    await amy.says(group, "hello all")
    mention = await amy.posts(group, "hello @ben")

    def read(reader: Any) -> list[Any]:
        places = [(mention["gid"] - 1, key, 1), (mention["gid"], key, 2)]
        return looking.shares_of(reader, looking.postings_at(reader, places, 0))

    ((key,),) = await rows(node, "SELECT key FROM conversations WHERE id = ?", group)
    (share,) = await node.core.db.read(read)
    assert ([each.seqs for each in share.postings], share.among) == ([(2,)], [ben.key])


async def test_what_concerns_nobody_is_left_out_and_nothing_else(node: Node, amy: User, ben: User) -> None:
    """Leaving messages out by their rows finds the same users as looking at each, whoever has a device."""
    cay = await User.new(node, "cay")
    group, other = await amy.group(ben, cay), await amy.group(cay)
    root = await amy.posts(group, "hello all")
    await ben.says(group, "yes", reply_to=root["message"])
    await ben.says(group, "in a thread", thread=root["message"])
    await amy.says(group, "hello @ben")
    await amy.says(other, "hello cay")
    await amy.says(other, "mail me: amy@example.org")
    await amy.says(await amy.direct(ben), "hello you")
    await amy.says(group, "hello again")
    places = await rows(node, "SELECT gid, conversation, seq FROM messages ORDER BY gid")

    def read(reader: Any) -> tuple[int, bool]:
        wanted = looking.postings_to_judge(reader, places, 0)
        found, everything = (
            looking.shares_of(reader, those) for those in (wanted, looking.postings_at(reader, places, 0))
        )
        return sum(len(each.seqs) for each in wanted), found == everything

    assert await node.core.db.read(read) == (5, True)
    await register(node, cay)
    assert await node.core.db.read(read) == (8, True)
    await cay.does("conversations.leave", conversation=group)
    assert await node.core.db.read(read) == (6, True)
