"""Roles that a plugin brings, who holds a permission, and what a plugin writes into the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import (
    CHAT,
    MODERATE,
    Context,
    Nothing,
    Permission,
    PluginRole,
    Reader,
    Refusal,
    Task,
    Transaction,
    command,
    holders_of,
)
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with, states
from tests.services.dialogue import outcome, token_of

USE = Permission("demo.use", "use it", roles=())
AGENT = PluginRole("demo-agent", (CHAT, MODERATE, "demo.use"))
VIEWER = PluginRole("demo-viewer", ("demo.use",))


@attrs.define
class Handles:
    handles: list[str]


@command("demo.holders", permission=CHAT)
async def holders(ctx: Context, asked: Nothing) -> Handles:
    """Who can use it."""
    return Handles([each.handle for each in await ctx.holders("demo.use", reads=True)])


@command("demo.sweep", permission="demo.use")
async def sweep(ctx: Context, asked: Nothing) -> Nothing:
    """Do something that is to be remembered."""
    await ctx.write(lambda tx: ctx.audit(tx, "sweep", ctx.me.id, rows=3, reason=None))
    return Nothing()


async def tidy(ctx: Context) -> str:
    """Do something on its own."""
    await ctx.write(lambda tx: ctx.audit(tx, "tidy", "everything"))
    return "tidied"


def demo(**declared: Any) -> Any:
    terms = {"permissions": (USE,), "roles": (AGENT, VIEWER), "commands": (holders, sweep)}
    return made("demo", **terms | {"tasks": (Task("tidy", tidy, every=0),)} | declared)


async def roles(node: Node) -> dict[str, list[str]]:
    return {each["role"]: each["permissions"] for each in (await node.call("roles.list"))["roles"]}


async def test_a_role_is_there_when_the_plugin_first_runs_with_permissions_of_the_node_and_its_own(
    tmp_path: Path,
) -> None:
    async with node_with(tmp_path, demo()) as node:
        there = await roles(node)
        assert there["demo-agent"] == ["chat", "demo.use", "moderate"]
        assert there["demo-viewer"] == ["demo.use"]
        ann = await User.new(node, "ann")
        assert await outcome(ann.call("demo.sweep")) == "forbidden"
        await node.call("people.role", person="ann", role="demo-agent")
        assert await outcome(ann.call("demo.sweep")) == "ok"


async def test_a_role_that_extends_another_one_can_do_what_that_can(tmp_path: Path) -> None:
    """Also what plugins bring for it: one that is prepared before, one after, and one that comes later."""
    agent = PluginRole("demo-agent", ("demo.use",), extends="member")
    early, late, later = (
        made(name, permissions=(Permission(f"{name}.use", "use it", roles=("member",)),))
        for name in ("aearly", "zlate", "zlater")
    )
    async with node_with(tmp_path, early, demo(roles=(agent,)), late) as node:
        assert (await roles(node))["demo-agent"] == ["aearly.use", "chat", "demo.use", "groups.create", "zlate.use"]
        await node.call("roles.set", role="demo-agent", permissions=["chat"])
    async with node_with(tmp_path, early, demo(roles=(agent,)), late, later) as node:
        assert (await roles(node))["demo-agent"] == ["chat", "zlater.use"]
        assert "zlater.use" in (await roles(node))["member"]


async def test_what_an_operator_makes_of_a_role_stays(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        await node.call("roles.set", role="demo-agent", permissions=["chat"])
        await node.call("roles.delete", role="demo-viewer")
    more = demo(version="2.0", roles=(AGENT, VIEWER, PluginRole("demo-chief", (CHAT, "demo.use"))))
    async with node_with(tmp_path, more) as node:
        there = await roles(node)
        assert there["demo-agent"] == ["chat"]
        assert "demo-viewer" not in there
        assert there["demo-chief"] == ["chat", "demo.use"]  # of the version that brought it


async def test_a_role_that_was_there_before_the_plugin_keeps_what_it_may(tmp_path: Path) -> None:
    async with node_with(tmp_path) as node:
        await node.call("roles.set", role="demo-agent", permissions=["chat"])
    for _ in range(2):
        async with node_with(tmp_path, demo()) as node:
            assert (await roles(node))["demo-agent"] == ["chat"]
    async with node_with(tmp_path) as node:
        await node.call("plugins.drop", plugin="demo", confirm="demo")
        assert (await roles(node))["demo-agent"] == ["chat"]  # not the plugin's to delete


async def test_a_permission_of_a_later_version_goes_to_the_roles_that_it_names(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        assert states(node) == {"demo": "running"}
    merge = Permission("demo.merge", "merge", roles=("demo-agent",))
    async with node_with(tmp_path, demo(permissions=(USE, merge))) as node:
        assert (await roles(node))["demo-agent"] == ["chat", "demo.merge", "demo.use", "moderate"]


async def test_a_plugin_that_does_not_run_leaves_its_roles_until_it_is_dropped(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        await User.new(node, "ann")
        await node.call("people.role", person="ann", role="demo-agent")
    async with node_with(tmp_path) as node:
        assert (await roles(node))["demo-agent"] == ["chat", "demo.use", "moderate"]
        await node.call("plugins.drop", plugin="demo", confirm="demo")
        there = await roles(node)
        assert there["demo-agent"] == ["chat", "moderate"]  # ann has it
        assert "demo-viewer" not in there
        assert node.core.roles["demo-agent"] == {"chat", "moderate"}
        assert "demo-viewer" not in node.core.roles
        assert await outcome((await User.of(node, "ann")).call("people.list")) == "ok"


async def test_data_is_not_dropped_while_an_account_would_be_left_with_an_empty_role(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        await User.new(node, "ann")
        await node.call("people.role", person="ann", role="demo-viewer")
    async with node_with(tmp_path) as node:
        with refused("conflict", "plugin") as caught:
            await node.call("plugins.drop", plugin="demo", confirm="demo")
        assert "the role demo-viewer has only permissions of this plugin" in caught.value.message
        assert (await roles(node))["demo-viewer"] == ["demo.use"]
        await node.call("people.role", person="ann", role="member")
        await node.call("plugins.drop", plugin="demo", confirm="demo")
        assert "demo-viewer" not in await roles(node)


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (PluginRole("admin", (CHAT,)), "the role admin already exists"),
        (PluginRole("Agent", (CHAT,)), "not named in a-z, 0-9, _ and -"),
        (PluginRole("demo-agent", ()), "the role demo-agent has no permission"),
        (PluginRole("demo-agent", (CHAT,), extends="admin"), "can extend member or moderator, not admin"),
        (
            PluginRole("demo-agent", ("demo.other",)),
            "the permission demo.other, which neither the node nor demo declares",
        ),
    ],
)
async def test_a_role_is_declared_with_a_name_and_permissions_that_are_there(
    tmp_path: Path, role: PluginRole, said: str
) -> None:
    async with node_with(tmp_path, demo(roles=(role,))) as node:
        assert said in states(node)["demo"]


async def test_two_plugins_do_not_bring_the_same_role(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo(), made("other", roles=(PluginRole("demo-agent", (CHAT,)),))) as node:
        assert states(node)["other"] == (
            "the role demo-agent already exists: the node or another plugin declares it; choose another name"
        )


# ---- who holds a permission


async def test_who_holds_a_permission_is_who_could_use_it_now(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        people = {name: await User.new(node, name) for name in ("ann", "bob", "eve", "gone", "left")}
        await User.new(node, "root", admin=True)
        for name in ("ann", "bob", "gone", "left"):
            await node.call("people.role", person=name, role="demo-agent")
        await node.call("people.deactivate", person="gone")
        await node.call("people.erase", person="left", handle="left")
        assert await people["eve"].call("demo.holders") == {"handles": ["ann", "bob", "root"]}
        await node.call("people.role", person="bob", role="member")
        assert await people["eve"].call("demo.holders") == {"handles": ["ann", "root"]}
        await node.call("people.reactivate", person="gone")
        assert await people["eve"].call("demo.holders") == {"handles": ["ann", "gone", "root"]}


async def test_a_bot_holds_what_one_of_its_tokens_can_use(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        await node.call("people.create", handle="robot", bot=True)
        await node.call("people.role", person="robot", role="demo-agent")

        async def held(*, reads: bool) -> list[str]:
            found = await node.core.db.read(lambda reader: holders_of(reader, "demo.use", reads=reads))
            return [each.handle for each in found]

        assert await held(reads=False) == ["robot"]  # by its role: it has no token, and plugins may act as it
        await node.call("tokens.create", person="robot", scopes=["chat"])
        assert (await held(reads=False), await held(reads=True)) == ([], [])
        await node.call("tokens.create", person="robot", scopes=["demo.use:read"])
        assert (await held(reads=False), await held(reads=True)) == ([], ["robot"])
        await node.call("tokens.create", person="robot")
        assert await held(reads=False) == ["robot"]


async def test_scopes_of_a_token_take_nothing_from_a_user_who_can_sign_in_otherwise(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        ann = await User.new(node, "ann")
        await node.call("people.role", person="ann", role="demo-agent")
        await token_of(ann, scopes=["chat"])
        assert await ann.call("demo.holders") == {"handles": ["ann"]}


async def test_holders_can_be_asked_for_in_a_transaction(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        await User.new(node, "ann")

        def write(tx: Transaction) -> list[str]:
            tx.execute("UPDATE people SET role = 'demo-agent'")
            return [each.handle for each in holders_of(tx, "demo.use")]

        assert await node.core.db.write(write) == ["ann"]


# ---- the audit log


async def test_what_a_plugin_records_is_in_the_audit_log_under_its_name(tmp_path: Path) -> None:
    async with node_with(tmp_path, demo()) as node:
        ann = await User.new(node, "ann")
        await node.call("people.role", person="ann", role="demo-agent")
        await ann.call("demo.sweep")
        await node.call("jobs.run", job="demo.tidy")
        (swept,) = (await node.call("audit.list", action="demo.sweep"))["entries"]
        assert (swept["actor"]["handle"], swept["target"], swept["details"]) == ("ann", ann.id, {"rows": "3"})
        (tidied,) = (await node.call("audit.list", action="demo.tidy"))["entries"]
        assert ("actor" in tidied, tidied["target"], tidied["details"]) == (False, "everything", {})
        rows = await node.call("items.query", collection="audit", filter={"action": {"_starts_with": "demo."}})
        assert [row["action"] for row in rows["data"]] == ["demo.tidy", "demo.sweep"]


async def test_an_audit_entry_goes_with_the_transaction_that_it_is_about(tmp_path: Path) -> None:
    @command("demo.fail", permission=CHAT)
    async def fail(ctx: Context, asked: Nothing) -> Nothing:
        """Record, and fail."""

        def write(tx: Transaction) -> None:
            ctx.audit(tx, "fail")
            raise Refusal("conflict", "after all not")

        await ctx.write(write)
        return Nothing()

    async with node_with(tmp_path, demo(commands=(fail,))) as node:
        ann = await User.new(node, "ann")
        assert await outcome(ann.call("demo.fail")) == "conflict"

        def count(reader: Reader) -> int:
            return reader.execute("SELECT count(*) FROM audit WHERE action LIKE 'demo.%'").fetchone()[0]

        assert await node.core.db.read(count) == 0
