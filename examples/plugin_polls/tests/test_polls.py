"""People vote: all are told the counts, each user their own vote, and nobody else's."""

from __future__ import annotations

from typing import Any

import chatnode_polls

from chatnode.testing import LiveUser, Node, check_plugin, connect, refused


async def start(who: LiveUser, conversation: str, cid: str = "lunch", *options: str) -> str:
    poll = await who.does(
        "polls.start", conversation=conversation, cid=cid, question="Lunch?", options=list(options or ("soup", "salad"))
    )
    return poll["message"]


async def mine(who: LiveUser, message: str) -> Any:
    (poll,) = (await who.does("polls.get", messages=[message]))["polls"]
    return poll.get("mine"), poll["votes"]


async def test_a_poll_is_a_message_that_any_client_can_show(ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    message = await start(ann, room)
    (shown,) = await bob.sees(room)
    assert (shown["message"], shown["text"], shown["sender"]["handle"]) == (message, "Lunch?\n1. soup\n2. salad", "ann")
    assert shown["extra"]["polls"] == {"question": "Lunch?", "options": ["soup", "salad"], "votes": [0, 0]}


async def test_each_viewer_is_shown_their_own_vote_and_events_show_nobodys(ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    message = await start(ann, room)
    everybodys = {"question": "Lunch?", "options": ["soup", "salad"], "votes": [1, 1]}
    await ann.does("polls.vote", message=message, option=0)
    await bob.does("polls.vote", message=message, option=1)
    assert [(await each.sees(room))[0]["extra"]["polls"] for each in (ann, bob)] == [
        everybodys | {"mine": 0},
        everybodys | {"mine": 1},
    ]
    await ann.does("messages.edit", message=message, text="Lunch today?")
    for each in (ann, bob):
        assert (await each.hears("message.edited"))["message"]["extra"]["polls"] == everybodys
    await bob.does("polls.vote", message=message)
    assert (await bob.sees(room))[0]["extra"]["polls"] == everybodys | {"votes": [1, 0]}


async def test_no_client_writes_metadata_that_looks_like_a_polls(ann: LiveUser) -> None:
    room = await ann.group()
    for forged in ("polls.id", "polls."):
        with refused("invalid", "metadata"):
            await ann.says(room, "Lunch?", metadata={"mine": "1", forged: "1"})
    await ann.says(room, "Lunch?", metadata={"pollster": "1"})
    assert ["extra" in each for each in await ann.sees(room)] == [False]


async def test_all_hear_the_counts_and_each_their_own_vote(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    message = await start(ann, await ann.group(bob))
    await bob.does("polls.vote", message=message, option=1)
    for each in (ann, bob):
        assert (await each.hears("poll.changed", message=message))["votes"] == [0, 1]
    await bob.hears("poll.voted", message=message, option=1)
    await ann.does("polls.vote", message=message, option=1)
    assert (await bob.hears("poll.changed"))["votes"] == [0, 2]
    await bob.does("polls.vote", message=message, option=0)
    assert [(await ann.hears("poll.changed"))["votes"] for _ in range(2)] == [[0, 2], [1, 1]]
    assert [push.get("option") for push in ann.heard("poll.voted")] == [1]  # and nothing of bob's
    assert [push.get("option") for push in bob.heard("poll.voted")] == [1, 0]
    assert eve.heard("poll.changed") == []
    assert (await mine(ann, message), await mine(bob, message)) == ((1, [1, 1]), (0, [1, 1]))


async def test_a_vote_counts_once_and_can_be_taken_back(ann: LiveUser) -> None:
    message = await start(ann, await ann.group())
    for option in (0, 0, 1):
        await ann.does("polls.vote", message=message, option=option)
    assert await mine(ann, message) == (1, [0, 1])
    assert (await ann.does("polls.vote", message=message))["votes"] == [0, 0]
    assert [push["votes"] for push in ann.heard("poll.changed")] == [[1, 0], [0, 1], [0, 0]]


async def test_starting_again_starts_no_second_poll(ann: LiveUser) -> None:
    room = await ann.group()
    assert await start(ann, room) == await start(ann, room)
    assert len(await ann.sees(room)) == 1
    with refused("conflict", "cid"):
        await start(ann, room, "lunch", "something", "else")


async def test_what_was_missed_is_told_as_it_is_now(url: str, ann: LiveUser, bob: LiveUser) -> None:
    message = await start(ann, await ann.group(bob))
    async with connect(url, await bob.token()) as phone:
        cursor = (await anext(phone.events())).cursor
    for option in (0, 1):
        await bob.does("polls.vote", message=message, option=option)
    async with connect(url, await bob.token(), cursor=cursor) as phone:
        missed: list[tuple[str, dict[str, Any]]] = []
        items: Any = phone.events()
        async for item in items:
            if not hasattr(item, "fields"):  # it is live: what was missed has come
                break
            missed.append((item.name, item.fields))
    assert [fields["votes"] for name, fields in missed if name == "poll.changed"] == [[0, 1], [0, 1]]
    assert [fields["option"] for name, fields in missed if name == "poll.voted"] == [1, 1]


async def test_only_who_sees_the_message_votes(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    room = await ann.group(bob)
    message, plain = await start(ann, room), await ann.says(room, "no poll")
    with refused("not_found", "message"):
        await eve.does("polls.vote", message=message, option=0)
    assert (await eve.does("polls.get", messages=[message]))["polls"] == []
    with refused("not_found", "message"):
        await bob.does("polls.vote", message=plain, option=0)
    with refused("invalid", "option"):
        await bob.does("polls.vote", message=message, option=2)
    await ann.does("conversations.close", conversation=room)
    with refused("closed"):
        await bob.does("polls.vote", message=message, option=0)


async def test_a_poll_has_two_to_twenty_options(ann: LiveUser) -> None:
    room = await ann.group()
    wrong: tuple[list[str], ...] = ([], ["alone"], [""] * 2, ["x"] * 21)
    for options in wrong:
        with refused("invalid"):
            await ann.does("polls.start", conversation=room, cid="1", question="Lunch?", options=options)
    assert await ann.sees(room) == []


async def test_a_deleted_poll_and_an_erased_voter_leave_nothing(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    message, other = await start(ann, room, "one"), await start(ann, room, "two")
    for each in (message, other):
        await bob.does("polls.vote", message=each, option=0)
    await ann.does("messages.delete", message=message)
    assert (await ann.does("polls.get", messages=[message]))["polls"] == []
    assert [each.get("extra") is not None for each in await ann.sees(room)] == [False, True]
    await node.call("people.erase", person="bob", handle="bob")
    assert await mine(ann, other) == (None, [0, 0])


def test_plugin_declaration() -> None:
    check_plugin(chatnode_polls)
