"""The context that a plugin's code gets: the same in a handler, a hook, a task or a consumer."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from chatnode.api import Allow, Context, Metric, Nothing, Reader, Refusal, Task, Verdict, command, hookimpl, new_id
from chatnode.config import Config, Limits
from chatnode.node import open_node
from chatnode.testing import User
from tests.plugins.surface.making import made


@attrs.define
class Announce:
    """What `demo.announce` takes."""

    conversation: str
    text: str
    speaker: str | None = None


@command("demo.announce", permission="chat")
async def announce(ctx: Context, asked: Announce) -> Nothing:
    """Post for the user who asks, or as somebody else."""
    fields = {"conversation": asked.conversation, "cid": new_id(), "text": asked.text}
    if asked.speaker is None:
        await ctx.call("messages.post", **fields)
    else:
        await ctx.as_person(asked.speaker).call("messages.post", **fields)
    ctx.count("announcements")
    ctx.log.info("announced")
    return Nothing()


DEMO = {"commands": (announce,), "metrics": (Metric("announcements", "Announcements made."),)}


async def test_a_handler_acts_as_the_user_who_asks(node_of: Any) -> None:
    async with node_of(made("demo", **DEMO)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        room = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
        await ann.call("demo.announce", conversation=room, text="hello")
        (message,) = (await bob.call("messages.list", conversation=room))["messages"]
        assert (message["sender"]["handle"], message["text"]) == ("ann", "hello")


async def test_what_the_user_may_not_do_the_plugin_may_not_do_for_them(node_of: Any) -> None:
    async with node_of(made("demo", **DEMO)) as node:
        ann, bob, eve = [await User.new(node, handle) for handle in ("ann", "bob", "eve")]
        room = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
        with pytest.raises(Refusal) as refused:
            await eve.call("demo.announce", conversation=room, text="let me in")
        assert refused.value.code == "not_found"
        assert (await bob.call("messages.list", conversation=room))["messages"] == []


async def test_a_plugin_speaks_as_its_bot_within_what_the_bot_may_do(node_of: Any) -> None:
    async with node_of(made("demo", **DEMO)) as node:
        ann = await User.new(node, "ann")
        await node.call("people.create", handle="pollbot", bot=True)
        room = (await ann.call("conversations.create", title="polls", members=["pollbot"]))["conversation"]
        await ann.call("demo.announce", conversation=room, text="vote!", speaker="pollbot")
        messages = (await ann.call("messages.list", conversation=room))["messages"]
        assert [each["sender"]["handle"] for each in messages] == ["pollbot"]
        await ann.call("conversations.members.remove", conversation=room, member="pollbot")
        with pytest.raises(Refusal):
            await ann.call("demo.announce", conversation=room, text="again", speaker="pollbot")


async def test_a_deactivated_account_speaks_no_more(node_of: Any) -> None:
    async with node_of(made("demo", **DEMO)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        room = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
        await node.call("people.deactivate", person=bob.handle)
        with pytest.raises(Refusal, match="deactivated"):
            await ann.call("demo.announce", conversation=room, text="boo", speaker="bob")


async def test_rates_count_for_the_one_who_speaks(node_of: Any) -> None:
    config = Config(limits=Limits(posts_per_minute=2))
    async with node_of(made("demo", **DEMO), config=config) as node:
        ann, _ = await User.new(node, "ann"), await User.new(node, "bob")
        room = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
        for text in ("one", "two"):
            await ann.call("demo.announce", conversation=room, text=text)
        with pytest.raises(Refusal) as refused:
            await ann.call("demo.announce", conversation=room, text="three")
        assert refused.value.code == "rate_limited"
        await ann.call("demo.announce", conversation=room, text="four", speaker="bob")


async def test_a_task_acts_for_nobody_until_it_says_for_whom(node_of: Any) -> None:
    met: dict[str, Any] = {}

    async def run(ctx: Context) -> str | None:
        for name, act in {
            "call": lambda: ctx.call("people.get", person="ann"),
            "me": lambda: _me(ctx),
            "person": lambda: ctx.as_person("ann").call("people.get", person="ann"),
            "operator": lambda: ctx.as_operator().call("node.statistics"),
        }.items():
            try:
                met[name] = await act()
            except Refusal as refusal:
                met[name] = refusal
        return None

    async with node_of(made("demo", tasks=(Task("look", run, every=3600),))) as node:
        await User.new(node, "ann")
        assert (await node.jobs.run("demo.look")).ok
    assert "as_person" in str(met["call"])
    assert "as_person" in str(met["me"])
    assert met["person"]["person"]["handle"] == "ann"
    assert met["operator"]["people"] == 1


async def _me(ctx: Context) -> Any:
    return ctx.me


async def test_a_hook_that_calls_commands_for_ever_is_refused_and_not_the_end(node_of: Any) -> None:
    class Circular:
        depths = 0

    @hookimpl
    async def check_command(ctx: Context, name: str, command: Any) -> Verdict:
        if name == "people.get":
            Circular.depths += 1
            await ctx.call("people.get", person="ann")
        return Allow()

    async with node_of(made("demo", check_command)) as node:
        ann = await User.new(node, "ann")
        with pytest.raises(Refusal):
            await ann.call("people.get", person="ann")
        assert Circular.depths < 20
        await ann.call("inbox.list")


async def test_links_lead_to_the_node_or_below_the_plugin(node_of: Any) -> None:
    async with node_of(made("demo")) as node:
        node.core.base_url = "https://chat.example.org"
        ctx = node.plugins.loaded["demo"].context
        assert ctx.url("votes/3") == "https://chat.example.org/plugins/demo/votes/3"
        assert ctx.url("/v1/events") == "https://chat.example.org/v1/events"


@pytest.fixture
def node_of(tmp_path: Any) -> Any:
    def opening(plugin: Any, config: Config | None = None) -> Any:
        return open_node(tmp_path / "data", config or Config(), only=[plugin])

    return opening


@command("demo.compare", permission="chat")
async def compare(ctx: Context, asked: Announce) -> Nothing:
    """Post while a snapshot is open, and refuse if it shows the message."""

    def count(reader: Reader) -> int:
        return reader.execute("SELECT count(*) FROM messages").fetchone()[0]

    async with ctx.snapshot() as snapshot:
        before = await snapshot.read(count)
        await ctx.call("messages.post", conversation=asked.conversation, cid=new_id(), text=asked.text)
        if await snapshot.read(count) != before or await ctx.read(count) != before + 1:
            raise Refusal("internal", "the snapshot moved")
    return Nothing()


async def test_a_snapshot_stays_as_it_is_while_others_write(node_of: Any) -> None:
    async with node_of(made("demo", commands=(compare,))) as node:
        ann = await User.new(node, "ann")
        await User.new(node, "bob")
        room = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
        await ann.call("demo.compare", conversation=room, text="one")
        await ann.call("demo.compare", conversation=room, text="two")
