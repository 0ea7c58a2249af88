"""Managing plugins: their status, their consumers, and data of plugins that are not running."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs
import trio

from chatnode.concurrency import shielded
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.hooks.consumers import Consumers
from chatnode.hooks.manager import Manager
from chatnode.hooks.programs import Programs
from chatnode.hooks.tasks import Tasks
from chatnode.model import permissions
from chatnode.model.commands.plugins import (
    ConsumerList,
    ConsumerReplays,
    DropPlugin,
    ExportPlugin,
    ListSetAside,
    OfPlugin,
    OfSetAside,
    PluginDropped,
    PluginList,
    PluginRows,
    PluginSwitched,
    ReplayConsumer,
    RowRetried,
    SetAsidePage,
)
from chatnode.model.commands.shared import Nothing
from chatnode.model.plugins import PluginStatus, SetAside
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction, Write
from chatnode.storage.log import consumers, log
from chatnode.storage.node import plugin_directories, plugins, restored
from chatnode.storage.people import audit, bots, roles

T = TypeVar("T")


@command("plugins.list", permission=permissions.OPERATE, reads=True)
async def list_plugins(ctx: Caller, asked: Nothing) -> PluginList:
    """Installed plugins: whether they run, why not, and how often they failed."""
    statuses, of_settings = ctx.core.part(Manager).statuses(), ctx.core.config.plugins.disabled
    known, handles = await ctx.read(lambda reader: (plugins.known(reader), bots.handles(reader)))
    disabled = {*of_settings, *(name for name, each in known.items() if each.disabled)}
    told = [attrs.evolve(each, bots=handles.get(each.name)) for each in statuses]
    return PluginList([_switched(each, each.name in disabled) for each in told], ctx.core.part(Tasks).statuses())


def _switched(status: PluginStatus, disabled: bool) -> PluginStatus:
    """Includes what the next start changes: a plugin that was just disabled is still running."""
    if disabled == (status.state == "disabled"):
        return status
    return attrs.evolve(status, at_next_start="disabled" if disabled else "enabled")


@command("plugins.consumers", permission=permissions.OPERATE, reads=True)
async def list_consumers(ctx: Caller, asked: Nothing) -> ConsumerList:
    """The position in the log of each plugin's consumers, and what they fail on now.

    Those of the program that the node is embedded in are listed too, while they run, with the plugin `(program)`.
    """
    programs = ctx.core.part(Programs)
    of_plugins = ctx.core.part(Consumers).statuses()
    if not len(programs):
        return ConsumerList(of_plugins)
    return ConsumerList([*of_plugins, *programs.statuses(await ctx.read(log.head))])


@command("plugins.set_aside", permission=permissions.OPERATE, reads=True)
async def list_set_aside(ctx: Caller, asked: ListSetAside) -> SetAsidePage:
    """Rows of the log that consumers set aside after repeated failures, newest first."""
    limit = ctx.page_size(asked.limit)
    return SetAsidePage(
        await ctx.read(
            lambda reader: consumers.list_set_aside(reader, asked.plugin, asked.consumer, asked.before, limit)
        )
    )


@command("plugins.replay", permission=permissions.OPERATE)
async def replay(ctx: Caller, asked: ReplayConsumer) -> ConsumerReplays:
    """Move a consumer back to read the log again, or forward to skip rows.

    It processes rows again that it has already processed.
    """
    name = (asked.plugin, asked.consumer)
    ctx.core.part(Consumers).check(*name)

    def write(tx: Transaction) -> ConsumerReplays:
        before = consumers.replay(tx, name, asked.gid)
        audit.record(tx, ctx.account, "plugins.replay", ".".join(name), before=before, after=asked.gid)
        return ConsumerReplays(asked.gid, before)

    return await _write_and_tell(ctx, write, lambda _: ctx.core.part(Consumers).moved(*name))


@command("plugins.retry", permission=permissions.OPERATE)
async def retry(ctx: Caller, asked: OfSetAside) -> RowRetried:
    """Retry a row that a consumer set aside; if it succeeds, it is removed from the list."""

    entry = await ctx.read(lambda reader: consumers.find_set_aside(reader, asked.entry))
    name = (entry.plugin, entry.consumer)
    ctx.core.part(Consumers).check(*name)
    await ctx.write(lambda tx: audit.record(tx, ctx.account, "plugins.retry", ".".join(name), gid=entry.gid))
    error = await ctx.core.part(Consumers).retry(entry)
    return RowRetried(error is None, error)


@command("plugins.dismiss", permission=permissions.OPERATE)
async def dismiss(ctx: Caller, asked: OfSetAside) -> Nothing:
    """Remove a row from the list of those set aside; its consumer skips it for good."""

    def write(tx: Transaction) -> SetAside:
        entry = consumers.dismiss(tx, asked.entry)
        audit.record(tx, ctx.account, "plugins.dismiss", f"{entry.plugin}.{entry.consumer}", gid=entry.gid)
        return entry

    await _write_and_tell(ctx, write, ctx.core.part(Consumers).row_removed)
    return Nothing()


@command("plugins.enable", permission=permissions.OPERATE)
async def enable(ctx: Caller, asked: OfPlugin) -> PluginSwitched:
    """Enable a plugin after the next restart."""
    if asked.plugin in ctx.core.config.plugins.disabled:
        raise Refusal("conflict", "the settings disable it; remove it from plugins.disabled", path="plugin")
    return await _switch(ctx, asked.plugin, disabled=False)


@command("plugins.disable", permission=permissions.OPERATE)
async def disable(ctx: Caller, asked: OfPlugin) -> PluginSwitched:
    """Disable a plugin after the next restart; its data is kept."""
    return await _switch(ctx, asked.plugin, disabled=True)


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
async def drop(ctx: Caller, asked: DropPlugin) -> PluginDropped:
    """Delete all data of a plugin that is not running: its tables and its files. Only a backup can bring it back.

    If it is still installed, it stays disabled.
    """
    if asked.confirm != asked.plugin:
        raise Refusal("invalid", "must be the plugin's name, to confirm deletion of its data", path="confirm")
    state = {each.name: each.state for each in ctx.core.part(Manager).statuses()}.get(asked.plugin)
    if state == "running":
        raise Refusal("conflict", "it is running; disable it and restart the node", path="plugin")

    directory = ctx.core.directory.of_plugin(asked.plugin)
    files_only = await trio.to_thread.run_sync(plugin_directories.holds_files, directory)  # the last drop was cut short

    def write(tx: Transaction) -> tuple[list[str], dict[str, frozenset[str]]]:
        dropped = plugins.drop(tx, asked.plugin, files_only)
        bots.drop(tx, asked.plugin)
        if state is not None:
            plugins.set_disabled(tx, asked.plugin, True)
        audit.record(tx, ctx.account, "plugins.drop", asked.plugin, tables=" ".join(dropped))
        return dropped, roles.by_name(tx)

    def forget(done: tuple[list[str], dict[str, frozenset[str]]]) -> None:
        dropped, ctx.core.roles = done
        additions = ctx.core.db.additions
        additions.tables = [table for table in additions.tables if table.name not in dropped]

    async with ctx.core.changing_roles:
        dropped, _ = await _write_and_tell(ctx, write, forget)
    # After the rows: files without rows take up space, rows without files would be wrong.
    files, size = await trio.to_thread.run_sync(plugin_directories.drop, directory)
    return PluginDropped(dropped, files, size)


async def _write_and_tell(ctx: Caller, write: Write[T], tell: Callable[[T], None]) -> T:
    """Update memory with what was committed, even if the client disconnects meanwhile."""

    async def write_and_tell() -> T:
        done = await ctx.write(write)
        tell(done)
        return done

    return await shielded(write_and_tell)


@command("plugins.export", permission=permissions.OPERATE, reads=True)
async def export(ctx: Caller, asked: ExportPlugin) -> PluginRows:
    """Rows of a plugin's tables as they are stored, page by page.

    Only for the operator, because plugins may store data that nobody else may read.
    """
    if not ctx.operator:
        raise Refusal("forbidden", "only the operator can do this, with `chatnode call` on the node's machine")
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> PluginRows:
        tables = plugins.own_tables(reader, asked.plugin)
        if not tables and asked.plugin not in plugins.known(reader):
            raise Refusal("not_found", f"there is no data of a plugin {asked.plugin}", path="plugin")
        if asked.table is None:
            return PluginRows(tables, [])
        if asked.table not in tables:
            raise Refusal("not_found", f"the plugin has no table {asked.table}", path="table")
        return PluginRows(tables, *plugins.export(reader, asked.table, asked.after, limit))

    return await ctx.read(read)


SUBJECT = Subject(
    commands=(list_plugins, list_consumers, list_set_aside, replay, retry, dismiss, enable, disable, drop, export),
    tables=(*plugins.TABLES, *restored.TABLES, *consumers.TABLES, *bots.TABLES),
)
