"""Retention: what the rules remove, what stays, the receipt, and that nothing is left in the files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatnode.config import Config, Retention
from chatnode.model.times import DAY_MS, now_ms
from chatnode.node import Node
from chatnode.services.forgetting import forget, prove_gone
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.privacy import retention, traces
from chatnode.storage.privacy.retention import texts_of_others
from chatnode.testing import User, refused
from tests.ageing import days_pass
from tests.services.dialogue import fill
from tests.storage import whole_index

SECRET = "the combination of the safe is 7 left 23 right 5 left"
OLD_SECRET = "the combination of the safe is 1 left 2 right 3 left"


async def run_retention(node: Node) -> str:
    job = (await node.call("jobs.run", job="retention"))["job"]
    assert job["ok"], job
    return job["result"]


async def removals(node: Node) -> list[dict[str, Any]]:
    return (await node.call("retention.list"))["removals"]


def written_ahead(node: Node) -> Path:
    return node.core.db.path.with_name(node.core.db.path.name + "-wal")


async def texts(who: User, conversation: str) -> list[str]:
    return [each["text"] for each in (await who.call("messages.list", conversation=conversation))["messages"]]


async def test_a_conversation_keeps_messages_as_long_as_it_says(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob, retention_days=30)
    other = await ann.group(bob)
    for conversation in (room, other):
        await ann.says(conversation, "old news")
    await days_pass(node, 31)
    await bob.says(room, "fresh news")
    assert await run_retention(node) == "1 message of 1 conversation removed, 0 conversations retired"
    assert await texts(bob, room) == ["fresh news"]
    assert await texts(bob, other) == ["old news"]
    assert await run_retention(node) == "0 messages of 0 conversations removed, 0 conversations retired"
    assert (await node.call("node.check"))["clean"]


async def test_a_message_of_exactly_the_age_stays_and_one_a_moment_older_goes(node: Node, ann: User) -> None:
    """`retention_days = 30` keeps what is up to 30 days old."""
    rooms = [await ann.group(retention_days=30) for _ in range(2)]
    for room in rooms:
        await ann.says(room, "old news")
    now = now_ms()
    for room, age in zip(rooms, (30 * DAY_MS, 30 * DAY_MS + 1), strict=True):
        sql = "UPDATE messages SET at = ? WHERE conversation = (SELECT key FROM conversations WHERE id = ?)"
        await node.core.db.write(lambda tx, at=now - age, room=room, sql=sql: tx.execute(sql, (at, room)))
    due = await node.core.db.read(lambda reader: retention.due(reader, now, 0, 0))
    assert [(each.id, each.before) for each in due] == [(rooms[1], now - 30 * DAY_MS)]
    everywhere = await node.core.db.read(lambda reader: retention.due(reader, now + 1, 0, 0))
    assert {each.id for each in everywhere} == set(rooms)
    kept = retention.Due(*await place(node, rooms[0]), "messages", 30, now - 30 * DAY_MS)
    assert await node.core.db.write(lambda tx: retention.trim(tx, kept, 10)) is None
    gone = retention.Due(*await place(node, rooms[1]), "messages", 30, now - 30 * DAY_MS)
    removed = await node.core.db.write(lambda tx: retention.trim(tx, gone, 10))
    assert removed is not None
    assert removed.messages == 1


async def place(node: Node, conversation: str) -> tuple[int, str]:
    sql = "SELECT key, id FROM conversations WHERE id = ?"
    return await node.core.db.read(lambda reader: reader.execute(sql, (conversation,)).fetchone())


async def test_a_conversation_counts_what_is_left(node: Node, ann: User) -> None:
    """Also when some of what goes, and of what stays, was deleted before."""
    room = await ann.group(retention_days=30)
    old = [await ann.says(room, f"old {number}") for number in range(5)]
    await ann.call("messages.delete", message=old[1])
    await days_pass(node, 31)
    new = [await ann.says(room, f"new {number}") for number in range(4)]
    await ann.call("messages.delete", message=new[2])
    await run_retention(node)
    count = "SELECT messages FROM conversations WHERE id = ?"
    assert await node.core.db.read(lambda reader: reader.execute(count, (room,)).fetchone()) == (3,)
    assert (await node.call("node.check"))["clean"]


async def test_what_was_removed_is_gone_from_tables_log_and_files(node: Node, ann: User, bob: User, eve: User) -> None:
    """With everything that hangs on it: versions, mentions, receipts, reports."""
    room = await ann.group(bob, eve, retention_days=30)
    message = await ann.says(room, f"{OLD_SECRET} @bob")
    await ann.call("messages.edit", message=message, text=SECRET)
    await bob.call("receipts.read", conversation=room, seq=1)
    await bob.call("messages.report", message=message, reason="other", note="not for here")
    await bob.says(room, "so it is", thread=message)
    await days_pass(node, 31)
    await ann.says(room, "good morning")
    assert traces.found(node.core.db.path, [SECRET, OLD_SECRET]) == [SECRET, OLD_SECRET]

    await run_retention(node)
    (receipt,) = await removals(node)
    assert receipt["conversation"] == room
    assert (receipt["rule"], receipt["days"], receipt["upto"]) == ("messages", 30, 2)
    assert receipt["counts"] == {
        "messages": 2, "message_edits": 1, "mentions": 1, "receipts": 4, "reports": 1, "log": 2,
    }  # fmt: skip
    assert (receipt["probes"], receipt["traces"]) == (2, 0)
    assert receipt["proved_at"] >= receipt["at"]
    assert traces.found(node.core.db.path, [SECRET, OLD_SECRET]) == []

    with refused("not_found"):
        await bob.call("messages.get", message=message)
    assert (await node.call("node.check"))["clean"]


async def test_a_text_that_somebody_else_said_too_proves_nothing(node: Node, ann: User, bob: User) -> None:
    room, talk = await ann.group(bob, retention_days=30), await ann.direct(bob)
    await ann.says(room, SECRET)
    await ann.says(room, OLD_SECRET)
    await days_pass(node, 31)
    await bob.says(talk, f"as I said: {SECRET}")
    await run_retention(node)
    (receipt,) = await removals(node)
    assert (receipt["probes"], receipt["traces"]) == (1, 0)


async def test_counts_and_numbers_go_on_after_everything_was_removed(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob, retention_days=1)
    for text in ("one @bob", "two", "three"):
        await ann.says(room, text)
    await days_pass(node, 2)
    await run_retention(node)
    (entry,) = (await bob.call("inbox.list"))["conversations"]
    assert (entry["head"], entry["first"], entry["unread"], entry["mentions"]) == (3, 4, 0, 0)
    assert "last" not in entry
    assert (await ann.posts(room, "four"))["seq"] == 4
    assert await texts(bob, room) == ["four"]
    with refused("not_found", "reply_to"):
        gone = "0" * 32
        await bob.says(room, "five", reply_to=gone)
    assert (await node.call("node.check"))["clean"]


async def test_many_messages_go_in_steps(node: Node, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode.services.retention.STEP", 3)
    room = await ann.group(retention_days=1)
    for number in range(8):
        await ann.says(room, f"message {number}")
    await days_pass(node, 2)
    await ann.says(room, "stays")
    await run_retention(node)
    assert await texts(ann, room) == ["stays"]
    (receipt,) = await removals(node)
    assert receipt["counts"]["messages"] == 8


@pytest.mark.parametrize("days", [0, 400])
async def test_who_may_not_manage_a_group_does_not_set_what_it_keeps(ann: User, bob: User, days: int) -> None:
    room = await ann.group(bob, retention_days=30)
    with refused("forbidden"):
        await bob.call("conversations.update", conversation=room, retention_days=days)
    await ann.call("conversations.update", conversation=room, retention_days=0)
    assert "retention_days" not in (await bob.call("conversations.get", conversation=room))["conversation"]


async def test_what_was_removed_does_not_come_back_with_its_archive(node: Node, ann: User) -> None:
    brought = {"source": "zulip", "key": "garden", "title": "garden"}
    garden = (await node.call("import.conversation", **brought))["conversation"]
    items = [{"cid": "old-1", "author": "Grace Hopper", "text": "a moth", "at": now_ms() - 90 * DAY_MS}]
    for present in (0, 1):
        done = await node.call("import.messages", conversation=garden, source="zulip", items=items)
        assert done["present"] == present

    def set_days(tx: Transaction) -> None:
        tx.execute("UPDATE conversations SET retention_days = 30")

    await node.core.db.write(set_days)
    await run_retention(node)
    assert await texts(ann, garden) == []
    done = await node.call("import.messages", conversation=garden, source="zulip", items=items)
    assert done == {"imported": 0, "present": 0, "removed": 1, "failed": []}
    assert await texts(ann, garden) == []
    assert (await node.call("node.check"))["clean"]


async def test_by_default_a_conversation_is_kept_in_inboxes_for_a_year_after_it_was_closed(
    node: Node, ann: User, bob: User
) -> None:
    """Nothing is removed from it: it can be read, and opened again."""
    talk, other = await ann.direct(bob), await ann.group(bob)
    await ann.says(talk, "done, thank you")
    await ann.call("conversations.close", conversation=talk)
    await days_pass(node, 364)
    assert await run_retention(node) == "0 messages of 0 conversations removed, 0 conversations retired"
    await days_pass(node, 2)
    assert await run_retention(node) == "0 messages of 0 conversations removed, 1 conversation retired"
    assert [each["conversation"] for each in (await bob.call("inbox.list"))["conversations"]] == [other]
    for active, conversation in ((False, talk), (True, other)):
        asked = {"is_active": {"_eq": active}}
        rows = (await bob.call("items.query", collection="conversations", filter=asked))["data"]
        assert [row["conversation_id"] for row in rows] == [conversation]
    assert await texts(bob, talk) == ["done, thank you"]
    await bob.call("conversations.reopen", conversation=talk)
    assert len((await ann.call("inbox.list"))["conversations"]) == 2


class TestWithRulesForAll:
    @pytest.fixture
    def config(self) -> Config:
        return Config(retention=Retention(message_days=10, closed_days=100, purge_days=200))

    async def test_the_shorter_rule_counts(self, node: Node, ann: User, bob: User) -> None:
        short, long = await ann.group(bob, retention_days=5), await ann.group(bob, retention_days=50)
        for room in (short, long):
            await ann.says(room, "old")
        await days_pass(node, 6)
        await run_retention(node)
        assert (await texts(ann, short), await texts(ann, long)) == ([], ["old"])
        await days_pass(node, 5)
        await run_retention(node)
        assert await texts(ann, long) == []

    async def test_what_was_closed_leaves_the_inbox_and_then_loses_its_messages(
        self, node: Node, ann: User, bob: User
    ) -> None:
        talk = await ann.direct(bob)
        await ann.call("conversations.close", conversation=talk, reason="completed")
        await days_pass(node, 101)
        assert await run_retention(node) == "0 messages of 0 conversations removed, 1 conversation retired"
        assert (await bob.call("inbox.list"))["conversations"] == []
        assert (await bob.call("conversations.get", conversation=talk))["conversation"]["inactive_at"]

        await bob.call("conversations.reopen", conversation=talk)
        await bob.says(talk, "one more thing")
        assert len((await ann.call("inbox.list"))["conversations"]) == 1
        await bob.call("conversations.close", conversation=talk)

        def say_it_was_long_ago(tx: Transaction) -> None:
            tx.execute("UPDATE conversations SET closed_at = closed_at - ?", (201 * DAY_MS,))

        await node.core.db.write(say_it_was_long_ago)
        await run_retention(node)
        assert await texts(bob, talk) == []
        (receipt,) = await removals(node)
        assert (receipt["rule"], receipt["days"]) == ("closed", 200)


async def test_receipts_are_for_operators(node: Node, ann: User) -> None:
    with refused("forbidden"):
        await ann.call("retention.list")
    root = await User.new(node, "root", admin=True)
    assert (await root.call("retention.list"))["removals"] == []


async def test_the_search_index_forgets_what_retention_removes(node: Node, ann: User, bob: User) -> None:
    """Words stand in the index one by one, so that its tables are asked, beside the bytes of the files."""
    room, other = await ann.group(bob, retention_days=30), await ann.group(bob)
    await ann.says(room, "the wallpaper hides a bricked-up doorway")
    await ann.says(other, "nice wallpaper")
    await node.core.db.write(whole_index.rebuild)
    await days_pass(node, 31)
    assert b"bricked" in node.core.db.path.read_bytes() + written_ahead(node).read_bytes()

    await run_retention(node)
    (receipt,) = await removals(node)
    assert (receipt["probes"], receipt["traces"]) == (1, 0)
    for word, messages in (("bricked", 0), ("wallpaper", 1)):
        assert await node.core.db.read(partial(whole_index.occurrences, word=word)) == messages
    assert b"bricked" not in node.core.db.path.read_bytes()
    hits = (await bob.call("search.messages", query="wallpaper"))["results"]
    assert [hit["message"]["text"] for hit in hits] == ["nice wallpaper"]
    assert (await node.call("node.check"))["clean"]


async def test_a_proof_finds_words_that_stayed_in_the_index(node: Node, ann: User) -> None:
    """Here somebody kept the index from noticing."""
    room = await ann.group()
    message = await ann.says(room, SECRET)
    await node.core.db.write(whole_index.rebuild)
    await ann.call("messages.delete", message=message)
    await node.core.db.write(lambda tx: tx.execute("DELETE FROM search_changed"))
    looked = await prove_gone(node.core, [SECRET, OLD_SECRET], texts_of_others)
    assert (looked.found, looked.cleaned.complete) == ([SECRET], True)


async def test_what_is_deleted_for_all_or_edited_is_forgotten(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    deleted, edited = [await ann.says(talk, text) for text in (SECRET, OLD_SECRET)]
    await node.core.db.write(whole_index.rebuild)
    await ann.call("messages.delete", message=deleted)
    await ann.call("messages.edit", message=edited, text="never mind")
    assert await node.core.db.read(partial(whole_index.occurrences, word="combination")) == 2
    assert (await forget(node.core)).complete
    assert await node.core.db.read(partial(whole_index.occurrences, word="combination")) == 0
    looked = await prove_gone(node.core, [SECRET, OLD_SECRET], texts_of_others)
    assert (looked.found, looked.elsewhere) == ([], [OLD_SECRET]), "versions of an edited message are kept"


async def test_copies_that_a_page_kept_go_too(node: Node, ann: User) -> None:
    """When rows move to another page their bytes stay in the old one, and `secure_delete` does not know of them.

    Whether some stay depends on where SQLite puts the rows; with the proof none do.
    """
    room = await ann.group()
    await fill(ann, room, "hello", 600)
    texts = [f"{seq:06d} {SECRET}{'!' * (seq * 37 % 200)}" for seq in range(1, 601)]

    def write(tx: Transaction) -> None:
        for seq, text in enumerate(texts, start=1):
            tx.execute("UPDATE messages SET text = ? WHERE seq = ?", (text, seq))
        tx.execute("UPDATE messages SET text = text || text WHERE seq % 5 = 0")
        tx.execute("UPDATE messages SET text = '', deleted_at = 1")

    await node.core.db.write(write)
    looked = await prove_gone(node.core, texts, texts_of_others)
    assert (looked.found, looked.cleaned.complete) == ([], True)
    assert not traces.found(node.core.db.path, texts)
