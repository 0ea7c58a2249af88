"""Events and consumers in a process that is attached to the owner of the node, and when another owner comes."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator
from pathlib import Path

import attrs
import pytest
import trio

from chatnode.client import Live, Pushed, Reset
from chatnode.config import Config, Limits, Server
from chatnode.embed.attaching import SharedNode, open_shared
from chatnode.embed.shared_events import SharedEvents
from chatnode.errors import Refusal

from .owners import Owners, opener
from .plugins import Waiting

UNLIMITED = Limits(posts_per_minute=0, requests_per_minute=0, changes_per_minute=0)


@pytest.fixture
def config() -> Config:
    return Config(server=Server(shutdown_seconds=0.5), limits=UNLIMITED)


@pytest.fixture
async def owners(tmp_path: Path, config: Config, nursery: trio.Nursery) -> AsyncGenerator[Owners]:
    owners = Owners(tmp_path / "data", config, nursery)
    await owners.start()
    yield owners
    await owners.stop()


@pytest.fixture
async def attached(owners: Owners, tmp_path: Path) -> AsyncGenerator[SharedNode]:
    async with open_shared(tmp_path / "data", None, start_seconds=10.0) as shared:
        await shared.operator.call("people.create", handle="ann")
        yield shared


@pytest.fixture
async def room(attached: SharedNode) -> str:
    return (await attached.person("ann").conversations.create(title="a room")).conversation


async def post(node: SharedNode, room: str, *texts: str) -> None:
    for text in texts:
        await node.person("ann").messages.post(conversation=room, text=text, cid=text.split()[0])


async def texts_of(events: SharedEvents, count: int) -> list[str]:
    found: list[str] = []
    with trio.fail_after(10):
        while len(found) < count:
            item = await anext(events)
            if isinstance(item, Pushed) and item.name == "message.posted":
                found.append(item.fields["message"]["text"])
    return found


# ---- events


async def test_events_begin_with_a_reset_and_then_come_live(attached: SharedNode, room: str) -> None:
    async with attached.person("ann").events() as events:
        reset, live = await anext(events), await anext(events)
        assert isinstance(reset, Reset)
        assert [each.conversation for each in reset.inbox.conversations] == [room]
        assert isinstance(live, Live)
        await post(attached, room, "one")
        assert await texts_of(events, 1) == ["one"]


async def test_events_go_on_from_a_cursor_and_can_be_chosen(attached: SharedNode, room: str) -> None:
    async with attached.person("ann").events() as events:
        reset = await anext(events)
    await post(attached, room, "one", "two")
    await attached.person("ann").conversations.update(conversation=room, title="renamed")
    async with attached.person("ann").events(reset.cursor, kinds={"message.posted"}, conversations=[room]) as events:
        first = await anext(events)
        assert isinstance(first, Pushed)
        assert (first.name, first.fields["message"]["text"]) == ("message.posted", "one")
        assert type(first.event).__name__ == "MessagePosted"
    async with attached.person("ann").events(first.cursor) as events:
        assert await texts_of(events, 1) == ["two"]
    with pytest.raises(TypeError):
        attached.person("ann").events(kinds="message.posted")
    with pytest.raises(Refusal, match=r"no event 'message\.posed'"):
        await anext(attached.person("ann").events(kinds={"message.posed"}))


async def test_who_may_get_no_events_is_told_so(attached: SharedNode) -> None:
    for caller, code in ((attached.operator, "forbidden"), (attached.person("nobody"), "not_found")):
        with pytest.raises(Refusal) as refused:
            await anext(caller.events())
        assert refused.value.code == code


async def test_events_end_with_the_account(attached: SharedNode, room: str) -> None:
    async with attached.person("ann").events() as events:
        await post(attached, room, "the last one")
        assert await texts_of(events, 1) == ["the last one"]
        await attached.operator.call("people.deactivate", person="ann")
        with trio.fail_after(10):
            rest = [item async for item in events]
        assert all(isinstance(item, Live | Pushed) for item in rest)


async def test_a_reader_that_does_not_read_costs_the_owner_nothing_and_loses_nothing(
    owners: Owners, attached: SharedNode, room: str
) -> None:
    long = "x" * 10_000
    async with attached.person("ann").events(kinds={"message.posted"}) as events:
        await anext(events)
        await post(attached, room, *(f"{number} {long}" for number in range(300)))
        assert owners.node is not None
        queued = [session.queued_bytes for session in owners.node.sessions.all()]
        assert len(queued) == 1
        assert queued[0] <= 2**21
        texts = await texts_of(events, 300)
        assert texts == [f"{number} {long}" for number in range(300)]


async def test_events_go_on_at_the_next_owner(owners: Owners, attached: SharedNode, room: str) -> None:
    async with attached.person("ann").events() as events:
        await anext(events)
        await post(attached, room, "one")
        assert await texts_of(events, 1) == ["one"]
        await owners.stop()
        node = await owners.start()
        await node.person("ann").messages.post(conversation=room, text="two")
        await post(attached, room, "three")
        assert await texts_of(events, 2) == ["two", "three"]


async def test_events_that_nobody_refers_to_are_closed(owners: Owners, attached: SharedNode, room: str) -> None:
    events = attached.person("ann").events()
    await anext(events)
    assert owners.node is not None
    assert len(owners.node.sessions.all()) == 1
    del events
    with trio.fail_after(10):
        while owners.node.sessions.all():  # noqa: ASYNC110
            await trio.sleep(0.01)


# ---- consumers


async def test_a_consumer_that_nobody_refers_to_gives_its_name_back_at_once(attached: SharedNode, room: str) -> None:
    await post(attached, room, "one")
    gc.disable()  # so that it is not there in a cycle of references
    try:
        for _ in range(2):
            batch = await anext(attached.consumer("orders", {"message.posted"}, from_start=True))
            assert [each.fields["message"]["text"] for each in batch.events] == ["one"]
            del batch
    finally:
        gc.enable()


async def test_a_consumer_gets_what_it_has_not_done_yet(attached: SharedNode, room: str) -> None:
    kinds = {"message.posted"}
    async with attached.consumer("orders", kinds, from_start=True) as consumer:
        await post(attached, room, "one", "two")
        first = await anext(consumer)
        assert [each.fields["message"]["text"] for each in first.events] == ["one", "two"]
        again = await anext(consumer)
        assert again.events == first.events
        with pytest.raises(RuntimeError, match="delivered again"):
            await first.done()
        await again.done()
        with pytest.raises(RuntimeError, match="was already done"):
            await again.done()
    await post(attached, room, "three")
    async with attached.consumer("orders", kinds) as consumer:
        batch = await anext(consumer)
        assert [each.fields["message"]["text"] for each in batch.events] == ["three"]
        with pytest.raises(Refusal, match="needs attach"):
            await batch.done(print)
    with pytest.raises(Refusal, match="cannot name a consumer"):
        await anext(attached.consumer("Orders!"))


async def test_a_name_is_one_consumers_at_a_time(attached: SharedNode, tmp_path: Path, room: str) -> None:
    """Of those in one process the second is refused; another process waits until the name is free."""
    found: list[str] = []

    async def consume(node: SharedNode, label: str) -> None:
        async with node.consumer("orders", {"message.posted"}, from_start=True) as consumer:
            async for batch in consumer:
                found.append(f"{label} {batch.events[0].fields['message']['text']}")
                await batch.done()

    async with open_shared(tmp_path / "data", None, start_seconds=10.0) as other, trio.open_nursery() as nursery:
        async with attached.consumer("orders", {"message.posted"}, from_start=True) as consumer:
            with pytest.raises(Refusal, match="already running"):
                await anext(attached.consumer("orders"))
            nursery.start_soon(consume, other, "other")
            await post(attached, room, "one")
            await (await anext(consumer)).done()
        await post(attached, room, "two")
        with trio.fail_after(10):
            while not found:  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert found == ["other two"]


async def test_a_batch_is_done_at_the_next_owner(owners: Owners, attached: SharedNode, room: str) -> None:
    async with attached.consumer("orders", {"message.posted"}, from_start=True) as consumer:
        await post(attached, room, "one")
        batch = await anext(consumer)
        await owners.stop()
        await owners.start()
        await post(attached, room, "two")
        await batch.done()
        following = await anext(consumer)
        assert [each.fields["message"]["text"] for each in following.events] == ["two"]
        await owners.stop()
        await owners.start()
        again = await anext(consumer)
        assert again.events == following.events


async def test_a_consumer_that_waits_can_be_cancelled_and_asked_again(attached: SharedNode, room: str) -> None:
    async with attached.consumer("orders", {"message.posted"}) as consumer:
        with trio.move_on_after(0.05):
            await anext(consumer)
        await post(attached, room, "one")
        with trio.fail_after(10):
            batch = await anext(consumer)
        assert [each.fields["message"]["text"] for each in batch.events] == ["one"]
        await batch.done()


async def test_what_a_consumer_asks_may_be_cancelled_at_any_moment(attached: SharedNode, room: str) -> None:
    """Before anything is sent, or while the owner stores what was done: it goes on all the same."""
    async with attached.consumer("orders", {"message.posted"}) as consumer:
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(consumer)
        assert scope.cancelled_caught
        for number in range(20):
            await post(attached, room, f"{number} comes")
            with trio.fail_after(10):
                batch = await anext(consumer)
                while batch.events[-1].fields["message"]["text"] != f"{number} comes":
                    batch = await anext(consumer)
            with trio.move_on_after(number * 0.0002):
                await batch.done()
        await post(attached, room, "last")
        with trio.fail_after(10):
            async for batch in consumer:
                await batch.done()
                if batch.events[-1].fields["message"]["text"] == "last":
                    break


async def test_cancelled_calls_make_room_at_the_limit(tmp_path: Path) -> None:
    """The word that a call is cancelled is not behind a call that waits for its turn."""
    plugin = Waiting()
    config = Config(server=Server(shutdown_seconds=0.5), limits=attrs.evolve(UNLIMITED, attached_calls=2))
    async with (
        opener(tmp_path / "data", config, plugin)(),
        open_shared(tmp_path / "data", None, start_seconds=10) as shared,
    ):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(shared.operator.call, "waiting.wait")
            with trio.fail_after(10):
                while plugin.under_way < 2:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        with trio.fail_after(10):
            await shared.operator.call("node.info")
        assert plugin.under_way == 0
