"""Iterators that are closed while somebody waits for the next item, and those that two read at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from chatnode.client.feed import Live
from chatnode.embed import aio, threads
from chatnode.embed.attaching import SharedNode, open_shared
from chatnode.hooks.programs import Programs
from chatnode.node import Node
from chatnode.routing.sessions import SessionRegistry

from .nodes import CONFIG, PATIENCE, until
from .owners import opener
from .test_callers import talk_of
from .test_consumer import said
from .test_events import post

POSTED = {"message.posted"}
READ_ALREADY = "is waiting for the next item"

Reading = Callable[[Any], Any]
"""Begins to read something of a node: it waits then, as nothing happens."""


def events(node: Any) -> Any:
    return node.person("ann").events(kinds=POSTED)


def consumer(node: Any) -> Any:
    return node.consumer("orders", POSTED)


each_kind = pytest.mark.parametrize("reading", [events, consumer])


# ---- trio


@asynccontextmanager
async def shared(tmp_path: Path, *, owned: bool) -> AsyncGenerator[SharedNode]:
    """As with attach="auto", in the process that owns the node or in another."""
    data = tmp_path / "data"
    async with open_shared(data, opener(data, CONFIG), start_seconds=10.0) as first:
        await first.operator.people.create(handle="ann")
        if owned:
            yield first
            return
        async with open_shared(data, None, start_seconds=10.0) as other:
            yield other


async def close_while_it_waits(node: Any, reading: Reading) -> None:
    reader, waits = reading(node), trio.Event()

    async def read() -> None:
        async for item in reader:
            if isinstance(item, Live):  # the last of what is there
                waits.set()

    if reading is consumer:
        waits.set()
    with trio.fail_after(PATIENCE):
        async with reader, trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await waits.wait()
            await trio.testing.wait_all_tasks_blocked(0.01)
            await reader.aclose()
    assert [item async for item in reader] == []


@each_kind
async def test_a_task_that_waits_ends_when_it_is_closed(node: Node, reading: Reading) -> None:
    talk = await talk_of(node, "ann", "bob")
    await close_while_it_waits(node, reading)
    assert len(node.core.part(SessionRegistry)) == len(node.core.part(Programs)) == 0
    async with node.consumer("orders", POSTED) as following:
        await post(node, talk, "one")
        assert await said(following, 1) == ["one"]


@each_kind
@pytest.mark.parametrize("owned", [True, False])
async def test_also_where_processes_share_the_node(tmp_path: Path, reading: Reading, owned: bool) -> None:
    async with shared(tmp_path, owned=owned) as node:
        await close_while_it_waits(node, reading)
        async with node.consumer("orders", POSTED):
            pass


@each_kind
async def test_a_second_task_gets_an_error_and_leaves_nothing(node: Node, reading: Reading) -> None:
    await talk_of(node, "ann", "bob")
    reader = reading(node)
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            async for _ in reader:
                pass

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(PATIENCE), pytest.raises(RuntimeError, match=READ_ALREADY):
            await anext(reader)
        nursery.cancel_scope.cancel()
    await reader.aclose()
    assert len(node.core.part(SessionRegistry)) == len(node.core.part(Programs)) == 0


async def test_a_consumer_that_waits_for_another_process_can_be_closed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with trio.fail_after(PATIENCE):
        async with (
            shared(tmp_path, owned=True) as node,
            node.consumer("orders"),
            open_shared(data, None, start_seconds=10.0) as other,
            trio.open_nursery() as nursery,
        ):
            standby = other.consumer("orders")
            nursery.start_soon(standby.__aenter__)
            await trio.testing.wait_all_tasks_blocked(0.05)
            await standby.aclose()


# ---- threads


@pytest.fixture(scope="module")
def in_threads(tmp_path_factory: pytest.TempPathFactory) -> Generator[threads.Node]:
    with threads.Node(tmp_path_factory.mktemp("closing") / "data", config=CONFIG) as chat:
        chat.operator.people.create(handle="ann")
        yield chat


@each_kind
def test_a_thread_that_waits_ends_when_it_is_closed(in_threads: threads.Node, reading: Reading) -> None:
    with reading(in_threads) as reader:
        waiting = threading.Thread(target=list, args=(reader,), daemon=True)
        waiting.start()
        waiting.join(0.05)
        reader.close()
        waiting.join(PATIENCE)
        assert not waiting.is_alive()
        assert list(reader) == []
    with reading(in_threads):
        pass


@each_kind
def test_a_second_thread_gets_an_error(in_threads: threads.Node, reading: Reading) -> None:
    failures: list[BaseException] = []
    with reading(in_threads) as reader:

        def read() -> None:
            try:
                for _ in reader:
                    pass
            except RuntimeError as error:
                failures.append(error)

        readers = [threading.Thread(target=read, daemon=True) for _ in range(4)]
        for each in readers:
            each.start()
        until(lambda: len(failures) == 3)
    for each in readers:
        each.join(PATIENCE)
        assert not each.is_alive()
    assert [READ_ALREADY in str(error) for error in failures] == [True] * 3


# ---- asyncio


@each_kind
def test_a_task_of_asyncio_ends_when_it_is_closed_and_a_second_gets_an_error(tmp_path: Path, reading: Reading) -> None:
    async def read(reader: Any) -> None:
        async for _ in reader:
            pass

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), aio.Node(tmp_path / "data", config=CONFIG) as chat:
            await chat.operator.people.create(handle="ann")
            async with reading(chat) as reader:
                for _ in range(20):  # a task that was cancelled does not count as a second reader
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(read(reader), 0.005)
                task = asyncio.create_task(read(reader))
                await asyncio.sleep(0)
                with pytest.raises(RuntimeError, match=READ_ALREADY):
                    await anext(reader)
                await reader.aclose()
                await task
            async with reading(chat):
                pass

    asyncio.run(main())
