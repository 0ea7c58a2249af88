"""Managing endpoints: who may, what is refused, and what is shown."""

from __future__ import annotations

from typing import Any

import chatnode_webhooks
import pytest
import trio
from chatnode_webhooks.outgoing import endpoints

from chatnode.api import HOUR_MS
from chatnode.node import Node
from chatnode.testing import User, check_plugin, refused
from tests.plugins.sql import rows
from tests.plugins.webhooks.outgoing.dialogue import bot, endpoint, id_of, pass_time, until
from tests.plugins.webhooks.outgoing.receiver import Receiver

OF_ONE = ("get", "pause", "resume", "rotate", "update", "test", "remove")


async def test_a_bot_manages_its_own_and_managers_all(
    node: Node, receiver: Receiver, other: Receiver, ann: User, mia: User
) -> None:
    robo, rival = await bot(node, "robo"), await bot(node, "rival")
    own = id_of(await endpoint(robo, receiver))
    for_rival = id_of(await endpoint(mia, other, bot="rival"))
    of_node = id_of(await endpoint(mia, receiver, ["crm.*"]))
    for who in (robo, ann):
        with refused("forbidden"):
            await endpoint(who, other, bot="rival")
        with refused("forbidden"):
            await who.call("webhooks.endpoints.add", url=other.url, kinds=["crm.*"])
    with refused("forbidden"):
        await endpoint(ann, other, bot="ann")
    with refused("invalid", "bot"):
        await endpoint(mia, other, bot="ann")

    async def listed(who: User, **fields: Any) -> set[str]:
        return {each["endpoint"] for each in (await who.call("webhooks.endpoints.list", **fields))["endpoints"]}

    assert (await listed(robo), await listed(rival), await listed(mia)) == (
        {own},
        {for_rival},
        {own, for_rival, of_node},
    )
    assert await listed(mia, bot="rival") == {for_rival}
    with refused("forbidden"):
        await listed(ann)
    with refused("forbidden"):
        await listed(robo, bot="rival")
    for who, id in ((robo, for_rival), (robo, of_node), (ann, own), (rival, own)):
        for verb in OF_ONE:
            with refused("not_found", "endpoint"):
                await who.call(f"webhooks.endpoints.{verb}", endpoint=id)
        for name, fields in (("deliveries", {}), ("attempts", {}), ("recover", {}), ("replay", {"from_gid": 1})):
            with refused("not_found", "endpoint"):
                await who.call(f"webhooks.{name}", endpoint=id, **fields)
    for verb in OF_ONE:
        await mia.call(f"webhooks.endpoints.{verb}", endpoint=own)


async def test_what_cannot_be_an_endpoint(node: Node, receiver: Receiver, mia: User) -> None:
    robo = await bot(node, "robo")
    for url in (
        "ftp://example.org/", "example.org", "https://user:secret@example.org/",
        "https://10.0.0.1/", "https://localhost/", "https://[::1]/", "https://169.254.169.254/",
    ):  # fmt: skip
        with refused("invalid", "url"):
            await robo.call("webhooks.endpoints.add", url=url, kinds=["*"], bot="robo")
    with refused("invalid", "kinds"):
        await endpoint(robo, receiver, [])
    for kind in ("Message", "message*", "*.posted", "message..posted"):
        with refused("invalid"):
            await endpoint(robo, receiver, [kind])
    id = id_of(await endpoint(robo, receiver))
    with refused("conflict", "url") as caught:  # as after a lost reply
        await endpoint(robo, receiver)
    assert id in caught.value.message
    await robo.call("webhooks.endpoints.remove", endpoint=id)
    await endpoint(robo, receiver)


async def test_events_that_nothing_has_are_refused_with_the_nearest_name(
    node: Node, receiver: Receiver, robo: User, mia: User
) -> None:
    for kind, meant in (
        ("mesage.posted", "message.posted"), ("message.poster", "message.posted"), ("mesage.*", "message.*"),
        ("message.postd.*", "message.posted"), ("zzz", "events are action.invoked"), ("webhooks.endpoint.changed", ""),
        ("crn.*", ""), ("typing", ""),
    ):  # fmt: skip
        with refused("invalid", "kinds.1") as caught:
            await endpoint(robo, receiver, ["message.*", kind])
        assert meant in caught.value.message, kind
    id = id_of(await endpoint(robo, receiver))
    with refused("invalid", "kinds.0"):
        await robo.call("webhooks.endpoints.update", endpoint=id, kinds=["message.editted"])


async def test_events_of_a_plugin_that_does_not_run(
    node: Node, receiver: Receiver, other: Receiver, robo: User, mia: User
) -> None:
    """The setting node_kinds says that there may be some: crm.* by default."""
    for who in (mia, robo):
        await endpoint(who, receiver, ["crm.contact.created"])
    id = id_of(await endpoint(robo, other))
    of_a_plugin_that_was_removed = endpoints.as_json(["polls.closed"])
    await node.core.db.write(
        lambda tx: endpoints.change(tx, endpoints.find(tx, id).key, kinds=of_a_plugin_that_was_removed)
    )
    await robo.call("webhooks.endpoints.update", endpoint=id, kinds=["polls.closed", "message.*"])


class TestFew:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"endpoints": 2, "endpoints_per_bot": 1}

    async def test_there_are_limits(self, node: Node, receiver: Receiver, other: Receiver, mia: User) -> None:
        robo, rival = await bot(node, "robo"), await bot(node, "rival")
        await endpoint(robo, receiver)
        with refused("too_large", "bot"):
            await endpoint(robo, other)
        await endpoint(mia, receiver, ["crm.*"])
        with refused("too_large"):
            await endpoint(rival, other)


async def test_the_secret_is_shown_once_and_rotated_with_a_day_for_the_old_one(
    node: Node, receiver: Receiver, robo: User, ann: User, mia: User
) -> None:
    room = await ann.group(robo)
    added = await endpoint(robo, receiver)
    id, old = id_of(added), added["secret"]
    new = (await robo.call("webhooks.endpoints.rotate", endpoint=id))["secret"]
    assert old != new
    await ann.says(room, "one")
    [got] = await receiver.until_got(1)
    assert (got.verified_by(old), got.verified_by(new)) == (True, True)
    await pass_time(node, id, 25 * HOUR_MS)
    await ann.says(room, "two")
    *_, got = await receiver.until_got(2)
    assert (got.verified_by(old), got.verified_by(new)) == (False, True)
    shown = [
        await mia.call("webhooks.endpoints.list"), await mia.call("webhooks.endpoints.get", endpoint=id),
        await rows(node, "SELECT action, target, details FROM audit"),
    ]  # fmt: skip
    assert not any(each.encode() in repr(shown).encode() for each in (old, new))
    audited = repr(shown[-1])
    assert "canary-of-the-address" not in audited
    assert ("webhooks.endpoints.add" in audited, "webhooks.endpoints.rotate" in audited) == (True, True)


async def test_paused_resumed_and_skipped(node: Node, receiver: Receiver, robo: User, ann: User) -> None:
    room = await ann.group(robo)
    id = id_of(await endpoint(robo, receiver))
    await robo.call("webhooks.endpoints.pause", endpoint=id)
    await ann.says(room, "one")
    await trio.sleep(0.05)
    assert not receiver.got
    await robo.call("webhooks.endpoints.resume", endpoint=id)
    await receiver.until_got(1)
    await robo.call("webhooks.endpoints.pause", endpoint=id)
    await ann.says(room, "two")
    await robo.call("webhooks.endpoints.resume", endpoint=id, skip=True)
    await ann.says(room, "three")
    await receiver.until_got(2)
    assert receiver.texts() == ["one", "three"]


async def test_removed_means_nothing_more(node: Node, receiver: Receiver, robo: User, ann: User) -> None:
    room = await ann.group(robo)
    id = id_of(await endpoint(robo, receiver))
    await robo.call("webhooks.endpoints.remove", endpoint=id)
    await ann.says(room, "one")
    await trio.sleep(0.05)
    assert not receiver.got
    with refused("not_found", "endpoint"):
        await robo.call("webhooks.endpoints.get", endpoint=id)
    [(url, secret)] = await rows(node, "SELECT url, secret FROM webhooks_endpoints")
    assert (url, secret) == ("", "")


async def test_it_can_be_moved(node: Node, receiver: Receiver, other: Receiver, robo: User, ann: User) -> None:
    room = await ann.group(robo)
    id = id_of(await endpoint(robo, receiver))
    await ann.says(room, "one")
    await receiver.until_got(1)
    await until(node, id, lambda found: found.get("sent_at"))
    changed = await robo.call(
        "webhooks.endpoints.update", endpoint=id, url=other.url, kinds=["message.posted"], format="seed"
    )
    assert (changed["endpoint"]["kinds"], changed["endpoint"]["format"]) == (["message.posted"], "seed")
    await ann.says(room, "two")
    [got] = await other.until_got(1)
    assert got.json["event_type"] == "message.posted"
    assert len(receiver.got) == 1


async def test_a_test_event(node: Node, receiver: Receiver, robo: User) -> None:
    added = await endpoint(robo, receiver)
    result = await robo.call("webhooks.endpoints.test", endpoint=id_of(added))
    assert (result["sent"], result["status"]) == (True, 200)
    [got] = receiver.got
    assert (got.json["type"], got.verified_by(added["secret"])) == ("webhooks.test", True)
    receiver.down()
    result = await robo.call("webhooks.endpoints.test", endpoint=id_of(added))
    assert (result["sent"], "error" in result) == (False, True)


async def test_pages(node: Node, mia: User, receiver: Receiver, robo: User, ann: User) -> None:
    ids = {id_of(await robo.call("webhooks.endpoints.add", url=f"{receiver.url}{number}", kinds=["*"], bot="robo"))
           for number in range(5)}  # fmt: skip
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await mia.call("webhooks.endpoints.list", limit=2, **after)
        found += [each["endpoint"] for each in page["endpoints"]]
        if "next" not in page:
            break
        after = {"after": page["next"]}
    assert (set(found), found) == (ids, sorted(found))


def test_the_declaration_is_complete() -> None:
    check_plugin(chatnode_webhooks)
