"""Looking after plugins: how they fare, their consumers, and what is left of those that do not run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs
import trio

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.hooks.consumers import Consumers
from chatnode.hooks.manager import Manager
from chatnode.hooks.tasks import Tasks
from chatnode.model import permissions
from chatnode.model.commands.plugins import (
    ConsumerReplays,
    ConsumersGiven,
    DropPlugin,
    ExportPlugin,
    ListSetAside,
    OfPlugin,
    OfSetAside,
    PluginDropped,
    PluginRows,
    PluginsGiven,
    PluginSwitched,
    ReplayConsumer,
    RowRetried,
    SetAsideGiven,
)
from chatnode.model.commands.shared import Nothing
from chatnode.model.plugins import PluginStatus, SetAside
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction, Write
from chatnode.storage.log import consumers
from chatnode.storage.node import plugins
from chatnode.storage.people import audit, roles

T = TypeVar("T")


@command("plugins.list", permission=permissions.OPERATE, reads=True)
async def list_plugins(ctx: Caller, command: Nothing) -> PluginsGiven:
    """Every plugin that is installed: whether it runs, why not, and how often it failed."""
    statuses, of_settings = ctx.core.part(Manager).statuses(), ctx.core.config.plugins.disabled
    known = await ctx.read(plugins.known)
    disabled = {*of_settings, *(name for name, each in known.items() if each.disabled)}
    return PluginsGiven([_switched(each, each.name in disabled) for each in statuses], ctx.core.part(Tasks).statuses())


def _switched(status: PluginStatus, disabled: bool) -> PluginStatus:
    """With what the next start changes: whoever has just disabled a plugin still sees it run."""
    if disabled == (status.state == "disabled"):
        return status
    return attrs.evolve(status, at_next_start="disabled" if disabled else "enabled")


@command("plugins.consumers", permission=permissions.OPERATE, reads=True)
async def list_consumers(ctx: Caller, command: Nothing) -> ConsumersGiven:
    """How far each plugin has read the log, and what it fails on now."""
    return ConsumersGiven(ctx.core.part(Consumers).statuses())


@command("plugins.set_aside", permission=permissions.OPERATE, reads=True)
async def list_set_aside(ctx: Caller, command: ListSetAside) -> SetAsideGiven:
    """Rows of the log that consumers failed on again and again and went on without, newest first."""
    limit = ctx.page_size(command.limit)
    return SetAsideGiven(
        await ctx.read(
            lambda reader: consumers.list_set_aside(reader, command.plugin, command.consumer, command.before, limit)
        )
    )


@command("plugins.replay", permission=permissions.OPERATE)
async def replay(ctx: Caller, command: ReplayConsumer) -> ConsumerReplays:
    """Let a consumer read the log again from a place on, or skip what is before one.

    What it does with rows, it does again with those that it has had.
    """
    name = (command.plugin, command.consumer)
    ctx.core.part(Consumers).check(*name)

    def write(tx: Transaction) -> ConsumerReplays:
        before = consumers.replay(tx, name, command.gid)
        audit.record(tx, ctx.account, "plugins.replay", ".".join(name), before=before, after=command.gid)
        return ConsumerReplays(command.gid, before)

    return await _write_and_tell(ctx, write, lambda _: ctx.core.part(Consumers).moved(*name))


@command("plugins.retry", permission=permissions.OPERATE)
async def retry(ctx: Caller, command: OfSetAside) -> RowRetried:
    """Give a consumer a row that it has set aside once more; one that succeeds is off the list."""

    entry = await ctx.read(lambda reader: consumers.find_set_aside(reader, command.entry))
    name = (entry.plugin, entry.consumer)
    ctx.core.part(Consumers).check(*name)
    await ctx.write(lambda tx: audit.record(tx, ctx.account, "plugins.retry", ".".join(name), gid=entry.gid))
    error = await ctx.core.part(Consumers).retry(entry)
    return RowRetried(error is None, error)


@command("plugins.dismiss", permission=permissions.OPERATE)
async def dismiss(ctx: Caller, command: OfSetAside) -> Nothing:
    """Take a row off the list of those that were set aside: its consumer does without it."""

    def write(tx: Transaction) -> SetAside:
        entry = consumers.dismiss(tx, command.entry)
        audit.record(tx, ctx.account, "plugins.dismiss", f"{entry.plugin}.{entry.consumer}", gid=entry.gid)
        return entry

    await _write_and_tell(ctx, write, ctx.core.part(Consumers).forgotten)
    return Nothing()


@command("plugins.enable", permission=permissions.OPERATE)
async def enable(ctx: Caller, command: OfPlugin) -> PluginSwitched:
    """Let a plugin run that was disabled, from the next start of the node on."""
    if command.plugin in ctx.core.config.plugins.disabled:
        raise Refusal("conflict", "the settings disable it: take it out of plugins.disabled", path="plugin")
    return await _switch(ctx, command.plugin, disabled=False)


@command("plugins.disable", permission=permissions.OPERATE)
async def disable(ctx: Caller, command: OfPlugin) -> PluginSwitched:
    """Do not run a plugin any more, from the next start of the node on. Its data stays."""
    return await _switch(ctx, command.plugin, disabled=True)


async def _switch(ctx: Caller, plugin: str, *, disabled: bool) -> PluginSwitched:
    installed = {each.name for each in ctx.core.part(Manager).statuses()}

    def write(tx: Transaction) -> PluginSwitched:
        if plugin not in installed and plugin not in plugins.known(tx):
            raise Refusal("not_found", f"no plugin {plugin} is installed", path="plugin")
        plugins.set_disabled(tx, plugin, disabled)
        audit.record(tx, ctx.account, "plugins.disable" if disabled else "plugins.enable", plugin)
        return PluginSwitched(plugin, disabled)

    return await ctx.write(write)


@command("plugins.drop", permission=permissions.OPERATE, unscoped=True)
async def drop(ctx: Caller, command: DropPlugin) -> PluginDropped:
    """Delete everything that a plugin which does not run has stored. There is no way back but a backup.

    One that is installed still stays disabled.
    """
    if command.confirm != command.plugin:
        raise Refusal("invalid", "must be the plugin's name, to confirm that its data is to go", path="confirm")
    state = {each.name: each.state for each in ctx.core.part(Manager).statuses()}.get(command.plugin)
    if state == "running":
        raise Refusal("conflict", "it runs; disable it, and start the node again", path="plugin")

    def write(tx: Transaction) -> tuple[list[str], dict[str, frozenset[str]]]:
        dropped = plugins.drop(tx, command.plugin)
        if state is not None:
            plugins.set_disabled(tx, command.plugin, True)
        audit.record(tx, ctx.account, "plugins.drop", command.plugin, tables=" ".join(dropped))
        return dropped, roles.by_name(tx)

    def forget(done: tuple[list[str], dict[str, frozenset[str]]]) -> None:
        dropped, ctx.core.roles = done
        additions = ctx.core.db.additions
        additions.tables = [table for table in additions.tables if table.name not in dropped]

    async with ctx.core.changing_roles:
        dropped, _ = await _write_and_tell(ctx, write, forget)
    return PluginDropped(dropped)


async def _write_and_tell(ctx: Caller, write: Write[T], tell: Callable[[T], None]) -> T:
    """What was committed is what is known, even if the client has gone away meanwhile."""
    with trio.CancelScope(shield=True) as scope:
        done = await ctx.write(write)
        tell(done)
        return done
    raise AssertionError(scope)  # nobody cancels it


@command("plugins.export", permission=permissions.OPERATE, reads=True)
async def export(ctx: Caller, command: ExportPlugin) -> PluginRows:
    """The rows of a plugin's tables, page by page, as they are stored.

    Only for the operator of the machine, as plugins may keep what nobody else is to read.
    """
    if not ctx.operator:
        raise Refusal("forbidden", "only the operator of the machine can do this, with `chatnode call` there")
    limit = ctx.page_size(command.limit)

    def read(reader: Reader) -> PluginRows:
        tables = plugins.own_tables(reader, command.plugin)
        if not tables and command.plugin not in plugins.known(reader):
            raise Refusal("not_found", f"there is nothing of a plugin {command.plugin} here", path="plugin")
        if command.table is None:
            return PluginRows(tables, [])
        if command.table not in tables:
            raise Refusal("not_found", f"the plugin has no table {command.table}", path="table")
        return PluginRows(tables, *plugins.export(reader, command.table, command.after, limit))

    return await ctx.read(read)


COMMANDS = (
    list_plugins, list_consumers, list_set_aside, replay, retry, dismiss, enable, disable, drop, export,
)  # fmt: skip
