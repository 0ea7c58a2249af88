"""`chatnode serve --reload`: restarts the node when a plugin's files or the settings change.

For plugin authors. It polls the files, which works on every file system. The process is
replaced after a clean stop, so that nothing of the old code is left.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import trio

from chatnode import config_file
from chatnode.errors import StartError
from chatnode.hooks.discovery import GROUP
from chatnode.logs import get_logger

logger = get_logger("reload")

LOOK_SECONDS = 0.3
SUFFIXES = (".py", ".sql")
Stamps = dict[Path, tuple[int, int]]
"""Time of the last change, and size, of each file."""


def prepare() -> None:
    """Before plugins are imported: compiled files are told apart by whole seconds, and could be a change behind."""
    sys.dont_write_bytecode = True


def watched(config: Path) -> Iterator[Path]:
    """The files of every installed plugin, and `config`. Imports nothing."""
    yield config
    for point in entry_points(group=GROUP):
        spec = find_spec(point.module.partition(".")[0])
        if spec is None:
            continue
        for folder in spec.submodule_search_locations or ():
            yield from (path for path in Path(folder).rglob("*") if path.suffix in SUFFIXES)
        if not spec.submodule_search_locations and spec.origin is not None:
            yield Path(spec.origin)


def look(config: Path) -> Stamps:
    """How all that is watched is now."""
    stamps: Stamps = {}
    for path in watched(config):
        try:
            found = path.stat()
        except OSError:
            continue  # it went meanwhile, or the directory has no config.toml
        stamps[path] = (found.st_mtime_ns, found.st_size)
    return stamps


async def wait_changed(config: Path, before: Stamps) -> None:
    """Until something is otherwise than `before`, and stays so for a moment; settings that are wrong do not count."""
    while True:
        await trio.sleep(LOOK_SECONDS)
        now = await trio.to_thread.run_sync(look, config)
        if now == before:
            continue
        while (later := await _look_later(config)) != now:
            now = later
        changed = sorted(path for path in {*before, *now} if before.get(path) != now.get(path))
        before = now
        if config in changed and not _can_be_read(config):
            continue
        logger.info("restarting: %s changed", ", ".join(str(path) for path in changed))
        return


async def _look_later(config: Path) -> Stamps:
    await trio.sleep(LOOK_SECONDS)
    return await trio.to_thread.run_sync(look, config)


def _can_be_read(config: Path) -> bool:
    try:
        config_file.load(config if os.path.lexists(config) else None)
    except StartError as error:
        logger.error("not restarting with these settings: %s", error)
        return False
    return True


def start_again() -> None:
    """Replace this process by one with the same arguments. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
