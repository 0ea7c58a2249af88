"""Listing, reading, sending, and what becomes of notifications."""

from __future__ import annotations

from typing import Any

import chatnode_notifications
import chatnode_notifications.items.adding as adding
import pytest
from chatnode_notifications.items.upkeep import remove_old
from chatnode_notifications.notes import NewItem, notes_of

from chatnode.api import DAY_MS, RestoreNote, Transaction
from chatnode.node import Node
from chatnode.testing import LiveUser, User, refused
from tests.plugins.notifications.telling import (
    MINUTE,
    context,
    decide,
    listed,
    register,
    tell,
    told,
    waiting,
)
from tests.plugins.sql import change, rows


async def test_pages_newest_first(node: Node, amy: User, ben: User) -> None:
    for number in range(5):
        await node.call("notifications.send", person="ben", title=f"note {number}")
    first = await ben.call("notifications.list", limit=2)
    assert ([each["title"] for each in first["notifications"]], first["unread"]) == (["note 4", "note 3"], 5)
    second = await ben.call("notifications.list", limit=2, after=first["next"])
    third = await ben.call("notifications.list", limit=2, after=second["next"])
    assert [each["title"] for each in third["notifications"]] == ["note 0"]
    assert "next" not in third
    with refused("invalid", "after"):
        await ben.call("notifications.list", after="x")


async def test_reading_by_hand(node: Node, ben: User, amy: User) -> None:
    for number in range(4):
        await node.call("notifications.send", person="ben", title=f"note {number}")
    ids = [each["notification"] for each in await listed(ben)]
    assert await ben.call("notifications.read", ids=[ids[0], "0" * 32]) == {"read": 1, "unread": 3}
    assert await ben.call("notifications.read", ids=[ids[0]]) == {"read": 0, "unread": 3}
    assert await amy.call("notifications.read", ids=ids) == {"read": 0, "unread": 0}
    assert await ben.call("notifications.read", upto=ids[2]) == {"read": 2, "unread": 1}
    assert [each["title"] for each in await listed(ben, unread=True)] == ["note 2"]
    with refused("not_found", "upto"):
        await amy.call("notifications.read", upto=ids[2])
    with refused("invalid", "ids"):
        await ben.call("notifications.read")
    with refused("invalid", "upto"):
        await ben.call("notifications.read", upto=ids[0], ids=ids)


async def test_reading_the_conversation_reads_its_notifications(node: Node, amy: User, ben: User) -> None:
    talk, other = await amy.direct(ben), await amy.group(ben)
    await amy.says(talk, "one")
    await amy.says(other, "@ben two")
    await tell(node)
    await ben.does("receipts.read", conversation=talk, seq=1)
    await decide(node)
    assert [(each["body"], "read_at" in each) for each in await listed(ben)] == [("@ben two", False), ("one", True)]
    await ben.does("receipts.read_all")
    await decide(node)
    assert (await ben.call("notifications.list"))["unread"] == 0


async def test_sending(node: Node, amy: User, bob: LiveUser) -> None:
    sent = await node.call("notifications.send", person="bob", title="Backup", body="It is done.", url="/plugins")
    again = await node.call("notifications.send", person="bob", title="Backup")
    assert not sent["dup"]
    assert again["notification"] != sent["notification"]
    first = await node.call("notifications.send", person="bob", title="Once", cid="job-7")
    repeat = await node.call("notifications.send", person="bob", title="Once more", cid="job-7")
    other = await node.call("notifications.send", person="amy", title="Once", cid="job-7")
    assert (first["dup"], repeat) == (False, {"notification": first["notification"], "dup": True})
    assert not other["dup"]
    found = (await listed(bob))[-1]
    assert (found["kind"], found["title"], found["body"], found["url"]) == (
        "system",
        "Backup",
        "It is done.",
        "/plugins",
    )
    assert "conversation" not in found
    assert (await bob.hears("notification.added"))["notification"]["title"] == "Backup"
    with refused("forbidden"):
        await amy.call("notifications.send", person="bob", title="Spam")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "/\\evil.example", "https://", "mail", "http://["]
)
async def test_links_lead_to_the_web(node: Node, ben: User, url: str) -> None:
    with refused("invalid", "url"):
        await node.call("notifications.send", person="ben", title="Look", url=url)


async def test_who_cannot_be_notified(node: Node, ben: User) -> None:
    await node.call("people.create", handle="robot", bot=True)
    with refused("invalid", "person"):
        await node.call("notifications.send", person="robot", title="Hello")
    with refused("not_found", "person"):
        await node.call("notifications.send", person="nobody", title="Hello")
    await node.call("people.deactivate", person="ben")
    with refused("forbidden"):
        await node.call("notifications.send", person="ben", title="Hello")


class Followed:
    """A transport that remembers what it is handed."""

    def __init__(self) -> None:
        self.items: list[NewItem] = []

    def __call__(self, tx: Transaction, items: Any) -> None:
        assert tx.execute("SELECT count(*) FROM notifications_items").fetchone()[0]
        self.items += items


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> Followed:
    found = Followed()
    monkeypatch.setattr(adding, "_followers", (found,))
    return found


async def test_transports_are_handed_what_is_due(node: Node, amy: User, ben: User, followed: Followed) -> None:
    await amy.says(await amy.direct(ben), "hello")
    await tell(node)
    (item,) = followed.items
    assert (item.person, item.personal, item.conversation is not None) == (ben.key, True, True)
    await node.call("notifications.send", person="ben", title="Note")
    assert len(followed.items) == 1
    await tell(node)
    assert [each.conversation for each in followed.items[1:]] == [None]


async def test_a_pause_holds_back_what_is_sent(node: Node, ben: User, followed: Followed) -> None:
    await ben.does("notifications.settings.set", quiet=[{"begins": "00:00", "ends": "00:00"}])
    await node.call("notifications.send", person="ben", title="Note")
    await node.call("notifications.send", person="ben", title="Read at once")
    await tell(node, ahead_seconds=3_600)
    assert followed.items == []
    assert [each["title"] for each in await listed(ben)] == ["Read at once", "Note"]  # it is listed all the same
    await ben.does("notifications.read", ids=[(await listed(ben))[0]["notification"]])
    await change(node, "UPDATE notifications_items SET created_at = created_at - 7200000")
    await ben.does("notifications.settings.set", quiet=[])
    await tell(node)
    ((key, created_at),) = await rows(
        node, "SELECT key, created_at FROM notifications_items WHERE title = 'Note' AND due_at IS NULL"
    )
    assert [(each.key, each.created_at) for each in followed.items] == [(key, created_at)]  # as new


# ---- notes


async def test_notes_say_what_is_there_now(node: Node, amy: User, ben: User) -> None:
    group = await amy.group(ben, title="Garden", history="all")
    message = await amy.says(group, "@ben hello " + "x" * 600)
    await tell(node)
    await node.call("notifications.send", person="ben", title="Note", body="text", url="https://a.example/b")
    keys = [key for (key,) in await rows(node, "SELECT key FROM notifications_items ORDER BY key")]

    async def notes() -> dict[int, Any]:
        return await node.core.db.read(lambda reader: notes_of(reader, keys, "https://chat.example"))

    found = await notes()
    first, second = found[keys[0]], found[keys[1]]
    assert (first.title, len(first.body), first.kind, first.personal, first.silent) == (
        "amy · Garden", 500, "mention", True, False,
    )  # fmt: skip
    assert (first.message, first.conversation, first.url) == (
        message, group, f"https://chat.example/?conversation={group}&message={message}",
    )  # fmt: skip
    assert (second.title, second.body, second.sender, second.url) == ("Note", "text", None, "https://a.example/b")
    await ben.does("conversations.settings", conversation=group, sounds=False)
    assert (await notes())[keys[0]].silent

    async def is_told() -> bool:
        return keys[0] in await notes()

    await ben.does("conversations.settings", conversation=group, notify="none")
    assert not await is_told()
    await ben.does("conversations.settings", conversation=group, notify="mentions")
    assert await is_told()
    await ben.does("conversations.settings", conversation=group, muted_until="2096-01-01T00:00:00Z")
    assert not await is_told()
    await ben.does("notifications.settings.set", mentions_through_mute=True)
    assert await is_told()
    await ben.does("people.block", person="amy")
    assert not await is_told()
    await ben.does("people.unblock", person="amy")
    await amy.does("conversations.members.remove", conversation=group, member="ben")
    assert not await is_told()
    await amy.does("conversations.members.add", conversation=group, member="ben")
    assert not await is_told()  # for a new member, everything counts as read
    await change(node, "UPDATE members SET read_seq = 0")
    assert await is_told()
    await ben.does("receipts.read", conversation=group, seq=1)
    assert not await is_told()  # before the consumer has marked it
    await change(node, "UPDATE members SET read_seq = 0")
    await amy.does("messages.delete", message=message)
    assert not await is_told()
    await node.call("people.deactivate", person="ben")
    assert await notes() == {}


# ---- several messages


async def erases(node: Node, ben: User, cay: User, message: str) -> None:
    await node.call("people.erase", person="cay", handle="cay")


async def deletes(node: Node, ben: User, cay: User, message: str) -> None:
    await cay.does("messages.delete", message=message)


async def blocks(node: Node, ben: User, cay: User, message: str) -> None:
    await ben.does("people.block", person="cay")


@pytest.mark.parametrize("goes", [deletes, blocks, erases], ids=lambda each: each.__name__)
async def test_the_others_stay_when_the_newest_is_gone(node: Node, amy: User, ben: User, goes: Any) -> None:
    cay = await User.new(node, "cay")
    await register(node, ben)
    group = await amy.group(ben, cay, title="Garden")
    mention = await amy.says(group, "@ben the server is on fire")
    small_talk = await cay.says(group, "lol")
    await tell(node)
    assert await told(ben) == [("mention", "lol", 2)]
    await goes(node, ben, cay, small_talk)
    await decide(node)
    (found,) = await listed(ben)
    assert (found["kind"], found["title"], found["body"]) == ("mention", "amy · Garden", "@ben the server is on fire")
    assert (found["message"], found["seq"], found["count"], found["personal"]) == (mention, 1, 1, True)
    (row,) = (await ben.call("items.query", collection="chat_notifications"))["data"]
    assert (row["message_id"], row["message_count"], row["reason"]) == (mention, 1, "mention")
    (note,) = (await all_notes(node)).values()
    assert (note.body, note.count, note.kind, note.personal) == (found["body"], 1, "mention", True)
    await amy.does("messages.delete", message=mention)
    assert await told(ben) == []
    assert await all_notes(node) == {}
    await node.call("jobs.run", job="notifications.remove_old")
    assert await rows(node, "SELECT 1 FROM notifications_items") == ([] if goes is not blocks else [(1,)])


async def all_notes(node: Node) -> dict[int, Any]:
    keys = [key for (key,) in await rows(node, "SELECT key FROM notifications_items ORDER BY key")]
    return await node.core.db.read(lambda reader: notes_of(reader, keys, "https://chat.example"))


async def test_it_rings_for_what_is_left(node: Node, amy: User, ben: User) -> None:
    """Without the mention, it is small talk."""
    await register(node, ben)
    group = await amy.group(ben, title="Garden")
    mention = await amy.says(group, "@ben wrong room")
    await amy.says(group, "lol")
    await tell(node)
    assert (await all_notes(node)).popitem()[1].personal
    await ben.does("receipts.read", conversation=group, seq=1)
    assert [(note.kind, note.count) for note in (await all_notes(node)).values()] == [("message", 1)]
    await change(node, "UPDATE members SET read_seq = 0 WHERE person = ?", ben.key)
    await amy.does("messages.delete", message=mention)
    assert [(each["kind"], each["personal"], each["count"]) for each in await listed(ben)] == [("message", False, 1)]
    assert [(note.kind, note.personal) for note in (await all_notes(node)).values()] == [("message", False)]
    await ben.does("conversations.settings", conversation=group, notify="mentions")
    assert await all_notes(node) == {}


async def test_clients_learn_what_is_left(node: Node, amy: User, bob: LiveUser) -> None:
    await register(node, bob)
    group = await amy.group(bob)
    await amy.says(group, "@bob one")
    two, three = await amy.says(group, "two"), await amy.says(group, "three")
    await tell(node, ahead_seconds=MINUTE)
    await amy.does("messages.delete", message=three)
    await decide(node)
    assert [each["notification"]["body"] for each in bob.heard("notification.added")] == ["three", "two"]
    await bob.does("receipts.read", conversation=group, seq=2)
    await decide(node)
    (found,) = await listed(bob)
    assert (found["count"], "read_at" in found) == (2, True)
    await amy.does("messages.delete", message=two)
    await decide(node)
    assert bob.heard("notification.added")[-1]["notification"]["body"] == "@bob one"


async def test_what_is_left_was_read_before(node: Node, amy: User, ben: User) -> None:
    await register(node, ben)
    group = await amy.group(ben)
    await amy.says(group, "@ben one")
    two = await amy.says(group, "two")
    await tell(node)
    await ben.does("receipts.read", conversation=group, seq=1)
    await decide(node)
    assert (await ben.call("notifications.list"))["unread"] == 1
    await amy.does("messages.delete", message=two)
    await decide(node)
    assert (await ben.call("notifications.list"))["unread"] == 0


# ---- the collection


async def test_the_collection_in_the_usual_names(node: Node, amy: User, ben: User) -> None:
    await register(node, ben)
    await register(node, ben, label="tablet")
    message = await amy.says(await amy.direct(ben), "hello")
    await tell(node)
    (found,) = (await ben.call("items.query", collection="chat_notifications"))["data"]
    assert found | {"created_at": "", "notification_id": ""} == {
        "notification_id": "", "conversation_id": (await listed(ben))[0]["conversation"], "message_id": message,
        "recipient_id": ben.id, "sender_id": amy.id, "notification_type": "MESSAGE", "reason": "direct", "title": "amy",
        "body": "hello", "message_count": 1, "is_sent": False, "sent_at": None, "is_read": False, "read_at": None,
        "device_tokens": ["phone", "tablet"], "delivery_status": "PENDING", "error_message": None, "created_at": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("states", "status", "sent"),
    [
        (["sent", "sent"], "SENT", True),
        (["sent", "pending"], "PENDING", True),
        (["pending", "failed"], "FAILED", False),
        (["sent", "expired"], "FAILED", True),
        (["failed", "bounced"], "BOUNCED", False),
        (["suppressed", "suppressed"], "SENT", False),
    ],
)
async def test_the_worst_of_the_deliveries(
    node: Node, amy: User, ben: User, states: list[str], status: str, sent: bool
) -> None:
    await register(node, ben)
    await register(node, ben, label="tablet")
    await node.call("notifications.send", person="ben", title="Note")
    for label, state in zip(("phone", "tablet"), states, strict=True):
        await change(
            node, "INSERT INTO notifications_deliveries (item, registration, state, due_at, sent_at, error) "
            "SELECT i.key, r.key, ?, 1, CASE WHEN ? = 'sent' THEN 5 END, 'why ' || ? FROM notifications_items i, "
            "notifications_registrations r WHERE r.label = ?", state, state, state, label,
        )  # fmt: skip
    query = {"delivery_status": {"_eq": status}, "is_sent": {"_eq": sent}}
    (found,) = (await ben.call("items.query", collection="chat_notifications", filter=query))["data"]
    assert sorted(found["device_tokens"]) == ["phone", "tablet"]
    assert found["error_message"] is not None
    assert (found["sent_at"] is not None) == sent


@pytest.mark.parametrize(
    ("state", "status"), [(None, "PENDING"), ("pending", "PENDING"), ("sent", "SENT"), ("failed", "FAILED")]
)
async def test_a_mail_is_a_delivery_too(node: Node, ben: User, state: str | None, status: str) -> None:
    await node.call("notifications.send", person="ben", title="Note")
    if state is not None:
        await change(
            node, "INSERT INTO notifications_mails (key, id, person, kind, state, made_at, due_at, ended_at, error) "
            "VALUES (1, 'a', ?, 'instant', ?, 1, 1, 5, CASE WHEN ? = 'failed' THEN 'no such host' END)",
            ben.key, state, state,
        )  # fmt: skip
    await change(
        node, "INSERT INTO notifications_mail_items (item, person, conversation, mail, first_at, last_at) "
        "SELECT key, person, 0, ?, 1, 1 FROM notifications_items", 1 if state is not None else None,
    )  # fmt: skip
    (found,) = (await ben.call("items.query", collection="chat_notifications"))["data"]
    assert (found["delivery_status"], found["is_sent"]) == (status, state == "sent")
    assert (found["sent_at"] is not None) == (state == "sent")
    assert found["error_message"] == ("no such host" if state == "failed" else None)


# ---- upkeep


async def test_old_ones_are_removed(node: Node, ben: User) -> None:
    for title, age, read in (
        ("new", 1, None),
        ("read", 95, 91),
        ("read later", 95, 89),
        ("unread", 366, None),
        ("kept", 364, None),
    ):
        await node.call("notifications.send", person="ben", title=title)
        await change(
            node,
            "UPDATE notifications_items SET created_at = created_at - ?, read_at = created_at - ? WHERE title = ?",
            age * DAY_MS, read * DAY_MS if read else None, title,
        )  # fmt: skip
    await change(
        node,
        "INSERT INTO notifications_deliveries (item, registration, due_at) SELECT key, 1, 0 FROM notifications_items",
    )
    assert await remove_old(context(node)) == "2 notifications removed"
    assert [title for (title,) in await rows(node, "SELECT title FROM notifications_items ORDER BY key")] == [
        "new", "read later", "kept",
    ]  # fmt: skip
    assert await rows(node, "SELECT count(*) FROM notifications_deliveries") == [(3,)]
    assert await remove_old(context(node)) is None


async def test_after_a_restore_nothing_that_was_pending_is_told(node: Node, amy: User, ben: User) -> None:
    await register(node, ben)
    await amy.says(await amy.direct(ben), "hello")
    await decide(node)
    await node.call("notifications.send", person="ben", title="Note")
    await change(
        node,
        "INSERT INTO notifications_deliveries (item, registration, due_at) SELECT key, 1, 0 FROM notifications_items",
    )
    restored = chatnode_notifications.chatnode_plugin().after_restore
    assert restored is not None
    await node.core.db.write(lambda tx: restored(tx, RestoreNote(0, ())))
    assert await waiting(node) == []
    assert await rows(node, "SELECT state FROM notifications_deliveries") == [("expired",)]
    assert await rows(node, "SELECT due_at FROM notifications_items") == [(None,)]


async def export_of(user: User) -> str:
    """All pages."""
    page = await user.call("people.export")
    found = [page["entries"]]
    while "next" in page:
        page = await user.call("people.export", after=page["next"])
        found.append(page["entries"])
    return str(found)


async def test_what_is_erased_takes_its_notifications_along(node: Node, amy: User, ben: User) -> None:
    cay = await User.new(node, "cay")
    await amy.says(await amy.direct(ben), "from amy")
    await ben.says(await ben.direct(cay), "from ben")
    await cay.says(await cay.direct(ben), "from cay")
    await ben.does("notifications.settings.set", zone="Europe/Paris")
    await register(node, ben)
    await tell(node)
    exported = await export_of(ben)
    assert "Europe/Paris" in exported
    assert "ntfy.example" not in exported
    await node.call("people.erase", person="amy", handle="amy")
    assert [body for _, body, _ in await told(ben)] == ["from cay"]
    await node.call("people.erase", person="ben", handle="ben")
    for table in ("people", "registrations", "items", "bundles"):
        assert await rows(node, f"SELECT 1 FROM notifications_{table}") == []


async def test_figures_for_operators(node: Node, amy: User, bob: LiveUser) -> None:
    await register(node, bob)
    await amy.says(await amy.direct(bob), "hello")
    await decide(node)
    await node.call("notifications.send", person="bob", title="Note")
    assert await node.call("notifications.stats") == {
        "waiting": 1, "oldest_due_seconds": 0, "fanouts": 0, "notifications": 1, "unread": 1, "deliveries": {},
        "registrations": {"ntfy.active": 1},
    }  # fmt: skip
    probe = chatnode_notifications.chatnode_plugin().health
    assert probe is not None
    assert (await probe(context(node))).items() >= {"waiting": 1, "oldest_due_seconds": 0, "pending": 0}.items()
    with refused("forbidden"):
        await amy.call("notifications.stats")
