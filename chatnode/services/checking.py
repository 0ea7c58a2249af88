"""Checks of a node that look at more than its database: the files that plugins list."""

from __future__ import annotations

from functools import partial

import trio

from chatnode.dispatch.core import Core
from chatnode.hooks.guard import describe_error
from chatnode.hooks.manager import Manager
from chatnode.hooks.transient_errors import cannot_check, is_transient
from chatnode.model.commands.operations import Check, Checked
from chatnode.storage.engine.stored_files import Lister
from chatnode.storage.upkeep import file_checks


async def with_files(core: Core, of_database: Checked, *, deep: bool = False) -> Checked:
    """What `checks.run` found, and whether the files of plugins are there. `deep`: also compare their hashes, which
    reads them all. Raises `Refusal("unavailable")` if that is not possible now."""
    listers = {name: each.stored_files for name, each in core.part(Manager).plugins.items()}
    of_files = [await _check_files(core, name, lister, deep) for name, lister in listers.items() if lister is not None]
    found = [*of_database.checks, *of_files]
    return Checked(not any(each.problems for each in found), found)


async def _check_files(core: Core, plugin: str, lister: Lister, deep: bool) -> Check:
    directory = core.directory.of_plugin(plugin)
    read = partial(trio.from_thread.run, core.db.read)
    try:
        problems = await trio.to_thread.run_sync(
            partial(file_checks.wrong, directory, lister, read, deep, trio.from_thread.check_cancelled)
        )
    except (Exception, SystemExit) as error:
        if is_transient(error):
            raise cannot_check(plugin, error) from error
        core.part(Manager).report(plugin, "stored_files", describe_error(error), error)
        problems = [f"the plugin cannot list its files: {type(error).__name__}"]
    return Check(f"files of {plugin}", problems)
