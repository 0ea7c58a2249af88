"""A user's events in the process: each once, in order, none lost, whatever happens meanwhile."""

from __future__ import annotations

import gc
import resource
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from chatnode.client import Live, Pushed, Reset
from chatnode.embed.events import LocalEvents, LocalItem
from chatnode.errors import Refusal
from chatnode.model.commands.resume import Cursor
from chatnode.model.events import MessagePosted
from chatnode.node import Node
from chatnode.testing import configured

from .test_callers import talk_of

POSTED = {"message.posted"}


async def next_of(events: LocalEvents, kind: str) -> Pushed:
    """The next event with this name."""
    with trio.fail_after(60):
        async for item in events:
            if isinstance(item, Pushed) and item.name == kind:
                return item
    raise AssertionError(f"the events ended before a {kind}")


async def texts(events: LocalEvents, most: int) -> list[str]:
    """The texts of the next messages."""
    return [_text(await next_of(events, "message.posted")) for _ in range(most)]


def _text(item: LocalItem) -> str:
    assert isinstance(item, Pushed)
    assert isinstance(item.event, MessagePosted)
    return item.event.message.text


async def post(node: Node, talk: str, *said: object) -> None:
    ann = node.person("ann", limits=False)
    for each in said:
        await ann.messages.post(conversation=talk, text=str(each))


async def post_many(node: Node, talk: str, numbers: range) -> None:
    """Many at a time, in order of their numbers."""
    left = iter(numbers)
    ann = node.person("ann", limits=False)

    async def some() -> None:
        for number in left:
            await ann.messages.post(conversation=talk, text=str(number))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(some)


# ---- how it begins


async def test_without_a_cursor_it_begins_with_the_inbox_as_it_is(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    await post(node, talk, "before")
    async with node.person("bob").events() as events:
        first, second = await anext(events), await anext(events)
        assert isinstance(first, Reset)
        assert [entry.unread for entry in first.inbox.conversations] == [1]
        assert isinstance(second, Live)
        await post(node, talk, "after")
        third = await anext(events)
        assert isinstance(third, Pushed)
        assert (_text(third), third.fields["message"]["text"]) == ("after", "after")


async def test_it_goes_on_after_the_cursor_of_the_last_item(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    cursor: Cursor | None = None
    found: list[str] = []
    for number in range(4):
        await post(node, talk, number * 2, number * 2 + 1)
        async with node.person("bob").events(cursor, kinds=POSTED) as events:
            if cursor is None:
                reset = await anext(events)
                assert isinstance(reset, Reset)
                cursor = reset.cursor
                continue
            item = await next_of(events, "message.posted")
            found.append(_text(item))
            cursor = item.cursor
    assert found == ["2", "3", "4"]


@pytest.mark.parametrize("cursor", [Cursor("0" * 32, 1), None], ids=["of a restored backup", "from the future"])
async def test_a_cursor_that_is_no_good_is_a_reset(node: Node, cursor: Cursor | None) -> None:
    await talk_of(node, "ann", "bob")
    async with node.person("bob").events(cursor or Cursor(node.core.epoch, 10_000)) as events:
        assert isinstance(await anext(events), Reset)


async def test_between_the_log_and_live_nothing_is_lost(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    cursor = Cursor(node.core.epoch, 0)
    found: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post_many, node, talk, range(600))
        async with node.person("bob").events(cursor, kinds=POSTED) as events:
            while len(found) < 600:
                found += await texts(events, 1)
    assert found == [message.text for message in await _messages(node, talk)]
    assert sorted(map(int, found)) == list(range(600))


async def _messages(node: Node, talk: str) -> list[Any]:
    found: list[Any] = []
    while True:
        after = found[-1].seq if found else 0
        page = (
            await node.person("bob", limits=False).messages.list(conversation=talk, after=after, limit=200)
        ).messages
        if not page:
            return found
        found += page


# ---- what is in it


async def test_only_what_is_asked_for_comes(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    await node.operator.people.create(handle="cay")
    other = (await node.person("ann").conversations.direct(with_="cay")).conversation
    mine = (await node.person("ann").conversations.direct(with_="ann")).conversation
    start = Cursor(node.core.epoch, 0)

    async def check(events: LocalEvents) -> None:
        assert await texts(events, 2) == ["one", "three"]

    await post(node, talk, "one")
    await post(node, mine, "two")
    await post(node, other, "three")
    async with node.person("ann").events(start, kinds=POSTED, conversations=[talk, other]) as from_the_log:
        await check(from_the_log)
    async with node.person("ann").events(kinds=POSTED, conversations=[talk, other]) as live:
        await post(node, talk, "one")
        await post(node, mine, "two")
        await post(node, other, "three")
        await check(live)


async def test_words_are_not_taken_for_collections(node: Node) -> None:
    with pytest.raises(TypeError, match=r"\{'message.posted'\}"):
        node.person("ann").events(kinds="message.posted")


async def test_names_that_no_event_has_are_refused(node: Node) -> None:
    with pytest.raises(ValueError, match=r"no event 'message.sent' can be asked for here; there are .*message.posted"):
        node.person("ann").events(kinds={"message.sent"})
    with pytest.raises(ValueError, match="no event 'typing' can be asked for here"):
        node.consumer("orders", {"typing"})


async def test_nobody_hears_what_is_not_for_them(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    await node.operator.people.create(handle="eve")
    own = (await node.person("eve").conversations.direct(with_="eve")).conversation
    async with node.person("eve").events(Cursor(node.core.epoch, 0)) as events:
        await post(node, talk, "secret")
        await node.person("eve").messages.post(conversation=own, text="end")
        assert await texts(events, 1) == ["end"]


async def test_who_typed_comes_too_and_the_reader_is_online(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    bob = node.person("bob")
    async with bob.events(kinds={"typing"}, conversations=[talk]) as events:
        await anext(events), await anext(events)
        assert (await node.person("ann").presence.get(people=["bob"])).people[0].online
        await node.person("ann").typing(conversation=talk)
        typing = await anext(events)
    assert isinstance(typing, Pushed)
    assert (typing.name, typing.gid, typing.cursor) == ("typing", None, None)
    assert typing.event is not None
    assert not (await node.person("ann").presence.get(people=["bob"])).people[0].online


# ---- a reader who is slow


@pytest.mark.parametrize("config", [configured(limits={"outbox_bytes": 5_000})], ids=[""])
async def test_a_slow_reader_gets_everything_once_and_in_order(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.person("bob").events(kinds=POSTED) as events:
        found = await _read_slowly(node, talk, events, 800)
    assert found == [int(message.text) for message in await _messages(node, talk)]
    assert sorted(found) == list(range(800))


async def _read_slowly(node: Node, talk: str, events: LocalEvents, number: int) -> list[int]:
    found: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post_many, node, talk, range(number))
        while len(found) < number:
            found += map(int, await texts(events, 1))
            if len(found) % 100 == 0:
                await trio.sleep(0.02)
    return found


@pytest.mark.slow
async def test_a_hundred_thousand_events_at_a_slow_reader(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    gids: list[int] = []
    async with trio.open_nursery() as nursery:
        async with node.person("bob").events(kinds=POSTED) as events:
            nursery.start_soon(post_many, node, talk, range(100_000))
            most = 0
            while len(gids) < 100_000:
                gids.append((await next_of(events, "message.posted")).gid or 0)
                if len(gids) % 1_000 == 0:
                    await trio.sleep(0.05)
                if len(gids) == 20_000:
                    early = memory()
                if len(gids) > 20_000 and len(gids) % 1_000 == 0:
                    most = max(most, memory())
    stored = await node.core.db.read(
        lambda reader: [gid for (gid,) in reader.execute("SELECT gid FROM messages ORDER BY gid")]
    )
    assert gids == stored
    assert len(gids) == 100_000
    assert most < early + (24 << 20), "100,000 messages are 100 MiB as objects; the gids in this list are 4 MiB"


def memory() -> int:
    """What this process holds, in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


async def test_one_who_is_cancelled_while_waiting_misses_nothing(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    found: list[str] = []
    async with node.person("bob").events(kinds=POSTED) as events:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post_many, node, talk, range(200))
            for number in count():
                if len(found) == 200:
                    break
                with trio.move_on_after(0.001 * 2 ** (number % 9)):
                    while True:
                        item = await anext(events)
                        if isinstance(item, Pushed):
                            found.append(_text(item))
                await trio.lowlevel.checkpoint()
    assert found == [message.text for message in await _messages(node, talk)]


# ---- how it ends


@pytest.mark.parametrize(
    "config",
    [configured(limits={"outbox_bytes": 5_000_000}), configured(limits={"outbox_bytes": 1_000})],
    ids=["in time", "behind"],
)
@pytest.mark.parametrize("end", ["deactivate", "erase"])
async def test_it_ends_with_the_account(node: Node, end: str) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.person("bob").events(kinds={*POSTED, "person.updated"}) as events:
        await post(node, talk, *range(20))
        if end == "deactivate":
            await node.operator.people.deactivate(person="bob")
        else:
            await node.operator.people.erase(person="bob", handle="bob")
        with trio.fail_after(60):
            items = [item async for item in events]
    found = [item.name for item in items if isinstance(item, Pushed)]
    # Who is erased has left, and the log shows them nothing any more.
    if (
        end == "deactivate" or node.core.config.limits.outbox_bytes > 1_000
    ):  # who is erased has left, and the log shows them nothing any more
        assert found == ["message.posted"] * 20 + ["person.updated"]
    assert len(node.sessions) == 0
    code = "not_found" if end == "erase" else "forbidden"
    with pytest.raises(Refusal) as error:
        await anext(node.person("bob").events())
    assert error.value.code == code


async def test_another_role_interrupts_nothing(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.person("bob").events(kinds=POSTED) as events:
        await post(node, talk, "one")
        await node.operator.people.role(person="bob", role="moderator")
        await post(node, talk, "two")
        assert await texts(events, 2) == ["one", "two"]


async def test_it_ends_when_the_role_may_chat_no_more(node: Node) -> None:
    """Also for a user without any token, as a program's users are."""
    talk = await talk_of(node, "ann", "bob")
    await node.operator.roles.set(role="guest", permissions=["chat"])
    await node.operator.people.role(person="bob", role="guest")
    async with node.person("bob").events(kinds=POSTED) as events:
        await post(node, talk, "before")
        assert await texts(events, 1) == ["before"]
        await node.operator.roles.set(role="guest", permissions=["operate"])
        await post(node, talk, "after")
        with trio.fail_after(60):
            assert [item async for item in events if isinstance(item, Pushed)] == []


async def test_a_role_with_other_permissions_interrupts_nothing(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.person("bob").events(kinds=POSTED) as events:
        await post(node, talk, "one")
        await node.operator.roles.set(role="member", permissions=["chat"])
        await post(node, talk, "two")
        assert await texts(events, 2) == ["one", "two"]


async def test_it_goes_on_when_the_node_stops_serving(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with trio.open_nursery() as nursery:
        await nursery.start(node.serve, "127.0.0.1:0")
        events = node.person("bob").events(kinds=POSTED)
        assert isinstance(await anext(events), Reset)
        await post(node, talk, "one")
        nursery.cancel_scope.cancel()
    await post(node, talk, "two")
    assert await texts(events, 2) == ["one", "two"]
    await events.aclose()


async def test_one_that_nobody_refers_to_is_closed(node: Node) -> None:
    await talk_of(node, "ann", "bob")
    async for _ in node.person("bob").events():
        assert len(node.sessions) == 1
        break
    gc.collect()
    await trio.testing.wait_all_tasks_blocked()
    assert len(node.sessions) == 0


async def test_after_closing_there_is_nothing_more(node: Node) -> None:
    await talk_of(node, "ann", "bob")
    events = node.person("bob").events()
    await anext(events)
    await events.aclose()
    await events.aclose()
    assert [item async for item in events] == []
    assert len(node.sessions) == 0
