"""What a plugin keeps while a node is open: `Plugin.state`, read as `ctx.state(Kind)`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel

from chatnode.api import Context, Nothing, Refusal, command
from chatnode.config import Config, Plugins
from chatnode.node import Node, open_node
from tests.plugins.surface.making import made


class Pool:
    """What the plugin keeps."""

    def __init__(self) -> None:
        self.closed = False


@command("demo.ask", permission=None)
async def ask(ctx: Context, asked: Nothing) -> Nothing:
    """Use the pool."""
    assert not ctx.state(Pool).closed
    return Nothing()


def keeping(*events: str) -> tuple[Any, list[str]]:
    """A plugin that keeps a pool, and what happened to it."""
    seen: list[str] = list(events)

    @asynccontextmanager
    async def state(ctx: Context) -> AsyncGenerator[Pool]:
        pool = Pool()
        seen.append(f"opened for {ctx.name}")
        try:
            yield pool
        finally:
            pool.closed = True
            await trio.lowlevel.checkpoint()  # closing may await, also when the node is cancelled
            seen.append("closed")

    return made("demo", commands=(ask,), state=state), seen


async def test_a_command_reads_what_its_plugin_keeps_for_this_node(tmp_path: Path) -> None:
    plugin, seen = keeping()
    async with open_node(tmp_path / "one", Config(), only=[plugin]) as one:
        async with open_node(tmp_path / "two", Config(), only=[plugin]) as two:
            await one.call("demo.ask")
            await two.call("demo.ask")
            assert one.core.state(Pool) is not two.core.state(Pool)
    assert seen == ["opened for demo", "opened for demo", "closed", "closed"]


async def test_it_is_closed_before_the_database_when_the_node_is_cancelled(tmp_path: Path) -> None:
    plugin, seen = keeping()
    with trio.CancelScope() as scope:
        async with open_node(tmp_path, Config(), only=[plugin]):
            scope.cancel()
            await trio.sleep_forever()
    assert seen == ["opened for demo", "closed"]


async def test_what_the_body_raises_comes_out_as_itself(tmp_path: Path) -> None:
    plugin, seen = keeping()
    with pytest.raises(KeyError, match="mine"):
        async with open_node(tmp_path, Config(), only=[plugin]):
            raise KeyError("mine")
    assert seen[-1] == "closed"


async def test_one_that_cannot_be_opened_is_reported_and_the_node_goes_on(tmp_path: Path) -> None:
    @asynccontextmanager
    async def state(ctx: Context) -> AsyncGenerator[Pool]:
        raise OSError("no such device")
        yield Pool()

    async with open_node(tmp_path, Config(), only=[made("demo", commands=(ask,), state=state)]) as node:
        assert _failure(node) is not None
        with pytest.raises(Refusal) as refused:
            await node.call("demo.ask")
    assert refused.value.code == "unavailable"


async def test_one_that_fails_later_is_opened_again(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    opened: list[Pool] = []
    fail = trio.Event()

    @asynccontextmanager
    async def state(ctx: Context) -> AsyncGenerator[Pool]:
        opened.append(Pool())
        async with trio.open_nursery() as nursery:
            if len(opened) == 1:
                nursery.start_soon(_fail_once, fail)
            yield opened[-1]

    plugin = made("demo", commands=(ask,), state=state)
    async with open_node(tmp_path, Config(), only=[plugin], inline=True) as node:
        await node.call("demo.ask")
        fail.set()
        await trio.sleep(10)
        await node.call("demo.ask")
        assert "ZeroDivisionError" in (_failure(node) or "")
    assert len(opened) == 2


async def _fail_once(fail: trio.Event) -> None:
    await fail.wait()
    raise ZeroDivisionError


async def test_one_that_does_not_close_holds_the_node_up_only_so_long(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    @asynccontextmanager
    async def state(ctx: Context) -> AsyncGenerator[Pool]:
        yield Pool()
        await trio.sleep_forever()

    config = Config(plugins=Plugins(start_seconds=3))
    began = trio.current_time()
    async with open_node(tmp_path, config, only=[made("demo", state=state)], inline=True) as node:
        pass
    assert 3 <= trio.current_time() - began < 4
    assert "raised TooSlowError" in (_failure(node) or "")


def _failure(node: Node) -> str | None:
    return next(each.last_failure for each in node.plugins.statuses() if each.name == "demo")
