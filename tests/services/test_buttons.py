"""Buttons of bots' messages: what they may be, who may press them, and what the bot hears."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import LiveUser, User, refused
from tests.bots import APPROVE, REJECT, exported, make_bot, with_buttons
from tests.services.dialogue import Visitor, assert_sound, outcome
from tests.services.test_slash import missed


@pytest.fixture
def only_plugins() -> tuple[()]:
    """A node without plugins opens faster."""
    return ()


async def press(who: User, message: str, action: str = "approve", cid: str = "1") -> dict[str, Any]:
    return await who.does("actions.invoke", message=message, action=action, cid=cid)


async def test_a_user_approves_by_a_button(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, room=room, by=ann)
    message = await with_buttons(ci, room)
    posted = (await bob.hears("message.posted"))["message"]
    assert posted["actions"] == [APPROVE, REJECT]
    assert (await bob.sees(room))[0] == (await bob.does("messages.get", message=message))["message"] == posted

    pressed = await press(bob, message)
    assert (pressed["dup"], pressed["bot"]["handle"]) == (False, "ci")
    heard = await ci.hears("action.invoked", message=message, action="approve", conversation=room)
    assert (heard["invocation"], heard["person"]["handle"]) == (pressed["invocation"], "bob")
    assert ann.heard("action.invoked") == bob.heard("action.invoked") == []

    await ci.does("messages.edit", message=message, text="Deploying main.", actions=[])
    edited = (await ann.hears("message.edited"))["message"]
    assert (edited["text"], "actions" in edited) == ("Deploying main.", False)
    await ci.does("slash.reply", invocation=pressed["invocation"], text="thank you")
    assert (await bob.hears("notice.private"))["notice"]["text"] == "thank you"
    with refused("not_found", "action"):
        await press(ann, message)
    await assert_sound(node)


async def test_a_press_is_told_once(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, room=room, by=ann)
    message = await with_buttons(ci, room)
    first = await press(ann, message)
    assert await press(ann, message) == first | {"dup": True}
    with refused("conflict", "cid"):
        await press(ann, message, "reject")
    await ci.does("messages.delete", message=message)
    assert len(ci.heard("action.invoked")) == 1


async def test_who_may_press(node: Node, ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    """Members who see the message: not strangers, nor those who have left or came later, nor bots."""
    late = await User.new(node, "late")
    room = await ann.group(bob, history="since_joining")
    ci = await make_bot(node, room=room, by=ann)
    message = await with_buttons(ci, room)
    await ann.does("conversations.members.remove", conversation=room, member="bob")
    await ann.does("conversations.members.add", conversation=room, member="late")
    root = await User.new(node, "root", admin=True)
    found = {who.handle: await outcome(press(who, message)) for who in (ann, bob, eve, late, root, ci)}
    assert found == {
        "ann": "ok",
        "bob": "not_member",
        "eve": "not_found",
        "late": "not_found",
        "root": "not_found",
        "ci": "forbidden",
    }
    visitor = Visitor(node)
    asked = visitor.call("actions.invoke", message=message, action="approve", cid="1")
    assert await outcome(asked) == "unauthenticated"
    assert [each["person"]["handle"] for each in ci.heard("action.invoked")] == ["ann"]


async def test_nothing_can_be_pressed_where_nothing_can_come_of_it(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, room=room, by=ann)
    plain, message = await ann.says(room, "hello"), await with_buttons(ci, room)
    assert await outcome(press(ann, plain)) == "not_found"
    assert await outcome(press(ann, message, "other")) == "not_found"
    assert await outcome(press(ann, "0" * 32)) == "not_found"
    await ann.does("conversations.close", conversation=room)
    assert await outcome(press(ann, message)) == "closed"
    await ann.does("conversations.reopen", conversation=room)
    await ann.does("conversations.members.remove", conversation=room, member="ci")
    assert await outcome(press(ann, message)) == "gone"
    await ann.does("conversations.members.add", conversation=room, member="ci")
    await node.call("people.deactivate", person="ci")
    assert await outcome(press(ann, message)) == "forbidden"
    await node.call("people.reactivate", person="ci")
    await ann.does("messages.delete", message=message, reason="moderation")
    assert await outcome(press(ann, message)) == "gone"
    assert ci.heard("action.invoked") == []


async def test_only_bots_post_buttons_and_only_with_text(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, room=room, by=ann)
    with refused("forbidden", "actions"):
        await with_buttons(ann, room)
    place = {"latitude": 1.0, "longitude": 2.0}
    with refused("invalid", "actions"):
        await ci.says(room, "here", kind="location", location=place, actions=[APPROVE])
    mine = await ann.says(room, "hello", actions=[])
    with refused("forbidden", "actions"):
        await ann.does("messages.edit", message=mine, text="hello", actions=[APPROVE])


@pytest.mark.parametrize(
    ("actions", "code", "path"),
    [
        ([{"id": "a b", "label": "x"}], "invalid", "actions.0.id"),
        ([{"id": "a", "label": ""}], "invalid", "actions.0.label"),
        ([{"id": "a", "label": "x\ny"}], "invalid", "actions.0.label"),
        ([{"id": "a", "label": "x" * 81}], "invalid", "actions.0.label"),
        ([{"id": "a", "label": "x", "style": "huge"}], "invalid", "actions.0.style"),
        ([{"id": "a", "label": "x", "url": "http://example.org"}], "invalid", "actions.0.url"),
        ([APPROVE, REJECT, APPROVE], "invalid", "actions.2.id"),
        ([{"id": str(number), "label": "x"} for number in range(11)], "invalid", "actions"),
        (
            [{"id": str(number), "label": "日" * 80, "confirm": "本" * 300} for number in range(10)],
            "too_large",
            "actions",
        ),
    ],
    ids=str,
)
async def test_buttons_have_bounds(
    shared: tuple[LiveUser, str], actions: list[dict[str, Any]], code: str, path: str
) -> None:
    ci, room = shared
    with refused(code, path):
        await with_buttons(ci, room, *actions)


@pytest.fixture
async def shared(node: Node, ann: LiveUser) -> tuple[LiveUser, str]:
    room = await ann.group()
    return await make_bot(node, room=room, by=ann), room


async def test_ten_buttons_fit(shared: tuple[LiveUser, str], ann: LiveUser) -> None:
    ci, room = shared
    actions = [{"id": str(number), "label": "x" * 80, "confirm": "y" * 300} for number in range(10)]
    await with_buttons(ci, room, *actions)
    assert (await ann.sees(room))[0]["actions"] == actions


async def test_a_repeat_of_the_posting_must_have_the_same_buttons(shared: tuple[LiveUser, str]) -> None:
    ci, room = shared
    sent = {"conversation": room, "cid": "1", "text": "Deploy?", "actions": [APPROVE]}
    first = await ci.does("messages.post", **sent)
    await ci.does("messages.edit", message=first["message"], text="Deployed.", actions=[])
    assert await ci.does("messages.post", **sent) == first | {"dup": True}
    for other in ({**sent, "actions": [REJECT]}, {key: sent[key] for key in sent if key != "actions"}):
        with refused("conflict", "cid"):
            await ci.does("messages.post", **other)


async def test_edits_change_text_and_buttons_apart(shared: tuple[LiveUser, str], ann: LiveUser) -> None:
    ci, room = shared
    message = await with_buttons(ci, room)
    edit = {"message": message, "text": "Deploy main?"}
    await ci.does("messages.edit", **edit)
    await ci.does("messages.edit", **edit, actions=[APPROVE, REJECT])
    assert ann.heard("message.edited") == []  # nothing has changed
    changed = (await ci.does("messages.edit", **edit, actions=[REJECT]))["message"]
    assert (changed["actions"], "edits" in changed) == ([REJECT], False)
    changed = (await ci.does("messages.edit", message=message, text="Deploy other?"))["message"]
    assert (changed["actions"], changed["edits"]) == ([REJECT], 1)
    editions = (await ann.does("messages.history", message=message))["editions"]
    assert [each["text"] for each in editions] == ["Deploy main?", "Deploy other?"]
    assert len(ann.heard("message.edited")) == 2


async def test_buttons_are_erased_with_their_message(shared: tuple[LiveUser, str], node: Node, ann: LiveUser) -> None:
    ci, room = shared
    message = await with_buttons(ci, room, {"id": "a", "label": "zebrafinch"})
    await press(ann, message, "a")
    since = 0
    await ci.does("messages.delete", message=message)
    assert "actions" not in (await ann.sees(room))[0]

    def holds(reader: Any) -> int:
        (rows,) = reader.execute("SELECT count(*) FROM messages WHERE content IS NOT NULL").fetchone()
        (pressed,) = reader.execute("SELECT count(*) FROM bots_invocations").fetchone()
        return rows + pressed

    assert await node.core.db.read(holds) == 0
    assert "action.invoked" not in [each["event"] for each in await missed(node, ci, since)]
    await assert_sound(node)


async def test_buttons_are_in_pages_exports_and_filters(shared: tuple[LiveUser, str], ann: LiveUser) -> None:
    ci, room = shared
    message = await with_buttons(ci, room)
    (found,) = (await ann.does("items.query", collection="messages", fields="message_id,content"))["data"]
    assert found == {"message_id": message, "content": {"actions": [APPROVE, REJECT]}}
    (entry,) = await exported(ci, "message")
    assert entry["data"]["content"] == {"actions": [APPROVE, REJECT]}
    assert (await ann.entry(room))["last"]["actions"] == [APPROVE, REJECT]
    assert [hit["message"]["message"] for hit in (await ann.does("search.messages", query="main"))["results"]] == [
        message
    ]


async def test_old_messages_go_with_what_was_pressed(node: Node, ann: LiveUser) -> None:
    room = await ann.group(retention_days=1)
    ci = await make_bot(node, room=room, by=ann)
    await press(ann, await with_buttons(ci, room))
    await node.core.db.write(lambda tx: tx.execute("UPDATE messages SET at = at - 172800000"))
    assert (await node.call("jobs.run", job="retention"))["job"]["ok"]
    (receipt,) = (await node.call("retention.list"))["removals"]
    assert receipt["counts"]["bots_invocations"] == 1
    await assert_sound(node)
