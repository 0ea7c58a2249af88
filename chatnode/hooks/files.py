"""The files of plugins: how a node lists and checks them, and what it tells plugins about restores and removals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from chatnode.dispatch.core import Core
from chatnode.errors import Refusal, StartError
from chatnode.hooks.declared import declaration
from chatnode.hooks.discovery import Installed
from chatnode.hooks.guard import HookFailed, describe_error, guard
from chatnode.hooks.manager import Loaded, Manager
from chatnode.hooks.plugin import Plugin, RemovalNote
from chatnode.logs import get_logger
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.stored_files import Lister
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.node import restored

logger = get_logger("plugins")


def find_lister(loaded: Mapping[str, Plugin], installed: Mapping[str, Installed], name: str) -> Lister | None:
    """How a plugin lists its files; None if it keeps none that belong to its rows.

    A plugin that does not run is imported for that: its files are in backups too. Raises `StartError` if it is not
    installed, and what importing it raises.
    """
    if name in loaded:
        return loaded[name].stored_files
    if name not in installed:
        raise StartError("is not installed")
    return declaration(installed[name].load()).stored_files


async def tell_restored(db: Database, plugins: Manager) -> None:
    """Tell plugins that a backup was restored, each once, in a transaction. One that fails is told at the next start.

    A disk that is full does not stop the node.
    """
    try:
        noted = await db.read(restored.noted)
        for loaded in plugins:
            if loaded.plugin.name in noted:
                await _tell_restored(db, plugins, loaded)
    except (Refusal, DatabaseError) as error:
        logger.error("plugins were not notified of a restore: %s", error)


async def _tell_restored(db: Database, plugins: Manager, loaded: Loaded) -> None:
    name, told = loaded.plugin.name, loaded.plugin.after_restore
    report, seconds = partial(plugins.report, name), plugins.config.plugins.start_seconds
    tell = guard(told, name, "after_restore", seconds, report) if told is not None else None

    def write(tx: Transaction) -> None:
        note = restored.find(tx, name)
        if tell is not None and note is not None:
            tell(tx, note)
        restored.forget(tx, name)

    try:
        await db.write(write)
    except HookFailed:
        return  # reported; the note stays
    except Refusal as refusal:
        report("after_restore", f"raised {refusal}", refusal)


async def removed(core: Core, note: RemovalNote) -> dict[str, int]:
    """Ask plugins what else went with rows that were removed: figures for the receipt, by plugin and name,
    where they are not 0."""
    plugins, counts = core.part(Manager), dict[str, int]()
    for loaded in plugins:
        name, ask = loaded.plugin.name, loaded.plugin.after_removal
        if ask is None:
            continue
        report = partial(plugins.report, name)
        try:
            found = await guard(ask, name, "after_removal", plugins.config.plugins.start_seconds, report)(
                loaded.context, note
            )
            counts |= {f"{name}.{what}": int(count) for what, count in found.items() if count}
        except HookFailed:
            continue
        except (Refusal, AttributeError, TypeError, ValueError) as error:
            report("after_removal", describe_error(error), error)
    return counts


async def repair(core: Core) -> dict[str, int]:
    """Let plugins repair what they hold twice; returns the number of changes by plugin and name, where there were any.

    There is no time limit, as for the node's own repairs.
    """
    plugins, changed = core.part(Manager), dict[str, int]()
    for loaded in plugins:
        if loaded.plugin.repair is None:
            continue
        name = loaded.plugin.name
        try:
            found = await loaded.plugin.repair(loaded.context)
            changed |= {f"{name}.{what}": int(count) for what, count in found.items() if count}
        except (Exception, SystemExit) as error:
            plugins.report(name, "repair", describe_error(error), error)
    return changed
