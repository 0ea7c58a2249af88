"""What is deleted, and when."""

from __future__ import annotations

import pytest
import trio
from chatnode_webhooks.outgoing import deliveries
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.upkeep import clean

from chatnode.api import DAY_MS, Transaction, now_ms
from chatnode.node import Node
from chatnode.testing import User, catch_up
from tests.plugins.sql import rows
from tests.plugins.webhooks.outgoing.dialogue import bot, endpoint, id_of, sending, until
from tests.plugins.webhooks.outgoing.receiver import Receiver

CANARY = "a canary that is long enough to be looked for"


async def test_old_answers_and_what_was_given_up(node: Node, receiver: Receiver) -> None:
    robo = await bot(node, "robo")
    await endpoint(robo, receiver)
    context, now = node.plugins.loaded["webhooks"].context, now_ms()

    def write(tx: Transaction) -> None:
        for gid, days in ((1, 0), (2, 2), (3, 40)):
            attempt = Attempt("failed", now - days * DAY_MS, 1, 500, "answered 500", "what was sent")
            deliveries.failed(tx, 1, gid, "message.posted", attempt, ages=True)
        tx.execute("UPDATE webhooks_deliveries SET state = 'dead' WHERE gid = 3")

    await node.core.db.write(write)
    assert await clean(context) == "deleted 1 event that could not be delivered"
    assert await rows(node, "SELECT gid, answer FROM webhooks_deliveries ORDER BY gid") == [
        (1, "what was sent"),
        (2, None),
    ]
    assert await clean(context) is None


@pytest.mark.parametrize("how", ["edit", "delete", "erase"])
async def test_answers_go_with_the_messages_that_they_may_repeat(
    node: Node, nursery: trio.Nursery, receiver: Receiver, ann: User, how: str
) -> None:
    robo = await bot(node, "robo")
    receiver.answers = lambda got: b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n%s" % (len(CANARY), CANARY.encode())
    id, room = id_of(await endpoint(robo, receiver)), await ann.group(robo)
    message = (await ann.posts(room, CANARY))["message"]
    couriers = await sending(node, nursery)
    await until(node, id, lambda found: found["pending"])
    couriers.cancel()
    assert await rows(node, "SELECT answer FROM webhooks_deliveries") == [(CANARY,)]
    match how:
        case "edit":
            await ann.does("messages.edit", message=message, text="other")
        case "delete":
            await ann.does("messages.delete", message=message)
        case _:
            receipt = await node.call("people.erase", person=ann.account.id, handle=ann.handle)
            assert receipt["proof"]["looked_for"] > receipt["proof"]["left"] == 0
    await catch_up(node)
    assert await rows(node, "SELECT answer FROM webhooks_deliveries WHERE answer IS NOT NULL") == []


async def test_the_newest_attempts_are_kept(node: Node, receiver: Receiver) -> None:
    robo = await bot(node, "robo")
    id = id_of(await endpoint(robo, receiver))

    def write(tx: Transaction) -> None:
        some = [(gid, "message.posted", Attempt("sent", gid, 1, 200)) for gid in range(1, 1_101)]
        deliveries.record_attempts(tx, 1, some)
        deliveries.trim_attempts(tx, 1)

    await node.core.db.write(write)
    assert await rows(node, "SELECT count(*), min(gid) FROM webhooks_attempts") == [(1_000, 101)]
    page = await robo.call("webhooks.attempts", endpoint=id, limit=2)
    assert [each["event"].rpartition("_")[2] for each in page["attempts"]] == ["1100", "1099"]
    after = await robo.call("webhooks.attempts", endpoint=id, limit=1, after=page["next"])
    assert after["attempts"][0]["event"].endswith("_1098")


async def test_removed_endpoints_go_in_the_end(node: Node, receiver: Receiver, ann: User) -> None:
    robo = await bot(node, "robo")
    await robo.call("webhooks.endpoints.remove", endpoint=id_of(await endpoint(robo, receiver)))
    context = node.plugins.loaded["webhooks"].context
    await clean(context)
    assert await rows(node, "SELECT count(*) FROM webhooks_endpoints") == [(1,)]
    await node.core.db.write(lambda tx: tx.execute("UPDATE webhooks_endpoints SET created_at = 0"))
    await clean(context)
    assert await rows(node, "SELECT count(*) FROM webhooks_endpoints") == [(0,)]


async def test_endpoints_of_bots_that_have_ended(node: Node, receiver: Receiver, other: Receiver) -> None:
    robo, paused = await bot(node, "robo"), await bot(node, "paused")
    id, kept = id_of(await endpoint(robo, receiver)), id_of(await endpoint(paused, other))
    context, now = node.plugins.loaded["webhooks"].context, now_ms()
    owner = await User.new(node, "owner")

    def write(tx: Transaction) -> None:
        tx.execute("UPDATE people SET deactivated_at = ? WHERE bot = 1", (now - 40 * DAY_MS,))
        tx.execute("INSERT INTO bots_owned (bot, owner, created_at) VALUES (?, ?, ?)", (paused.key, owner.key, now))

    await node.core.db.write(write)
    await clean(context)
    assert [each["endpoint"] for each in (await node.call("webhooks.endpoints.list"))["endpoints"]] == [kept]
    assert await rows(node, "SELECT url, secret FROM webhooks_endpoints WHERE id = ?", id) == [("", "")]
