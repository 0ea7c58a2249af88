"""No word of a message reaches anybody who may not see it: not in lists, the collection, events or notes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from chatnode_notifications.notes import notes_of

from chatnode.node import Node
from chatnode.storage.log import plugin_log
from chatnode.testing import LiveUser, User
from tests.plugins.notifications.telling import register, tell
from tests.plugins.sql import rows

CANARY = "c4n4ry"


async def seen_by(node: Node, user: User) -> str:
    """Everything that a user can get of notifications, by any way."""
    found: list[Any] = [
        await user.call("notifications.list", limit=100),
        await user.call("items.query", collection="chat_notifications"),
        await user.call("items.query", collection="chat_notifications", filter={"body": {"_contains": CANARY}}),
        await user.call(
            "items.query",
            collection="chat_notifications",
            group_by="sender_id",
            filter={"title": {"_contains": "Vault"}},
        ),
    ]
    events, _ = await node.core.db.read(lambda reader: plugin_log.events_for(reader, user.key, 0, 500))
    found += [each for each in events if each["event"].startswith("notification")]
    keys = [key for (key,) in await rows(node, "SELECT key FROM notifications_items WHERE person = ?", user.key)]
    notes = await node.core.db.read(lambda reader: notes_of(reader, keys, "https://chat.example"))
    return orjson.dumps(found, default=str).decode() + repr(notes)


def knows(text: str) -> bool:
    return CANARY in text or "Vault" in text


async def leaves(amy: User, ben: User, group: str, message: str) -> None:
    await ben.does("conversations.leave", conversation=group)


async def is_removed(amy: User, ben: User, group: str, message: str) -> None:
    await amy.does("conversations.members.remove", conversation=group, member=ben.handle)


async def blocks(amy: User, ben: User, group: str, message: str) -> None:
    await ben.does("people.block", person=amy.handle)


async def is_deleted(amy: User, ben: User, group: str, message: str) -> None:
    await amy.does("messages.delete", message=message)


async def is_erased(amy: User, ben: User, group: str, message: str) -> None:
    await amy.node.call("people.erase", person=amy.handle, handle=amy.handle)


Changes = Callable[[User, User, str, str], Awaitable[None]]
CHANGES: tuple[Changes, ...] = (leaves, is_removed, blocks, is_deleted, is_erased)


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("when", ["before it is decided", "before it is due", "afterwards"])
async def test_nothing_is_left_to_see(node: Node, amy: User, bob: LiveUser, change: Changes, when: str) -> None:
    await register(node, bob)
    group = await amy.group(bob, title="Vault")
    message = await amy.says(group, f"@bob {CANARY}")
    if when == "before it is decided":
        await change(amy, bob, group, message)
    await tell(node)
    if when == "before it is due":
        await change(amy, bob, group, message)
    await tell(node, ahead_seconds=60)
    if when == "afterwards":
        assert knows(await seen_by(node, bob))
        assert any(CANARY in str(each) for each in bob.heard("notification.added"))
        await change(amy, bob, group, message)
        await tell(node, ahead_seconds=60)
    else:
        assert bob.heard("notification.added") == []
    text = await seen_by(node, bob)
    assert CANARY not in text
    if change is not is_deleted:  # the place of a deleted message stays
        assert not knows(text)


async def test_nobody_else_is_told(node: Node, amy: User, bob: LiveUser, eve: LiveUser) -> None:
    """Those who are in no conversation with it, and those who joined later and see no history."""
    await register(node, bob, eve)
    group = await amy.group(bob, title="Vault", history="since_joining")
    await amy.says(group, f"@bob @eve {CANARY}")
    await amy.does("conversations.members.add", conversation=group, member="eve")
    await tell(node, ahead_seconds=60)
    assert knows(await seen_by(node, bob))
    assert not knows(await seen_by(node, eve))
    assert eve.heard("notification.added") == []
    talk = await amy.direct(bob)
    await amy.says(talk, CANARY)
    await tell(node, ahead_seconds=120)
    assert not knows(await seen_by(node, eve))
    assert not knows(await seen_by(node, amy))


async def test_operators_see_numbers_only(node: Node, amy: User, bob: LiveUser) -> None:
    await amy.says(await amy.direct(bob), CANARY)
    await tell(node, ahead_seconds=60)
    assert CANARY not in str(await node.call("notifications.stats"))
    admin = await User.new(node, "root", admin=True)
    assert not knows(await seen_by(node, admin))
