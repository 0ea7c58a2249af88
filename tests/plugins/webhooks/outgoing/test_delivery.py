"""What an endpoint gets, and how: signed, in order of the log, and only what its bot may see."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from chatnode_webhooks.outgoing.endpoints import by_key

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.webhooks.outgoing.dialogue import bot, endpoint, failed, id_of, pass_time, sending, state, until
from tests.plugins.webhooks.outgoing.receiver import HANG, Receiver


async def test_a_bot_gets_what_is_said_signed_and_once(receiver: Receiver, robo: User, ann: User) -> None:
    room = await ann.group(robo)
    await ann.says(room, "before")
    added = await endpoint(robo, receiver)
    message = await ann.says(room, "hello")
    await ann.call("messages.edit", message=message, text="hello all")
    await robo.says(room, "my own words")
    await ann.call("messages.delete", message=message)
    got = await receiver.until_got(3)
    got.sort(key=lambda each: each.json["data"]["gid"])  # four are on their way at a time
    assert [each.json["type"] for each in got] == ["message.posted", "message.edited", "message.deleted"]
    assert all(each.verified_by(added["secret"]) for each in got)
    assert not got[0].verified_by("whsec_" + "A" * 43 + "=")
    posted = got[0].json
    assert posted["data"]["message"]["message"] == message
    assert set(posted) == {"type", "timestamp", "data"}
    assert got[0].id.endswith(f"_{posted['data']['gid']}")
    assert got[0].headers["content-type"] == "application/json"
    await until(robo.node, id_of(added), lambda found: found.get("sent_at"))
    assert len(set(receiver.ids)) == 3


async def test_with_echo_it_gets_its_own_words_too(receiver: Receiver, robo: User, ann: User) -> None:
    room = await ann.group(robo)
    await endpoint(robo, receiver, echo=True)
    await robo.says(room, "one")
    await ann.says(room, "two")
    await receiver.until_got(2)
    assert sorted(receiver.texts()) == ["one", "two"]


async def test_what_is_not_for_the_bot_is_not_sent(
    node: Node, receiver: Receiver, other: Receiver, robo: User, ann: User
) -> None:
    """Each conversation has a canary; a body has only those of conversations that its bot was in at the time."""
    rival, eve = await bot(node, "rival"), await User.new(node, "eve")
    await endpoint(robo, receiver, ["*"])
    await endpoint(rival, other, ["*"])
    of_robo, of_rival, of_both = await ann.group(robo), await ann.group(rival), await ann.group(robo, rival)
    of_none, secret = await ann.group(eve), await ann.direct(eve)
    for room, text in (
        (of_robo, "canary-robo"), (of_rival, "canary-rival"), (of_both, "canary-both"), (of_none, "canary-none"),
        (secret, "canary-direct"),
    ):  # fmt: skip
        message = await ann.says(room, text)
        await ann.call("messages.pin", message=message)
        await ann.call("conversations.settings", conversation=room, archived=True)
    await ann.call("conversations.members.remove", conversation=of_both, member="robo")
    await ann.says(of_both, "canary-without-robo")
    await ann.call("people.block", person="eve")
    await ann.call("people.update", name="Ann of all")
    await ann.call("conversations.members.add", conversation=of_both, member="robo")
    await ann.says(of_both, "canary-the-end")

    def has(who: Receiver, text: str) -> bool:
        return any(text.encode() in each.body for each in who.got)

    for who in (receiver, other):
        await who.until(lambda who=who: has(who, "canary-the-end"))
    canaries = ("robo", "rival", "both", "none", "direct", "without-robo")
    assert [has(receiver, f"canary-{each}") for each in canaries] == [True, False, True, False, False, False]
    assert [has(other, f"canary-{each}") for each in canaries] == [False, True, True, False, False, True]
    names = {each.json["type"] for each in [*receiver.got, *other.got]}
    assert not names & {"settings.changed", "person.blocked", "webhooks.endpoint.changed"}
    assert "person.updated" in names
    assert not any(b"whsec_" in each.body or b"canary-of-the-address" in each.body for each in receiver.got)


async def test_only_the_kinds_that_were_asked_for(receiver: Receiver, robo: User, ann: User) -> None:
    room = await ann.group(robo)
    await endpoint(robo, receiver, ["message.edited", "member.*"])
    message = await ann.says(room, "hello")
    await ann.call("messages.edit", message=message, text="hello all")
    await ann.call("conversations.members.add", conversation=room, member=(await User.new(robo.node, "eve")).handle)
    await receiver.until_got(2)
    assert sorted(receiver.kinds) == ["member.joined", "message.edited"]


async def test_a_message_deleted_before_it_is_sent_again_is_not_told(
    node: Node, receiver: Receiver, robo: User, ann: User
) -> None:
    receiver.answers = lambda got: b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    id, room = id_of(await endpoint(robo, receiver)), await ann.group(robo)
    message = await ann.says(room, "canary-deleted")
    await until(node, id, lambda found: found["pending"])
    await ann.call("messages.delete", message=message)
    receiver.answers = lambda got: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    await pass_time(node, id, 60_000)
    await receiver.until(lambda: "message.deleted" in receiver.kinds)
    await until(node, id, lambda found: not found["pending"])
    assert all(b"canary-deleted" not in each.body for each in receiver.got[1:])


async def test_an_edit_that_failed_is_not_for_a_bot_that_has_left(
    node: Node, receiver: Receiver, robo: User, ann: User
) -> None:
    receiver.answers = lambda got: b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    id, room = id_of(await endpoint(robo, receiver, ["message.edited"])), await ann.group(robo)
    await ann.call("messages.edit", message=await ann.says(room, "hello"), text="hello all")
    await until(node, id, lambda found: found["pending"])
    await ann.call("conversations.members.remove", conversation=room, member="robo")
    await pass_time(node, id, 60_000)
    await until(node, id, lambda found: not found["pending"])
    assert len(receiver.got) == 1


async def test_a_bot_that_is_deactivated_for_a_while_misses_nothing(
    node: Node, receiver: Receiver, robo: User, ann: User
) -> None:
    room = await ann.group(robo)
    id = id_of(await endpoint(robo, receiver))
    await node.call("people.deactivate", person="robo")
    await ann.says(room, "meanwhile")
    await trio.sleep(0.05)
    assert not receiver.got
    await node.call("people.reactivate", person="robo")
    await pass_time(node, id, 0)
    await receiver.until_got(1)
    assert receiver.texts() == ["meanwhile"]


async def test_the_place_is_kept_over_a_restart(
    node: Node, nursery: trio.Nursery, receiver: Receiver, robo: User, ann: User, running: trio.CancelScope
) -> None:
    room = await ann.group(robo)
    added = await endpoint(robo, receiver)
    await ann.says(room, "one")
    await until(node, id_of(added), lambda found: found.get("sent_at"))
    running.cancel()
    await ann.says(room, "two")
    await sending(node, nursery)
    await receiver.until_got(2)
    assert receiver.texts() == ["one", "two"]


async def test_an_erased_bot_takes_its_endpoint_along(node: Node, receiver: Receiver, robo: User, ann: User) -> None:
    id, room = id_of(await endpoint(robo, receiver)), await ann.group(robo)
    await node.call("people.erase", person="robo", handle="robo")
    await ann.says(room, "hello")
    await trio.sleep(0.05)
    with refused("not_found", "endpoint"):
        await state(node, id)
    assert not receiver.got


async def test_a_slow_and_a_dead_endpoint_hold_up_no_other(
    node: Node, receiver: Receiver, other: Receiver, dead: Receiver, ann: User, running: trio.CancelScope
) -> None:
    """Counted, not timed: the others have everything while one hangs in its first events, and one is down."""
    other.answers = lambda got: HANG
    bots = [await bot(node, f"bot{number}") for number in range(6)]
    room = await ann.group(*bots)
    for each in bots[:4]:
        await endpoint(each, receiver)
    await endpoint(bots[4], other)
    await endpoint(bots[5], dead)
    for number in range(20):
        await ann.says(room, str(number))
    await receiver.until_got(80)
    assert len(other.got) <= 4
    assert len(set(receiver.ids)) == 20


async def test_the_endpoint_of_the_node_gets_no_messages_unless_allowed(
    node: Node, receiver: Receiver, ann: User, mia: User, running: trio.CancelScope
) -> None:
    for kind in ("message.posted", "message.*", "*", "person.updated", "work.*"):
        with refused("invalid", "kinds.0"):
            await endpoint(mia, receiver, [kind])
    added = await endpoint(mia, receiver, ["crm.*"])
    assert "bot" not in added["endpoint"]
    await ann.says(await ann.group(), "canary")
    await trio.sleep(0.05)
    assert not receiver.got


class TestMessagesAllowed:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"per_minute": 0, "messages": True}

    async def test_the_node_may_have_all_messages(
        self, node: Node, receiver: Receiver, ann: User, mia: User, running: trio.CancelScope
    ) -> None:
        await endpoint(mia, receiver, ["message.posted"])
        eve = await User.new(node, "eve")
        await ann.says(await ann.direct(eve), "directly")
        await ann.says(await ann.group(), "to a group")
        await receiver.until_got(2)
        assert sorted(receiver.texts()) == ["directly", "to a group"]


async def test_nothing_of_the_message_is_stored(node: Node, receiver: Receiver, robo: User, ann: User) -> None:
    """The answer may repeat what was sent, so it is kept for a day at most (see test_upkeep)."""
    receiver.answers = lambda got: b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nwhat"
    id, room = id_of(await endpoint(robo, receiver)), await ann.group(robo)
    await ann.says(room, "canary-stored")
    await until(node, id, lambda found: found["pending"])
    [row] = await failed(node, id)
    assert (row["status"], row["answer"], row["attempts"]) == (500, "what", 1)
    tables = ("webhooks_endpoints", "webhooks_deliveries", "webhooks_attempts", "webhooks_replays")
    stored = [
        await node.core.db.read(lambda reader, table=table: reader.execute(f"SELECT * FROM {table}").fetchall())
        for table in tables
    ]
    assert "canary-stored" not in repr(stored)
    [key] = await node.core.db.read(lambda reader: reader.execute("SELECT key FROM webhooks_endpoints").fetchone())
    found = await node.core.db.read(lambda reader: by_key(reader, key))
    assert "whsec_" not in repr(found)
    assert "canary-of-the-address" not in repr(found)
