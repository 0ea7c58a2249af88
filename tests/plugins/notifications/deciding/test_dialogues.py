"""Who rings when: dialogues, judged a moment later and closed when they are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trio
from chatnode_notifications.deciding.closing import close_due

from chatnode.node import Node
from chatnode.testing import LiveUser, User
from tests.plugins.notifications.telling import (
    LONG,
    context,
    decide,
    idle,
    listed,
    register,
    tell,
    told,
    waiting,
    why,
)
from tests.plugins.sql import change, rows


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def test_a_direct_message_rings_at_once_for_who_is_away(node: Node, amy: User, ben: User) -> None:
    talk = await amy.direct(ben)
    message = await amy.says(talk, "hello")
    await tell(node)
    (found,) = await listed(ben)
    assert (found["kind"], found["title"], found["body"], found["personal"]) == ("message", "amy", "hello", True)
    assert (found["message"], found["conversation"], found["seq"]) == (message, talk, 1)
    assert found["sender"]["handle"] == "amy"
    assert await told(amy) == []


async def test_what_was_read_at_once_leaves_no_trace(node: Node, amy: User, ben: User) -> None:
    talk = await amy.direct(ben)
    await amy.says(talk, "hello")
    await ben.does("receipts.read", conversation=talk, seq=1)
    await decide(node)
    assert await waiting(node) == []
    await tell(node, ahead_seconds=LONG)
    assert await told(ben) == []


async def test_messages_that_come_together_ring_once(node: Node, amy: User, ben: User) -> None:
    talk = await amy.direct(ben)
    for number in range(5):
        await amy.says(talk, f"line {number}")
    await tell(node)
    assert await told(ben) == [("message", "line 4", 5)]


async def test_who_is_connected_gets_time_to_see_it(node: Node, amy: User, bob: LiveUser) -> None:
    """Connected, and not active: 10 seconds. Active in the last minute: 30 seconds."""
    talk = await amy.direct(bob)
    idle(node, bob)
    await amy.says(talk, "are you there")
    due_at = await tell(node)
    assert due_at is not None
    (bundle,) = await waiting(node)
    assert await told(bob) == []
    made = (await rows(node, "SELECT made_at FROM notifications_bundles"))[0][0]
    assert 9_000 <= bundle.due_at - made <= 10_000
    await bob.does("presence.status", text="here")  # which shows that bob is active
    await close_due(context(node), 11_000)
    assert await told(bob) == []
    (bundle,) = await waiting(node)
    assert bundle.due_at - made == 30_000
    await close_due(context(node), 31_000)
    assert await told(bob) == [("message", "are you there", 1)]
    assert (await bob.hears("notification.added"))["notification"]["body"] == "are you there"


async def test_reading_in_time_prevents_it(node: Node, amy: User, bob: LiveUser) -> None:
    talk = await amy.direct(bob)
    await amy.says(talk, "one")
    await tell(node)
    assert len(await waiting(node)) == 1
    await bob.does("receipts.read", conversation=talk, seq=1)
    await decide(node)
    assert await waiting(node) == []


async def test_who_answers_has_read(node: Node, amy: User, ben: User) -> None:
    talk = await amy.direct(ben)
    await amy.says(talk, "one")
    await tell(node)
    await ben.says(talk, "two")
    await tell(node)
    assert [each["read_at"] is not None for each in await listed(ben)] == [True]
    assert await told(amy) == [("message", "two", 1)]


async def test_groups_ring_where_there_is_a_device(node: Node, amy: User, ben: User) -> None:
    """Without one, only what is meant for the user is listed."""
    cay = await User.new(node, "cay")
    await register(node, cay)
    group = await amy.group(ben, cay, title="Garden")
    await amy.says(group, "it rains")
    await tell(node)
    assert (await told(ben), await told(cay)) == ([], [("message", "it rains", 1)])
    assert [each["title"] for each in await listed(cay)] == ["amy · Garden"]
    await amy.says(group, "@ben it rains")
    await tell(node)
    assert await told(ben) == [("mention", "@ben it rains", 1)]


async def test_mail_reaches_who_has_an_address(node: Node, amy: User, ben: User) -> None:
    """To want mail is not enough."""
    group = await amy.group(ben)
    await ben.does("notifications.settings.set", mail="digest")
    add = (
        "INSERT OR REPLACE INTO notifications_mailboxes (person, address, state, added_at) "
        "VALUES (?, 'ben@example.net', ?, 0)"
    )
    for state, outcome in ((None, "unreachable"), ("bounced", "unreachable"), ("active", "notified")):
        if state is not None:
            await change(node, add, ben.key, state)
        message = await amy.says(group, "it rains")
        await tell(node)
        assert (await why(ben, message))[0] == outcome
        assert len(await told(ben)) == (outcome == "notified")


async def test_what_is_not_personal_does_not_ring_again_within_a_minute(node: Node, amy: User, ben: User) -> None:
    await register(node, ben)
    group = await amy.group(ben)
    await amy.says(group, "one")
    await tell(node)
    await amy.says(group, "two")
    await amy.says(group, "three")
    await tell(node)
    assert await told(ben) == [("message", "one", 1)]
    await tell(node, ahead_seconds=61)
    assert await told(ben) == [("message", "three", 2), ("message", "one", 1)]
    await amy.says(group, "four")
    await tell(node)
    await amy.says(group, "@ben five")
    await tell(node)
    assert (await told(ben))[0] == ("mention", "@ben five", 2)


async def test_replies_threads_and_everyone(node: Node, amy: User, ben: User) -> None:
    group = await amy.group(ben)
    mine = await ben.says(group, "a question")
    await amy.says(group, "an answer", reply_to=mine)
    await tell(node)
    assert (await told(ben))[0] == ("reply", "an answer", 1)
    await amy.says(group, "more", thread=mine)
    await tell(node)
    assert (await told(ben))[0] == ("thread", "more", 1)
    await ben.does("notifications.settings.set", threads=False, replies=False)
    await amy.says(group, "still more", thread=mine)
    await amy.says(group, "another answer", reply_to=mine)
    await amy.says(group, "@everyone lunch")
    await tell(node, ahead_seconds=LONG)
    assert len(await told(ben)) == 2  # without a device, none of these is personal
    await register(node, ben)
    await amy.says(group, "@everyone supper")
    await tell(node, ahead_seconds=LONG)
    assert (await told(ben))[0] == ("mention", "@everyone supper", 1)
    await ben.does("conversations.settings", conversation=group, notify="mentions")
    await amy.says(group, "nothing much")
    await tell(node, ahead_seconds=LONG)
    assert len(await told(ben)) == 3


async def test_muted_conversations(node: Node, amy: User, ben: User) -> None:
    await register(node, ben)
    group = await amy.group(ben)
    await ben.does("conversations.settings", conversation=group, muted_until=in_hours(1))
    await amy.says(group, "@ben one")
    await tell(node, ahead_seconds=60)
    assert await told(ben) == []
    await ben.does("notifications.settings.set", mentions_through_mute=True)
    await amy.says(group, "two")
    await amy.says(group, "@ben three")
    await tell(node, ahead_seconds=60)
    assert await told(ben) == [("mention", "@ben three", 1)]
    await ben.does("conversations.settings", conversation=group, notify="none")
    await amy.says(group, "@ben four")
    await tell(node, ahead_seconds=LONG)
    assert len(await told(ben)) == 1


async def test_a_pause_ends_in_one_notification_for_each_conversation(node: Node, amy: User, ben: User) -> None:
    await ben.does("notifications.settings.set", paused_until=in_hours(3))
    talk, group = await amy.direct(ben), await amy.group(ben)
    for number in range(3):
        await amy.says(talk, f"line {number}")
    await amy.says(group, "@ben hello")
    await tell(node, ahead_seconds=2 * 3_600)
    assert await told(ben) == []
    await close_due(context(node), 3 * 3_600_000 + 1_000)
    assert sorted(await told(ben)) == [("mention", "@ben hello", 1), ("message", "line 2", 3)]


async def test_who_ends_the_pause_is_notified_at_once(node: Node, amy: User, ben: User) -> None:
    await ben.does("notifications.settings.set", paused_until=in_hours(3))
    await amy.says(await amy.direct(ben), "hello")
    await tell(node)
    assert await told(ben) == []
    await ben.does("notifications.settings.set", paused_until="")
    await close_due(context(node))
    assert await told(ben) == [("message", "hello", 1)]


async def test_quiet_hours_hold_back_what_is_waiting_already(node: Node, amy: User, bob: LiveUser) -> None:
    await amy.says(await amy.direct(bob), "hello")
    await tell(node)
    await bob.does("notifications.settings.set", quiet=[{"begins": "00:00", "ends": "00:00"}], zone="Europe/Paris")
    await tell(node, ahead_seconds=3_600)
    assert await told(bob) == []
    assert len(await waiting(node)) == 1


async def test_changes_between_deciding_and_closing(node: Node, amy: User, bob: LiveUser) -> None:
    """Bob is connected, so there are some seconds."""
    await register(node, bob)
    cay = await User.new(node, "cay")

    async def lasts(group: str) -> bool:
        """Whether it rings when it is due."""
        before = len(await rows(node, "SELECT 1 FROM notifications_items WHERE person = ?", bob.key))
        await tell(node, ahead_seconds=60)
        assert await waiting(node) == []
        return len(await rows(node, "SELECT 1 FROM notifications_items WHERE person = ?", bob.key)) > before

    async def decided(text: str = "hello") -> tuple[str, str]:
        group = await amy.group(bob, cay)
        message = await amy.says(group, text)
        await tell(node)
        assert len(await waiting(node)) == 1
        return group, message

    group, message = await decided()
    assert await lasts(group)
    group, message = await decided()
    await amy.does("messages.delete", message=message)
    assert not await lasts(group)
    group, message = await decided()
    await bob.does("conversations.leave", conversation=group)
    assert not await lasts(group)
    group, message = await decided()
    await amy.does("conversations.members.remove", conversation=group, member="bob")
    assert not await lasts(group)
    group, message = await decided()
    await bob.does("conversations.settings", conversation=group, muted_until=in_hours(5))
    assert not await lasts(group)
    group, message = await decided()
    await bob.does("conversations.settings", conversation=group, notify="mentions")
    assert not await lasts(group)
    group, message = await decided()
    await bob.does("people.block", person="amy")
    assert not await lasts(group)
    await bob.does("people.unblock", person="amy")
    group, message = await decided()
    await amy.says(group, "second")
    await amy.does("messages.delete", message=message)
    assert await lasts(group)
    assert (await told(bob))[0] == ("message", "second", 1)
    group, message = await decided()
    await node.call("people.deactivate", person="bob")
    assert not await lasts(group)


async def test_part_of_it_was_read(node: Node, amy: User, bob: LiveUser) -> None:
    talk = await amy.direct(bob)
    for number in range(4):
        await amy.says(talk, f"line {number}")
    await tell(node)
    await bob.does("receipts.read", conversation=talk, seq=3)
    await tell(node, ahead_seconds=60)
    assert await told(bob) == [("message", "line 3", 1)]


async def test_of_several_senders_each_counts_for_those_who_hear_them(node: Node, amy: User, ben: User) -> None:
    """Messages of one sender are judged together; who blocks one, joins late or has read some gets the rest."""
    cay, dan, eli = [await User.new(node, handle) for handle in ("cay", "dan", "eli")]
    await register(node, ben, dan, eli)
    group = await amy.group(ben, cay, dan, history="since_joining")
    await ben.does("people.block", person="cay")
    await amy.says(group, "amy 1")
    await cay.says(group, "cay 2")
    await dan.does("receipts.read", conversation=group, seq=2)
    await amy.does("conversations.members.add", conversation=group, member="eli")
    await amy.says(group, "amy 3")
    await cay.says(group, "cay 4")
    await amy.says(group, "amy 5")
    await tell(node)
    assert await told(ben) == [("message", "amy 5", 3)]
    assert await told(dan) == [("message", "amy 5", 3)]
    assert await told(eli) == [("message", "amy 5", 3)]
    await cay.says(group, "cay 6")
    await tell(node, ahead_seconds=61)
    assert (await told(dan))[0] == ("message", "cay 6", 1)
    assert len(await told(ben)) == 1


async def test_old_messages_stay_in_the_inbox(node: Node, amy: User, ben: User) -> None:
    """As after days in which the plugin did not run."""
    talk = await amy.direct(ben)
    await amy.says(talk, "an old one")
    await change(node, "UPDATE messages SET at = at - 86400001")
    await amy.says(talk, "a new one")
    await tell(node)
    assert await told(ben) == [("message", "a new one", 1)]


async def test_bots_are_not_notified(node: Node, amy: User) -> None:
    await node.call("people.create", handle="robot", bot=True)
    robot = await User.of(node, "robot")
    await register(node, robot)
    group = await amy.group(robot)
    await amy.says(group, "@robot hello")
    await tell(node, ahead_seconds=60)
    assert await rows(node, "SELECT 1 FROM notifications_items") == []


async def test_very_many_messages_in_quiet_hours_are_counted(node: Node, amy: User, ben: User) -> None:
    """The newest hundred are judged again one by one, all are counted."""
    talk = await amy.direct(ben)
    await ben.does("notifications.settings.set", paused_until=in_hours(3))
    for number in range(150):
        await amy.says(talk, f"line {number}")
        if number % 50 == 0:
            await decide(node)
    await tell(node)
    (bundle,) = await waiting(node)
    assert (bundle.count, len(bundle.messages)) == (150, 1_200)
    await ben.does("notifications.settings.set", paused_until="")
    await close_due(context(node))
    assert await told(ben) == [("message", "line 149", 150)]


async def test_a_clock_that_was_ahead(node: Node, amy: User, ben: User) -> None:
    """What it stored is due now, not in years."""
    await amy.says(await amy.direct(ben), "hello")
    await decide(node)
    await change(
        node, "UPDATE notifications_bundles SET due_at = due_at + 99999999999, made_at = made_at + 99999999999"
    )
    await close_due(context(node))
    assert await told(ben) == [("message", "hello", 1)]


async def test_the_tasks_do_it_by_themselves(node: Node, amy: User, ben: User, url: str) -> None:
    """On a node that serves: the message is judged after the consumer's pause, and closed when it is due."""
    assert url
    await amy.says(await amy.direct(ben), "hello")
    with trio.fail_after(20):
        while not await told(ben):  # noqa: ASYNC110 -- Ben is not connected, so nothing tells the test
            await trio.sleep(0.1)
    assert await told(ben) == [("message", "hello", 1)]
