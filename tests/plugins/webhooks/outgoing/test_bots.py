"""Endpoints of bots that users own: who manages them, and what a program answers to slash commands and buttons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import chatnode_notifications
import chatnode_webhooks
import pytest
import trio
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.settling import Done, Unsettled, store_outcomes

from chatnode.api import HOUR_MS, now_ms
from chatnode.node import Node
from chatnode.storage.log import log
from chatnode.testing import LiveUser, User, refused
from chatnode.testing.people import PATIENCE
from tests.bots import with_buttons
from tests.plugins.webhooks.outgoing.dialogue import (
    INVOCATIONS,
    endpoint,
    id_of,
    pass_time,
    rows,
    sending,
    until,
    until_rows,
)
from tests.plugins.webhooks.outgoing.receiver import Answering, Got, Receiver, answer


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_webhooks, chatnode_notifications]


def says(said: dict[str, Any]) -> bytes:
    return answer(200, body=json.dumps(said).encode())


def saying(said: dict[str, Any]) -> Answering:
    def respond(got: Got) -> bytes:
        return says(said)

    return respond


def fail(got: Got) -> bytes:
    return answer(500)


async def test_an_owner_manages_the_endpoints_of_her_bots(
    node: Node, receiver: Receiver, other: Receiver, maker: User, ci: User
) -> None:
    rival = await User.new(node, "rival", role="maker")
    await rival.call("bots.create", handle="theirs")
    added = await endpoint(maker, receiver, bot="ci")
    id = id_of(added)
    assert added["secret"].startswith("whsec_")
    assert [each["endpoint"] for each in (await maker.call("webhooks.endpoints.list", bot="ci"))["endpoints"]] == [id]
    for verb in ("get", "pause", "resume", "rotate", "update", "test"):
        await maker.call(f"webhooks.endpoints.{verb}", endpoint=id)
        with refused("not_found", "endpoint"):
            await rival.call(f"webhooks.endpoints.{verb}", endpoint=id)
    for name, fields in (("deliveries", {}), ("attempts", {}), ("recover", {}), ("replay", {"from_gid": 1})):
        await maker.call(f"webhooks.{name}", endpoint=id, **fields)
        with refused("not_found", "endpoint"):
            await rival.call(f"webhooks.{name}", endpoint=id, **fields)
    with refused("forbidden"):
        await endpoint(maker, other, bot="theirs")
    with refused("forbidden"):
        await maker.call("webhooks.endpoints.list", bot="theirs")
    with refused("forbidden"):
        await maker.call("webhooks.endpoints.list")
    with refused("forbidden"):
        await endpoint(maker, other, bot="maker")


async def test_an_owner_who_may_not_make_bots_any_more_looks_and_removes(
    node: Node, receiver: Receiver, other: Receiver, maker: User, ci: User
) -> None:
    id = id_of(await endpoint(maker, receiver, bot="ci"))
    await node.call("people.role", person="maker", role="member")
    assert [each["endpoint"] for each in (await maker.call("webhooks.endpoints.list", bot="ci"))["endpoints"]] == [id]
    assert (await maker.call("webhooks.endpoints.get", endpoint=id))["endpoint"]["url"] == receiver.url
    for name in ("deliveries", "attempts"):
        await maker.call(f"webhooks.{name}", endpoint=id)
    with refused("forbidden"):
        await endpoint(maker, other, bot="ci")
    for verb in ("pause", "resume", "rotate", "update", "test"):
        with refused("forbidden"):
            await maker.call(f"webhooks.endpoints.{verb}", endpoint=id)
    for name, fields in (("recover", {}), ("replay", {"from_gid": 1})):
        with refused("forbidden"):
            await maker.call(f"webhooks.{name}", endpoint=id, **fields)
    await maker.call("webhooks.endpoints.remove", endpoint=id)
    assert (await maker.call("webhooks.endpoints.list", bot="ci"))["endpoints"] == []


async def test_a_slash_command_is_answered_in_the_body(
    node: Node, receiver: Receiver, maker: LiveUser, ci: User, room: str
) -> None:
    answers: dict[str, bytes] = {
        "quietly": says({"response_type": "ephemeral", "text": "deploying quietly"}),
        "loudly": says({"response_type": "in_channel", "text": "deploying loudly"}),
        "by-itself": says({"text": "deploying by itself"}),
    }

    def respond(got: Got) -> bytes:
        return answers[got.json["data"]["text"]]

    receiver.answers = respond
    added = await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    for word in answers:
        await maker.call("slash.run", conversation=room, text=f"/deploy {word}", cid=word)
    got = await receiver.until_got(3)
    assert {each.json["type"] for each in got} == {"slash.invoked"}
    assert all(each.verified_by(added["secret"]) for each in got)
    seen = [await maker.hears("notice.private"), await maker.hears("notice.private")]
    assert {each["notice"]["text"] for each in seen} == {"deploying quietly", "deploying by itself"}
    posted = await maker.hears("message.posted")
    assert (posted["message"]["text"], posted["message"]["sender"]["handle"]) == ("deploying loudly", "ci")


async def test_a_retry_answers_once(node: Node, receiver: Receiver, maker: LiveUser, ci: User, room: str) -> None:
    receiver.answers = saying({"response_type": "in_channel", "text": "done"})
    id = id_of(await endpoint(maker, receiver, INVOCATIONS, bot="ci"))
    await maker.call("slash.run", conversation=room, text="/deploy main", cid="run")
    await maker.hears("message.posted")
    for count in (1, 2, 3):
        await receiver.until_got(count)
        await until_rows(node, "SELECT key FROM webhooks_attempts", lambda found, count=count: len(found) == count)
        await maker.call("webhooks.replay", endpoint=id, event=receiver.ids[0])
    assert len(set(receiver.ids)) == 1
    await maker.call("slash.run", conversation=room, text="/deploy next", cid="next")
    await maker.hears("message.posted")
    texts = await maker.reads(room)
    assert texts.count("done") == 2


async def test_a_pressed_button_is_answered_in_the_body(
    node: Node, receiver: Receiver, maker: LiveUser, ci: User, room: str
) -> None:
    def respond(got: Got) -> bytes:
        return says({"text": f"you pressed {got.json['data']['action']}"})

    receiver.answers = respond
    await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    message = await with_buttons(ci, room)
    await maker.call("actions.invoke", message=message, action="approve", cid="press")
    assert (await maker.hears("notice.private"))["notice"]["text"] == "you pressed approve"


async def test_an_answer_that_is_refused_is_told_and_not_tried_again(
    node: Node, receiver: Receiver, maker: LiveUser, ci: User, room: str
) -> None:
    bodies: list[bytes] = [
        b"ok", b"", b"[1]", b"[" * 16_000, b'{"ok": true}', b'{"text": " "}', b"\xff",  # no answer, and nothing wrong
        b'{"text": 5}', b'{"text": "x", "response_type": "loud"}', b'{"text": "x", "response_type": []}',
        json.dumps({"text": "x" * 16_001}).encode(),
    ]  # fmt: skip

    def respond(got: Got) -> bytes:
        return answer(200, body=bodies[int(got.json["data"]["text"])])

    receiver.answers = respond
    id = id_of(await endpoint(maker, receiver, INVOCATIONS, bot="ci"))
    for number in range(len(bodies)):
        await maker.call("slash.run", conversation=room, text=f"/deploy {number}", cid=str(number))
    await receiver.until_got(len(bodies))

    errors: list[str | None] = []
    with trio.move_on_after(PATIENCE):
        while len(errors) < len(bodies):
            await trio.sleep(0.01)
            found = (await maker.call("webhooks.attempts", endpoint=id))["attempts"]
            errors = [each.get("error") for each in found]
    assert sorted(each.partition(":")[0] for each in errors if each is not None) == ["its answer was refused"] * 4
    assert (await maker.call("webhooks.deliveries", endpoint=id))["deliveries"] == []
    assert not [each for each in maker.heard("notice.private") if "status" not in each["notice"]]


async def test_answers_are_read_like_posts_of_incoming_webhooks(
    node: Node, receiver: Receiver, maker: LiveUser, ci: User, room: str
) -> None:
    attachment = {"title": "Build 7", "title_link": "https://ci.example.org/7"}
    receiver.answers = saying({
        "response_type": "in_channel", "text": f"<@{maker.id}> &lt;3", "attachments": [attachment],
    })  # fmt: skip
    await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    await maker.call("slash.run", conversation=room, text="/deploy main", cid="run")
    posted = await maker.hears("message.posted")
    assert posted["message"]["text"] == "@maker <3\n\n[Build 7](https://ci.example.org/7)"


async def test_nothing_else_is_answered(node: Node, receiver: Receiver, maker: LiveUser, ci: User, room: str) -> None:
    """A message is no invocation, whatever its receiver replies."""
    receiver.answers = saying({"response_type": "in_channel", "text": "echo"})
    await endpoint(maker, receiver, ["*"], bot="ci")
    await maker.says(room, "hello")
    await receiver.until(lambda: "message.posted" in receiver.kinds)
    await maker.says(room, "again")
    await receiver.until(lambda: receiver.kinds.count("message.posted") == 2)
    texts = await maker.reads(room)
    assert "echo" not in texts


async def test_owners_and_managers_are_notified_of_failures(
    node: Node, receiver: Receiver, maker: User, mia: User, ci: User, room: str
) -> None:
    """With the plugin that notifies."""
    receiver.answers = fail
    id = id_of(await endpoint(maker, receiver, bot="ci"))
    await maker.says(room, "hello")
    await receiver.until_got(1)
    await until(node, id, lambda found: "failing_since" in found)
    await pass_time(node, id, 25 * HOUR_MS)
    await receiver.until_got(2)
    for who in (maker, mia):
        found = await notification(who)
        assert found["title"] == "A webhook is failing"
        assert receiver.authority in found["body"]
        assert "canary" not in found["body"]


async def test_they_are_notified_although_the_node_stopped_meanwhile(
    node: Node, nursery: trio.Nursery, receiver: Receiver, maker: User, ci: User, running: trio.CancelScope
) -> None:
    id = id_of(await endpoint(maker, receiver, bot="ci"))
    running.cancel()
    [(key, cursor)] = await rows(node, "SELECT key, cursor FROM webhooks_endpoints")
    gone = Done(cursor + 1, "message.posted", Attempt("gone", now_ms(), 5, 410), None)
    await node.core.db.write(lambda tx: store_outcomes(tx, key, Unsettled([gone], cursor, None, trim=False)))
    assert (await node.call("webhooks.endpoints.get", endpoint=id))["endpoint"]["state"] == "disabled"
    await sending(node, nursery)
    assert (await notification(maker))["title"] == "A webhook was disabled"
    await until_rows(node, "SELECT notice FROM webhooks_endpoints", lambda found: found == [(None,)])


async def notification(who: User) -> dict[str, Any]:
    """Wait for the only one of a user."""
    with trio.fail_after(PATIENCE):
        while not (found := (await who.call("notifications.list"))["notifications"]):  # noqa: ASYNC110 - of a task
            await trio.sleep(0.01)
    [only] = found
    return only


@pytest.mark.parametrize("settings", [{"per_minute": 0, "endpoints": 3}])
async def test_bots_that_were_ended_take_no_room(node: Node, receiver: Receiver, maker: User, mia: User) -> None:
    """Else one user could use up the endpoints of all by making bots and ending them."""
    for number in range(4):
        await maker.call("bots.create", handle=f"bot-{number}")
        for place in "ab":
            url = f"{receiver.url}&{place}"
            await maker.call("webhooks.endpoints.add", url=url, kinds=["message.*"], bot=f"bot-{number}")
        await maker.call("bots.remove", bot=f"bot-{number}")
    await endpoint(mia, receiver, ["crm.*"])


async def test_the_log_is_read_in_turn(node: Node, receiver: Receiver, maker: User, ci: User, room: str) -> None:
    """Users' own reads do not wait for endpoints: while all turns of costly queries are taken, theirs are answered."""
    await endpoint(maker, receiver, bot="ci")
    async with AsyncExitStack() as turns:
        for number in range(max(1, node.core.config.storage.readers - 1)):
            await turns.enter_async_context(node.core.queries.turn(f"other {number}"))
        await maker.says(room, "hello")
        assert await maker.reads(room) == ["hello"]
        await trio.sleep(0.1)
        assert receiver.got == []
    await receiver.until(lambda: "message.posted" in receiver.kinds)


async def test_an_endpoint_is_not_told_of_to_who_managed_it_once(
    node: Node, receiver: Receiver, other: Receiver, maker: User, mia: User, ci: User
) -> None:
    """Events that are told again show how things are now: for those who may know. An owner knows what is hers."""
    since = await node.core.db.read(log.head)
    id = id_of(await endpoint(maker, receiver, bot="ci"))
    for who in ("maker", "mia"):
        await node.call("people.role", person=who, role="member")
    await node.call("webhooks.endpoints.update", endpoint=id, url=other.url)
    context = node.plugins.loaded["webhooks"].context

    async def told(who: User) -> list[str]:
        found, _ = await context.events_for(who.key, since)
        return [each["endpoint"]["url"] for each in found if each["event"] == "webhooks.endpoint.changed"]

    assert await told(mia) == []
    origin = f"http://{other.authority}"  # the rest may be a secret, and all sessions of a user hear events
    assert set(await told(ci)) == set(await told(maker)) == {origin}
    await maker.call("bots.remove", bot="ci")
    assert await told(maker) == []


async def test_an_invocation_that_failed_is_not_for_a_bot_that_has_left(
    node: Node, receiver: Receiver, maker: User, ci: User, room: str
) -> None:
    receiver.answers = fail
    id = id_of(await endpoint(maker, receiver, INVOCATIONS, bot="ci"))
    await maker.call("slash.run", conversation=room, text="/deploy secret", cid="run")
    await receiver.until_got(1)
    await until(node, id, lambda found: found["pending"])
    await maker.call("conversations.members.remove", conversation=room, member="ci")
    await pass_time(node, id, HOUR_MS)
    await until(node, id, lambda found: not found["pending"])
    assert len(receiver.got) == 1
