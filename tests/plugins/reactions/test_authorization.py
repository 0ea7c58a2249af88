"""Who may react, and who learns of it: whoever sees the message and takes part."""

from __future__ import annotations

import json
from typing import Any

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.reactions.reacting import on, react
from tests.services.dialogue import Visitor, outcome

CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reactions.add", {"emoji": "🎉"}),
    ("reactions.set", {"emojis": ["🎉"]}),
    ("reactions.remove", {}),
)
ASKING = (*CHANGES, ("reactions.list", {}))


async def outcomes(who: User | Visitor, message: str) -> set[str]:
    return {await outcome(who.call(name, message=message, **fields)) for name, fields in ASKING}


async def test_a_stranger_learns_not_even_that_there_is_a_message(ann: User, bob: User, eve: User) -> None:
    message = await ann.says(await ann.direct(bob), "between us")
    await react(bob, message, "👍")
    for asked in (message, "0" * 32):
        assert await outcomes(eve, asked) == {"not_found"}
        with refused("not_found", "message") as told:
            await react(eve, asked, "👍")
        assert told.value.message == "no such message, or you may not see it"
    assert await eve.call("reactions.mine", messages=[message]) == {"messages": []}
    assert await outcomes(Visitor(ann.node), message) == {"unauthenticated"}
    assert await on(ann, message) == {"👍": ["bob"]}


async def test_who_left_is_out_and_what_they_said_of_it_stays(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob)
    message = await ann.says(room, "farewell")
    await react(bob, message, "😢")
    await bob.call("conversations.leave", conversation=room)
    bobs = await LiveSession.of(node, bob)
    assert await outcomes(bob, message) == {"not_member"}
    assert await bob.call("reactions.mine", messages=[message]) == {"messages": []}
    await react(ann, message, "👍")
    assert bobs.heard() == []
    assert await on(ann, message) == {"😢": ["bob"], "👍": ["ann"]}


async def test_a_newcomer_sees_nothing_of_what_was_before(node: Node, ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, history="since_joining")
    before = await ann.says(room, "before")
    await react(bob, before, "👍")
    await ann.call("conversations.members.add", conversation=room, member="eve")
    eves, anns = await LiveSession.of(node, eve), await LiveSession.of(node, ann)
    assert await outcomes(eve, before) == {"not_found"}
    await react(bob, before, "🎉")
    assert (len(anns.heard()), eves.heard()) == (1, [])
    after = await ann.says(room, "after")
    await react(bob, after, "👍")
    assert [each["message"] for each in eves.heard("reaction.changed")] == [after]
    assert await on(eve, after) == {"👍": ["bob"]}


async def test_a_newcomer_who_sees_the_history_may_react_to_it(ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, visibility="public")
    message = await ann.says(room, "before")
    await react(bob, message, "👍")
    assert await outcomes(eve, message) == {"not_found"}
    await eve.call("conversations.join", conversation=room)
    assert await on(eve, message) == {"👍": ["bob"]}
    await react(eve, message, "👍")
    assert await on(ann, message) == {"👍": ["bob", "eve"]}


async def test_after_a_block_nothing_new_and_what_there_is_can_be_taken_back(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "hello")
    await react(bob, message, "👍")
    await ann.call("people.block", person="bob")
    for who in (ann, bob):
        with refused("closed", "conversation"):
            await react(who, message, "😡")
        with refused("closed", "conversation"):
            await who.call("reactions.set", message=message, emojis=["😡"])
    assert await on(bob, message) == {"👍": ["bob"]}
    anns = await LiveSession.of(node, ann)
    await bob.call("reactions.remove", message=message)
    assert [each["counts"] for each in anns.heard()] == [{}]
    assert await on(bob, message) == {}


async def test_in_a_closed_conversation_the_same(ann: User, bob: User) -> None:
    room = await ann.group(bob)
    message = await ann.says(room, "done?")
    await react(bob, message, "👍")
    await ann.call("conversations.close", conversation=room)
    with refused("closed", "conversation"):
        await react(bob, message, "🎉")
    await react(bob, message, "👍")  # which is there
    await bob.call("reactions.set", message=message, emojis=[])
    await ann.call("conversations.reopen", conversation=room)
    await react(bob, message, "🎉")
    assert await on(ann, message) == {"🎉": ["bob"]}


async def test_with_somebody_who_is_deactivated_as_for_posting(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await bob.says(talk, "bye")
    await node.call("people.deactivate", person="bob")
    assert await outcome(react(ann, message, "😢")) == await outcome(ann.says(talk, "bye")) == "forbidden"


async def test_a_deleted_message_takes_no_reactions(ann: User, bob: User) -> None:
    message = await ann.says(await ann.direct(bob), "oops")
    await ann.call("messages.delete", message=message)
    for name, fields in CHANGES:
        with refused("gone", "message") as told:
            await bob.call(name, message=message, **fields)
        assert told.value.message == "this message was deleted"
    assert (await bob.call("reactions.list", message=message)) == {"reactions": [], "counts": {}}


async def test_a_system_message_takes_reactions(ann: User, node: Node) -> None:
    root = await User.new(node, "root", admin=True)
    room = await root.group(ann)
    fields = {"kind": "system", "system": {"type": "order.shipped"}}
    message = await root.says(room, "On its way", **fields)
    await react(ann, message, "🎉")
    assert await on(root, message) == {"🎉": ["ann"]}


async def test_the_operator_is_nobody_who_reacts(node: Node, ann: User) -> None:
    message = await ann.says(await ann.direct(ann), "note")
    for name, fields in ASKING:
        with refused("forbidden"):
            await node.call(name, message=message, **fields)


async def test_nobody_else_is_told(node: Node, ann: User, bob: User, eve: User) -> None:
    root = await User.new(node, "root", admin=True)
    sessions = [await LiveSession.of(node, who) for who in (eve, root)]
    room = await ann.group(bob)
    message = await ann.says(room, "hm")
    await react(bob, message, "👍")
    await bob.call("reactions.remove", message=message)
    assert json.dumps([session.pushes for session in sessions]) == "[[], []]"
