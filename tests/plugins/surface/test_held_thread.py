"""A plugin that holds the node's thread is named: in its status, in the metrics, and now and then in the log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from chatnode.api import CHAT, Allow, Context, Nothing, Slash, SlashCall, SlashReply, Task, command
from chatnode.config import Config, Plugins
from chatnode.hooks.declared import functions_of
from chatnode.hooks.discovery import installed
from chatnode.hooks.held_thread import HeldThread
from chatnode.node import Node
from chatnode.testing import User
from chatnode.transport import metrics
from tests.plugins.surface.making import made, node_with

IMPATIENT = Config(plugins=Plugins(thread_seconds=0.05))
HELD = 0.06


@command("demo.block", permission=CHAT)
async def block(ctx: Context, asked: Nothing) -> Nothing:
    """Block."""
    time.sleep(HELD)  # noqa: ASYNC251 - it holds up the whole node
    return Nothing()


async def shout(ctx: Context, call: SlashCall) -> SlashReply:
    time.sleep(HELD)  # noqa: ASYNC251
    return SlashReply(call.text.upper())


async def tidy(ctx: Context) -> str | None:
    time.sleep(HELD)  # noqa: ASYNC251
    return None


async def check_command(name: str) -> Allow:
    if name == "messages.post":
        time.sleep(HELD)  # noqa: ASYNC251
    return Allow()


async def run_all(node: Node) -> None:
    ann = await User.new(node, "ann")
    room = await ann.group()
    await ann.call("demo.block")
    await ann.says(room, "hello")
    await ann.call("slash.run", conversation=room, text="/shout hello", cid="one")
    await node.call("jobs.run", job="demo.tidy")


async def test_it_is_counted_and_logged_once_for_each_function(tmp_path: Path, caplog: Any) -> None:
    slash = [Slash("shout", "Shout", "TEXT", shout)]
    plugin = made(
        "demo", check_command, commands=[block], slash=slash, tasks=[Task("tidy", tidy, every=0)],
    )  # fmt: skip
    async with node_with(tmp_path, plugin, config=IMPATIENT) as node:
        await run_all(node)
        await (await User.of(node, "ann")).call("demo.block")
        (status,) = (await node.call("plugins.list"))["plugins"]
        page = await metrics.page(node.core, node.sessions, (await node.health())[1])
    assert status["failures"] == 0
    assert status["held_thread"] >= 5
    assert status["last_held"].startswith("command demo.block for 0.")
    assert f'chatnode_plugin_held_thread_total{{plugin="demo"}} {status["held_thread"]}' in page
    for hook in ("command demo.block", "check_command", "slash /shout", "task tidy"):
        assert caplog.text.count(f"the plugin demo: {hook} held the node's thread") == 1, hook


class Clock:
    """Time that passes when a function says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[tuple[str, str, float]] = []
        self.held = HeldThread(1.0, self.tell, lambda: self.now)

    def tell(self, plugin: str, hook: str, seconds: float) -> None:
        self.told.append((plugin, hook, seconds))


async def test_only_time_between_two_awaits_counts() -> None:
    clock = Clock()
    waiting = trio.Event()

    async def wait() -> str:
        clock.now += 0.7
        await waiting.wait()
        clock.now += 0.7
        return "done"

    async def pass_time() -> None:
        await trio.testing.wait_all_tasks_blocked()
        clock.now += 10
        waiting.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_time)
        assert await clock.held.measured(wait, "demo", "wait")() == "done"
    assert clock.told == []


async def test_who_calls_another_is_not_blamed_for_it() -> None:
    clock = Clock()

    async def slow() -> None:
        clock.now += 3

    async def calling() -> None:
        clock.now += 0.5
        await clock.held.measured(slow, "other", "slow")()

    await clock.held.measured(calling, "demo", "calling")()
    assert clock.told == [("other", "slow", 3)]


@pytest.mark.parametrize("error", [ValueError, SystemExit])
async def test_what_it_raises_and_how_it_is_cancelled_stay_as_they_are(error: type[BaseException]) -> None:
    clock, seen = Clock(), list[str]()

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        clock.now += 2
        raise error

    async def wait() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            seen.append("cancelled")
            raise

    with pytest.raises(error):
        await clock.held.measured(fail, "demo", "fail")()
    assert clock.told == [("demo", "fail", 2)]
    with trio.CancelScope() as scope:
        scope.cancel()
        await clock.held.measured(wait, "demo", "wait")()
    assert (scope.cancelled_caught, seen) == (True, ["cancelled"])


def test_all_functions_that_the_node_runs_are_measured() -> None:
    held = Clock().held
    for each in installed():
        plugin = each.load().chatnode_plugin()
        before, after = functions_of(plugin), functions_of(held.all_measured(plugin))
        for (what, function), (_, measured) in zip(before, after, strict=True):
            assert function is None or measured.__wrapped__ is function, what
