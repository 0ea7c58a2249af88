"""`chatnode serve --reload`: restarts the node when a plugin's files or the settings change.

For plugin authors. It polls the files, which works on every file system. The process is
replaced after a clean stop, so that nothing of the old code is left.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import trio

from chatnode import config_file
from chatnode.errors import StartError
from chatnode.hooks.discovery import GROUP
from chatnode.logs import get_logger
from chatnode.storage.engine.migrations import statements

logger = get_logger("reload")

LOOK_SECONDS = 0.3
STILL_SECONDS = 0.5
"""How long nothing may change before it is read."""
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


async def look_when_still(config: Path) -> Stamps:
    """How all that is watched is now, once nothing has changed for a moment: editors write a file in several steps, and
    a step of a migration that is applied half-written stays so."""
    stamps = await trio.to_thread.run_sync(_look, config)
    while 0 <= time.time() - _changed_at(stamps) < STILL_SECONDS:
        await trio.sleep(LOOK_SECONDS)
        stamps = await trio.to_thread.run_sync(_look, config)
    return stamps


def _look(config: Path) -> Stamps:
    stamps: Stamps = {}
    for path in watched(config):
        try:
            found = path.stat()
        except OSError:
            continue  # it went meanwhile, or the directory has no config.toml
        stamps[path] = (found.st_mtime_ns, found.st_size)
    return stamps


def _changed_at(stamps: Stamps) -> float:
    """When the last change was, in seconds since 1970."""
    return max((changed for changed, _ in stamps.values()), default=0) / 1e9


async def wait_changed(config: Path, running: Stamps) -> None:
    """Until something is otherwise than in the `running` node, stays so for a moment, and can be read. If it cannot,
    that is logged, and the node goes on as it is."""
    seen = running
    while True:
        await trio.sleep(LOOK_SECONDS)
        now = await trio.to_thread.run_sync(_look, config)
        if now == seen:
            continue
        while (later := await _look_later(config)) != now:
            now = later
        seen = now
        changed = sorted(path for path in {*running, *now} if running.get(path) != now.get(path))
        faults = await trio.to_thread.run_sync(_faults_of, config, changed)
        for fault in faults:
            logger.error("not restarting: %s", fault)
        if changed and not faults:
            logger.info("restarting: %s changed", ", ".join(str(path) for path in changed))
            return


async def _look_later(config: Path) -> Stamps:
    await trio.sleep(STILL_SECONDS)
    return await look_when_still(config)


def _faults_of(config: Path, changed: Iterable[Path]) -> list[str]:
    faults = [_fault_of(path) for path in changed if path != config and path.exists()]
    if config in changed:
        faults.append(_fault_of_settings(config))
    return [fault for fault in faults if fault is not None]


def _fault_of(path: Path) -> str | None:
    match path.suffix:
        case ".py":
            return _fault_of_python(path)
        case ".sql":
            return _fault_of_sql(path)
        case _:
            return None


def _fault_of_python(path: Path) -> str | None:
    try:
        compile(path.read_bytes(), path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"{path}, line {error.lineno}: {error.msg}"
    except (OSError, ValueError) as error:
        return f"{path}: {error}"
    return None


def _fault_of_sql(path: Path) -> str | None:
    try:
        found = any(True for _ in statements(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        return f"{path}: {error}"
    return None if found else f"{path}: it has no statement yet"


def _fault_of_settings(config: Path) -> str | None:
    try:
        config_file.load(config if os.path.lexists(config) else None)
    except StartError as error:
        return str(error)
    return None


def start_again() -> None:
    """Replace this process by one with the same arguments. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
