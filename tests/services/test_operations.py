"""Looking after a node: its checks find what they are for, and its health tells what fails."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import pytest
import trio

from chatnode.config import Config, Limits, Logs
from chatnode.errors import Refusal
from chatnode.node import Node, open_node
from chatnode.services import declared
from chatnode.storage.engine import maintenance
from chatnode.storage.engine.connection import file_statistics
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.upkeep.checks import OF_SQLITE
from chatnode.testing import User, refused

from .dialogue import Visitor, assert_sound

DERIVED = declared().derived
CHECKS = (*OF_SQLITE, *declared().checks, *DERIVED)


@pytest.fixture
async def lively(node: Node, ann: User, bob: User) -> None:
    """Somebody has done a bit of everything."""
    room = await ann.group(bob)
    await ann.says(room, "hello @bob")
    await bob.says(room, "hello @ann")
    await ann.says(await ann.direct(bob), "hello again")
    await bob.call("receipts.delivered", conversation=await ann.direct(bob), seq=1)
    await ann.call("people.update", name="Ann")
    await bob.call("conversations.leave", conversation=room)


async def test_a_sound_node_is_found_sound(node: Node, lively: None) -> None:
    checked = await node.call("node.check")
    assert checked["clean"]
    of_plugins = [name for name in (check["name"] for check in checked["checks"]) if name.startswith("plugin ")]
    assert [check["name"] for check in checked["checks"]] == [*CHECKS, *of_plugins]


DAMAGE = {
    "foreign keys": "PRAGMA foreign_keys=OFF; UPDATE messages SET sender = 99 WHERE key = 1",
    "heads": "UPDATE conversations SET head = head + 1 WHERE kind = 'group'",
    "sequence numbers": "DELETE FROM messages WHERE seq = 1 AND conversation = 1",
    "log of messages": "DELETE FROM log WHERE kind = 'message.posted' AND subject = 2",
    "messages of the log": "DELETE FROM messages WHERE seq = 2",
    "marks": "UPDATE members SET read_seq = 9 WHERE conversation = 2",
    "mentions": "UPDATE mentions SET person = 3 - person",
    "counts": "UPDATE conversations SET messages = 7",
    "times": "UPDATE conversations SET last_at = 1",
    "times in order": "UPDATE messages SET at = 1 WHERE seq = 2; UPDATE conversations SET ordered_at = 0",
    "replies": "UPDATE messages SET replies = 3 WHERE seq = 1",
    "edits": "UPDATE messages SET edits = 2 WHERE seq = 1; INSERT INTO message_edits VALUES (9, 9, 1, 'x', 0)",
    "tombstones": "UPDATE messages SET deleted_at = 1 WHERE seq = 1",
    "floors": "INSERT INTO removals (at, rule, conversation, days, upto, counts) "
    "SELECT 1, 'messages', id, 1, 1, '{}' FROM conversations WHERE key = 1; "
    "DELETE FROM mentions WHERE conversation = 1 AND seq = 1; DELETE FROM messages WHERE conversation = 1 AND seq = 1",
    "activity": "UPDATE conversations SET activity = 3",
    "receipts": "INSERT INTO receipts VALUES (2, 1, 'read', 7, 1), (2, 77, 'delivered', 1, 1)",
    "presence": "UPDATE people SET erased_at = 1 WHERE handle = 'bob'; "
    "INSERT INTO presence (person, text) SELECT key, 'out for a walk' FROM people WHERE handle = 'bob'",
    "threads": "UPDATE messages SET thread = 2 WHERE seq = 1; UPDATE messages SET replies = 1 WHERE seq = 2",
    "owners": "UPDATE members SET role = 'member' WHERE role = 'owner'",
    "titles": "UPDATE conversations SET found_by = 'of another'",
    "replies in their conversation": "UPDATE messages SET reply_to = (SELECT r.id FROM messages r "
    "WHERE r.conversation <> messages.conversation LIMIT 1) WHERE seq = 1",
    "search": "INSERT INTO search_shards (above, upto) VALUES (1000, 1001)",
    "views": "ALTER TABLE conversations RENAME COLUMN idle_days TO idle",
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_damage_is_found_and_named(node: Node, lively: None, name: str) -> None:
    connection = sqlite3.connect(node.core.db.path)
    connection.executescript(DAMAGE[name])
    connection.close()
    checked = await node.call("node.check")
    problems = {check["name"]: check["problems"] for check in checked["checks"] if check["problems"]}
    assert not checked["clean"]
    assert name in problems, problems


@pytest.mark.parametrize("name", [*DERIVED, "search"])
async def test_what_is_derived_is_repaired(node: Node, ann: User, lively: None, name: str) -> None:
    connection = sqlite3.connect(node.core.db.path)
    connection.executescript(DAMAGE[name])
    connection.close()
    repaired = await node.call("node.repair")
    assert name in {each["name"] for each in repaired["repairs"]}
    assert repaired["clean"], repaired
    assert (await node.call("node.repair"))["repairs"] == []
    await ann.says(await ann.direct(ann), "it goes on")
    await assert_sound(node)


async def test_what_is_not_derived_is_not_made_up(node: Node, lively: None) -> None:
    connection = sqlite3.connect(node.core.db.path)
    connection.executescript(DAMAGE["threads"])
    connection.close()
    repaired = await node.call("node.repair")
    assert (repaired["repairs"], repaired["clean"]) == ([], False)


def test_every_check_has_a_damage_that_it_finds() -> None:
    assert set(CHECKS) - set(DAMAGE) == {"integrity"}  # tests/cli damages the file itself


async def test_only_who_runs_the_node_looks_into_it(node: Node, ann: User) -> None:
    root = await User.new(node, "root", admin=True)
    for command in ("node.address", "node.check", "node.statistics", "node.repair"):
        with refused("forbidden"):
            await ann.call(command)
        with refused("unauthenticated"):
            await Visitor(node).call(command)
        await root.call(command)


async def test_only_a_node_with_a_port_has_an_address(node: Node, nursery: trio.Nursery) -> None:
    assert "url" not in await node.call("node.address")
    url = await nursery.start(node.serve, "127.0.0.1:0")
    assert (await node.call("node.address"))["url"] == url
    nursery.cancel_scope.cancel()


async def test_statistics_count(node: Node, ann: User, bob: User, lively: None) -> None:
    found = await node.call("node.statistics")
    assert (found["people"], found["conversations"], found["messages"], found["live_sessions"]) == (2, 2, 3, 2)
    assert found["head"] == (await ann.posts(await ann.direct(bob), "one more"))["gid"] - 1
    assert found["epoch"] == node.core.epoch
    assert found["uptime_seconds"] >= 0


async def test_anybody_may_ask_what_this_is(node: Node) -> None:
    info = await Visitor(node).call("node.info")
    assert (info["name"], info["needs_setup"]) == ("chatnode", True)


# ---- health


async def test_a_node_is_well(node: Node) -> None:
    healthy, parts = await node.health()
    assert healthy
    assert {part: state["status"] for part, state in parts.items()} == dict.fromkeys(parts, "ok")


async def test_a_node_that_takes_no_writes_says_so_and_is_still_read(node: Node, ann: User) -> None:
    notes = await ann.direct(ann)
    await ann.says(notes, "kept")
    node.core.db.broken = "as in a test"
    healthy, parts = await node.health()
    assert not healthy
    assert (parts["writing"]["status"], parts["reading"]["status"]) == ("failing", "ok")
    with refused("unavailable"):
        await ann.says(notes, "lost")
    assert len((await ann.call("messages.list", conversation=notes))["messages"]) == 1


async def test_a_full_disk_is_told_until_there_is_space(node: Node, ann: User) -> None:
    """Nobody need write for that: after a write that found none, the question itself takes a little space."""
    notes = await ann.direct(ann)
    db = node.core.db

    def fill(tx: Transaction) -> None:
        (pages,) = tx.execute("PRAGMA page_count").fetchone()
        tx.execute(f"PRAGMA max_page_count={pages}")

    await db.write(fill)
    with refused("unavailable"):
        for _ in range(50):
            await ann.says(notes, "x" * 16_000)
    assert db.full
    await db.write(lambda tx: tx.execute("PRAGMA max_page_count=100000").fetchone())
    assert db.full
    assert (await node.health())[0]
    assert not db.full
    await ann.says(notes, "there is space")
    await assert_sound(node)


# ---- giving space back


async def test_unused_space_is_given_back(node: Node, ann: User) -> None:
    assert (await node.call("jobs.run", job="shrink"))["job"]["result"] == "little space is unused"
    db = node.core.db

    def fill(tx: Transaction) -> None:
        tx.execute("CREATE TABLE ballast (x)")
        tx.execute("CREATE TABLE small (x)")
        tx.execute(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
            "INSERT INTO small SELECT i FROM n"
        )
        tx.execute(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 800) "
            "INSERT INTO ballast SELECT randomblob(50000) FROM n"
        )

    await ann.says(await ann.direct(ann), "kept")
    await db.write(fill)
    await db.write(lambda tx: tx.execute("DROP TABLE ballast"))
    # Somebody who writes meanwhile is not made to wait …
    assert not await db.maintain(partial(maintenance.vacuum, wanted=lambda: True))
    before = (await db.read(file_statistics)).bytes
    # … and when nobody does it is done.
    assert (await node.call("jobs.run", job="shrink"))["job"]["result"].endswith(" MiB freed")
    assert (await db.read(file_statistics)).bytes < before / 4
    await ann.says(await ann.direct(ann), "it goes on")
    await assert_sound(node)


@pytest.mark.parametrize("config", [Config(logs=Logs(slow_ms=1), limits=Limits())])
async def test_a_slow_request_is_logged_with_whose_it_was(
    node: Node, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="chatnode.requests"):
        await node.call("node.check")
        while not (slow := [record for record in caplog.records if record.name == "chatnode.requests"]):
            await ann.call("people.list")
    fields = slow[0].fields
    assert fields["outcome"] == "ok"
    assert fields["ms"] >= 1
    assert fields.get("person") in ("operator", ann.id)


async def test_a_data_directory_that_was_moved_is_named(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data") as node:
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        _, parts = await node.health()
        (tmp_path / "elsewhere").rename(tmp_path / "data")
    assert parts["disk"]["reason"].startswith(f"{tmp_path / 'data'} was moved or deleted")


async def test_whoever_asks_for_health_may_go_away_at_any_time(node: Node) -> None:
    for steps in range(4):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.health)
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
    well, parts = await node.health()
    assert well, parts


async def test_what_raises_in_a_write_is_undone_alone(node: Node, ann: User) -> None:
    """Two writes share a commit; the one that is refused leaves nothing behind."""
    outcomes: list[str] = []

    async def make(handle: str) -> None:
        try:
            await node.call("people.create", handle=handle)
            outcomes.append("ok")
        except Refusal as refusal:
            outcomes.append(refusal.code)

    async with trio.open_nursery() as nursery:
        for handle in ("bob", "bob", "cy"):
            nursery.start_soon(make, handle)
    assert sorted(outcomes) == ["conflict", "ok", "ok"]
    await assert_sound(node)
