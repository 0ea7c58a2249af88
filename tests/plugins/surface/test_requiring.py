"""Plugins that require others: loaded after them, and with a clear word when one is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import (
    CHAT,
    Collection,
    Context,
    Draft,
    Field,
    Nothing,
    Permission,
    PluginRole,
    Step,
    command,
    hookspec,
    kinds,
)
from chatnode.config import Config, Plugins
from chatnode.hooks.requiring import circle_of, in_order
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with, states


def needing(name: str, *required: str, **declared: Any) -> Any:
    return made(name, requires=required, **declared)


async def test_one_is_loaded_and_called_after_those_that_it_requires(tmp_path: Path) -> None:
    def adding(sign: str, *required: str) -> Any:
        async def prepare_draft(draft: Draft) -> None:
            draft.text += sign

        return made(sign, prepare_draft, requires=required)

    async with node_with(tmp_path, adding("a", "z"), adding("b"), adding("z", "y"), adding("y")) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        await ann.says(talk, "-")
        assert await bob.reads(talk) == ["-yzab"]


async def test_one_without_what_it_requires_does_not_run_and_says_why(tmp_path: Path) -> None:
    faulty = made("faulty", steps=(Step("1", "CREATE TABLE faulty_x (no such type"),))
    plugins = (
        needing("a", "gone"), needing("b", "off"), needing("c", "faulty"), needing("d", "c"), needing("e", "f"),
        made("f"), made("off"), faulty,
    )  # fmt: skip
    async with node_with(tmp_path, *plugins, config=Config(plugins=Plugins(disabled=("off",)))) as node:
        found = states(node)
        assert found["a"] == "the plugin a requires the plugin gone, which is not installed"
        assert found["b"] == "the plugin b requires the plugin off, which is disabled"
        assert found["c"].startswith("the plugin c requires the plugin faulty, which does not run: ")
        assert found["d"].startswith("the plugin d requires the plugin c, which does not run: the plugin c requires")
        assert (found["e"], found["f"]) == ("running", "running")


async def test_a_circle_is_named_and_stops_nobody_else(tmp_path: Path) -> None:
    plugins = needing("a", "b"), needing("b", "c"), needing("c", "a"), needing("d", "a"), needing("e", "e"), made("f")
    async with node_with(tmp_path, *plugins) as node:
        circle = "its requirements form a cycle: "
        assert states(node) == {
            "a": f"{circle}a → b → c → a",
            "b": f"{circle}b → c → a → b",
            "c": f"{circle}c → a → b → c",
            "d": f"the plugin d requires the plugin a, which does not run: {circle}a → b → c → a",
            "e": f"{circle}e → e",
            "f": "running",
        }


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ("crm", "requires is a string; expected names, such as ('crm',)"),
        (("crm>=2",), "it requires 'crm>=2', which is not a plugin name: they consist of a-z and 0-9"),
    ],
)
async def test_what_is_no_name_is_refused(tmp_path: Path, requires: Any, reason: str) -> None:
    async with node_with(tmp_path, made("demo", requires=requires)) as node:
        assert states(node) == {"demo": reason}


def test_orders_and_circles() -> None:
    assert in_order({"a": ["c"], "b": [], "c": ["b", "gone"]}) == ["b", "c", "a"]
    assert circle_of("a", {"a": ["b"], "b": ["c"], "c": ["b"]}) is None
    assert circle_of("b", {"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]


# ---- asking


class Offered:
    @staticmethod
    @hookspec
    async def crm_find(ctx: Context, name: str) -> str:
        """The contact with a name."""
        raise AssertionError


def crm() -> Any:
    """A plugin that offers a function to those that require it: a hook that it implements itself."""

    def add_hookspecs(add: Any) -> None:
        add(Offered)

    async def crm_find(ctx: Context, name: str) -> str:
        return f"{ctx.name} found {name} for {ctx.me.handle}"

    return made("crm", add_hookspecs, crm_find)


@attrs.define
class FoundReply:
    """What was found."""

    found: list[str]


def marketing(*requires: str) -> Any:
    @command("marketing.find", permission=CHAT)
    async def find(ctx: Context, asked: Nothing) -> FoundReply:
        """Ask the other plugin."""
        try:
            return FoundReply(await ctx.ask("crm_find", name="Zoe"))
        except LookupError as error:
            return FoundReply([str(error)])

    return made("marketing", requires=requires, commands=(find,))


async def test_a_plugin_asks_what_it_requires_and_the_other_acts_in_its_own_name(tmp_path: Path) -> None:
    async with node_with(tmp_path, crm(), marketing("crm")) as node:
        ann = await User.new(node, "ann")
        assert (await ann.call("marketing.find"))["found"] == ["crm found Zoe for ann"]


async def test_a_plugin_asks_nobody_else(tmp_path: Path) -> None:
    async with node_with(tmp_path, crm(), marketing()) as node:
        ann = await User.new(node, "ann")
        refusal = "the hook crm_find belongs to the plugin crm, which marketing does not require"
        assert (await ann.call("marketing.find"))["found"] == [refusal]
        with pytest.raises(LookupError, match="no plugin offers the hook prepare_draft"):
            await node.plugins.loaded["marketing"].context.ask("prepare_draft")


# ---- permissions


def stock() -> Any:
    return made("stock", permissions=(Permission("stock.view", "see the stock", roles=()),))


def counting(*requires: str, permission: str = "stock.view", **declared: Any) -> Any:
    """A plugin for users who may use another one. Its name is before that of the one it requires."""

    @command("counting.count", permission=permission)
    async def count(ctx: Context, asked: Nothing) -> Nothing:
        """Count the stock."""
        return Nothing()

    return made("counting", requires=requires, commands=(count,), **declared)


async def test_a_plugin_uses_the_permissions_of_one_that_it_requires(tmp_path: Path) -> None:
    counter = PluginRole("counter", ("stock.view",), extends="member")
    async with node_with(tmp_path, stock(), counting("stock", roles=(counter,))) as node:
        assert states(node) == {"counting": "running", "stock": "running"}
        await (await User.new(node, "ann", role="counter")).call("counting.count")
        with refused("forbidden"):
            await (await User.new(node, "bob")).call("counting.count")


def seen_by_all_of(permission: str) -> Collection:
    field = Field("id", kinds.Integer(), "item.key")
    return Collection(
        "items", "Items.", "counting_items item", "FALSE", (field,), ("id",), "id", CHAT, sees_all=permission
    )


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (counting(), "stock.view, which the plugin stock declares: add stock to Plugin.requires"),
        (
            counting("stock", permission="stock.veiw"),
            "stock.veiw, which neither the node nor counting nor stock declares",
        ),
        (
            counting("stock", collections=(seen_by_all_of("stock.all"),)),
            "the collection items needs the permission stock.all, which neither the node nor counting",
        ),
    ],
)
async def test_other_permissions_are_refused_and_the_reason_says_what_to_do(
    tmp_path: Path, plugin: Any, reason: str
) -> None:
    async with node_with(tmp_path, stock(), plugin) as node:
        assert reason in states(node)["counting"]
        assert states(node)["stock"] == "running"
