"""What a plugin raises ends nobody else's work, SystemExit neither: code of a command line raises it easily."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from chatnode.api import CHAT, Context, Nothing, Page, Request, Response, Route, Task, command, hookimpl
from chatnode.config import Config
from chatnode.hooks import discovery
from chatnode.hooks.discovery import Installed
from chatnode.node import open_node
from chatnode.testing import User
from tests.plugins.surface.making import made, node_with, states
from tests.services.dialogue import outcome
from tests.transport.clients import Http, serving


async def test_a_plugin_that_exits_when_it_is_imported_is_broken_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> Any:
        sys.exit("usage: hello")

    monkeypatch.setattr(discovery, "installed", lambda: [Installed("hello", "hello", "1.0", load)])
    async with open_node(tmp_path / "data", Config()) as node:
        assert states(node) == {"hello": "SystemExit: usage: hello"}
        await User.new(node, "ann")


async def exiting_async(*_: Any) -> Any:
    sys.exit(1)


def named(hook: str, *arguments: str, is_async: bool = False, **marks: Any) -> Any:
    """A hook that exits."""
    source = f"{'async ' if is_async else ''}def {hook}({', '.join(arguments)}):\n    raise SystemExit(1)"
    made: dict[str, Any] = {}
    exec(source, made)
    return hookimpl(**marks)(made[hook])


#: The hook → what becomes of posting, and of reading.
HOOKS: dict[str, tuple[Any, str, str]] = {
    "check_command": (named("check_command", "ctx", "name", "command", is_async=True), "internal", "internal"),
    "prepare_draft": (named("prepare_draft", "ctx", "draft", is_async=True), "internal", "ok"),
    "in_transaction": (named("in_transaction", "tx", "change"), "internal", "ok"),
    "audience": (named("audience", "tx", "change"), "internal", "ok"),
    "enrich_messages": (named("enrich_messages", "reader", "ids", "viewer"), "ok", "ok"),
}


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_hook_that_exits_has_failed(tmp_path: Path, hook: str) -> None:
    async with node_with(tmp_path) as node:
        ann = await User.new(node, "ann")
        talk = await ann.direct(ann)
        await ann.says(talk, "hello")
    function, posting, reading = HOOKS[hook]
    async with node_with(tmp_path, made("demo", function)) as node:
        ann = User(node, ann.account)
        assert await outcome(ann.says(talk, "hello")) == posting
        assert await outcome(ann.call("messages.list", conversation=talk)) == reading
        (status,) = node.plugins.statuses()
        assert f"{hook} raised SystemExit" in (status.last_failure or "")


async def test_a_wrapper_that_gives_nothing_on_hides_no_messages(tmp_path: Path) -> None:
    @hookimpl(wrapper=True)
    def enrich_messages(reader: Any, ids: Any) -> Any:
        yield

    async with node_with(tmp_path, made("demo", enrich_messages)) as node:
        ann = await User.new(node, "ann")
        talk = await ann.direct(ann)
        await ann.says(talk, "hello")
        (message,) = (await ann.call("messages.list", conversation=talk))["messages"]
        assert message["text"] == "hello"


async def test_a_command_a_job_and_a_health_that_exit_end_no_node(tmp_path: Path) -> None:
    @command("demo.leave", permission=CHAT)
    async def leave(ctx: Context, asked: Nothing) -> Nothing:
        """Exits within a write."""
        await ctx.write(lambda tx: sys.exit(1))
        return Nothing()

    plugin = made(commands=(leave,), health=exiting_async, tasks=(Task("nightly", exiting_async, every=86_400),))
    async with node_with(tmp_path, plugin) as node:
        assert states(node) == {"demo": "running"}
        ann = await User.new(node, "ann")
        with pytest.raises(Exception, match=r"demo\.leave"):
            await ann.call("demo.leave")
        assert (await node.jobs.run("demo.nightly")).ok is False
        _, parts = await node.health()
        assert parts["plugin.demo"]["status"] == "failing"


@pytest.mark.parametrize("rule", ["<route>", "<page>", "<self>", "<what>", "<import>"])
async def test_an_address_that_exits_ends_its_request_and_a_rule_may_have_any_names(tmp_path: Path, rule: str) -> None:
    async def greet(ctx: Context, request: Request) -> Response:
        if "leave" in request.path.values():
            sys.exit(1)
        return Response(" ".join(request.path.values()))

    async def render(ctx: Context, path: Any) -> str:
        sys.exit(1)

    route, page = Route(f"greet/{rule}", greet, None), Page(f"see/{rule}", "See", render, CHAT)
    async with node_with(tmp_path, made(routes=(route,), pages=(page,))) as node:
        assert states(node) == {"demo": "running"}
        async with serving(node) as address, await Http.open(address) as http:
            assert (await http.request("GET", "/plugins/demo/greet/bob")).body == b"bob"
            assert (await http.request("GET", "/plugins/demo/greet/leave")).status == 500
            assert (await http.request("GET", "/plugins/demo/greet/eve")).status == 200
