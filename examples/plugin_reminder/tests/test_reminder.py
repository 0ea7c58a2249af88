"""Users are reminded: once, in the conversation, and only of what they may see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chatnode_reminder
import pytest

from chatnode.testing import LiveUser, Node, check_plugin, open_node, refused


async def reminds(node: Node) -> str | None:
    """What the job does when it is time."""
    return (await node.call("jobs.run", job="reminder.remind"))["job"]["result"]


async def reminders(client: LiveUser, conversation: str) -> list[dict[str, Any]]:
    """What the bot has said."""
    return [each for each in await client.sees(conversation) if each["sender"]["handle"] == "reminder"]


async def test_the_bot_answers_the_message_once(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob, history="all")
    message = await bob.says(room, "the report is due on Friday")
    await ann.does("reminder.set", message=message, seconds=0)
    assert await reminders(ann, room) == []
    await reminds(node)
    (said,) = await reminders(ann, room)
    assert (said["reply_to"], said["mentions"], said["text"]) == (message, [ann.id], "@ann you asked to be reminded")
    assert [await bob.hears("message.posted"), await bob.hears("message.posted")][1]["message"] == said
    await reminds(node)
    assert len(await reminders(ann, room)) == 1


async def test_in_a_private_group_the_bot_names_a_message_that_it_cannot_see(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    message = await ann.says(room, "from before the bot joined")
    await ann.does("reminder.set", message=message, seconds=0)
    await reminds(node)
    (said,) = await reminders(ann, room)
    assert (said.get("reply_to"), said["metadata"]) == (None, {"reminder.message": message})


async def test_not_before_it_is_time_and_at_the_time_that_was_set_last(
    node: Node, ann: LiveUser, bob: LiveUser
) -> None:
    room = await ann.group(bob)
    message = await ann.says(room, "later")
    await ann.does("reminder.set", message=message, seconds=3600)
    await reminds(node)
    assert await reminders(ann, room) == []
    await ann.does("reminder.set", message=message, seconds=0)
    await reminds(node)
    assert len(await reminders(ann, room)) == 1


async def test_a_reminder_survives_a_restart(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data", plugins=[chatnode_reminder]) as node:
        ann = await LiveUser.new(node, "ann")
        room = await ann.group()
        message = await ann.says(room, "do not forget")
        await ann.does("reminder.set", message=message, seconds=0)
        account = ann.account
    for _ in range(2):
        async with open_node(tmp_path / "data", plugins=[chatnode_reminder]) as node:
            await reminds(node)
            (said,) = await reminders(LiveUser(node, account), room)
            assert said["metadata"] == {"reminder.message": message}


async def test_a_reminder_waits_while_the_plugin_does_not_run(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data", plugins=[chatnode_reminder]) as node:
        ann = await LiveUser.new(node, "ann")
        room, account = await ann.group(), ann.account
        await ann.does("reminder.set", message=await ann.says(room, "do not forget"), seconds=0)
    async with open_node(tmp_path / "data", only=[]) as node:
        assert await reminders(LiveUser(node, account), room) == []
        bot = (await LiveUser(node, account).does("people.get", person="reminder"))["person"]
        assert bot["deactivated"] is True
    async with open_node(tmp_path / "data", plugins=[chatnode_reminder]) as node:
        await reminds(node)
        assert len(await reminders(LiveUser(node, account), room)) == 1


async def test_only_a_message_that_one_sees(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    message = await ann.says(await ann.group(bob), "between us")
    with refused("not_found", "message"):
        await eve.does("reminder.set", message=message, seconds=0)


async def test_the_bot_joins_only_where_the_user_may_add_members(ann: LiveUser, bob: LiveUser) -> None:
    private, alone = await ann.group(bob), await ann.direct(bob)
    for room in (private, alone):
        with refused("forbidden"):
            await bob.does("reminder.set", message=await ann.says(room, "hello"), seconds=0)
    await ann.does("conversations.members.add", conversation=private, member="reminder")
    await bob.does("reminder.set", message=await ann.says(private, "hello again"), seconds=0)


@pytest.mark.parametrize("gone", ["user left", "bot removed", "closed", "message deleted", "user deactivated"])
async def test_nothing_is_said_where_it_would_be_out_of_place(
    node: Node, ann: LiveUser, bob: LiveUser, gone: str
) -> None:
    room = await ann.group(bob)
    await ann.does("reminder.set", message=await ann.says(room, "so that the bot is in"), seconds=3600)
    message = await ann.says(room, "remember")
    await bob.does("reminder.set", message=message, seconds=0)
    if gone == "user left":
        await bob.does("conversations.leave", conversation=room)
    elif gone == "bot removed":
        await ann.does("conversations.members.remove", conversation=room, member="reminder")
    elif gone == "closed":
        await ann.does("conversations.close", conversation=room)
    elif gone == "message deleted":
        await ann.does("messages.delete", message=message)
    else:
        await node.call("people.deactivate", person="bob")
    await reminds(node)
    assert await reminders(ann, room) == []
    await reminds(node)  # and nothing is left that fails again and again


async def test_a_bot_that_an_administrator_deactivated_waits(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    await ann.does("reminder.set", message=await ann.says(room, "remember"), seconds=0)
    await node.call("people.deactivate", person="reminder")
    assert "no reminders are posted" in str(await reminds(node))
    await node.call("people.reactivate", person="reminder")
    await reminds(node)
    assert len(await reminders(ann, room)) == 1


def test_plugin_declaration() -> None:
    check_plugin(chatnode_reminder)
