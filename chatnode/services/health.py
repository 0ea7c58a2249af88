"""Is the node well: each part with its own word. Reasons name parts and jobs, never people or files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from chatnode.dispatch.core import Core
from chatnode.storage import backups, log, rotation
from chatnode.storage.directory import DataDirectory

PROBE_SECONDS = 5.0
SERVING = ("writing", "reading")
"""The parts without which the node can serve nobody."""

Part = dict[str, Any]


class Unwell(Exception):
    """What is wrong with a part."""


async def report(core: Core) -> dict[str, Part]:
    """Every part with its `status`, ok or failing; a write and a read are tried."""
    probes: dict[str, Callable[[], Awaitable[Part | None]]] = {
        "writing": partial(core.db.write, lambda tx: None),
        "reading": partial(_reading, core),
        "disk": partial(_disk, core),
        "jobs": partial(_jobs, core),
        "sessions": partial(_sessions, core),
    }
    if core.config.backup.every_hours:
        probes["backup"] = partial(_backup, core)
    return {name: await _probed(probe) for name, probe in probes.items()}


async def _probed(probe: Callable[[], Awaitable[Part | None]]) -> Part:
    try:
        with trio.fail_after(PROBE_SECONDS):
            found = await probe()
        return {"status": "ok", **(found or {})}
    except Exception as error:
        return {"status": "failing", "reason": str(error) or type(error).__name__}


async def _reading(core: Core) -> None:
    await core.db.read(log.head)


async def _disk(core: Core) -> Part:
    free = (await trio.to_thread.run_sync(shutil.disk_usage, core.db.path.parent)).free >> 20
    if free < core.config.storage.least_free_mib:
        raise Unwell(f"{free} MiB are free, less than storage.least_free_mib")
    return {"free_mib": free}


async def _jobs(core: Core) -> None:
    failed = sorted(name for name, last in core.jobs.last.items() if not last.ok)
    if failed:
        raise Unwell(f"failed the last time: {', '.join(failed)}; see chatnode call jobs.list")


async def _sessions(core: Core) -> Part:
    return {"live": core.live_sessions()}


async def _backup(core: Core) -> Part:
    """Twice the time between backups may pass without one, counted from the start of a node that has none yet."""
    settings = core.config.backup
    directory = backups.directory_of(DataDirectory(core.db.path.parent), settings)
    newest = await trio.to_thread.run_sync(rotation.newest, directory)
    age = time.time() - newest.timestamp() if newest else trio.current_time() - core.started_at
    if age > 2 * settings.every_hours * 3600:
        raise Unwell(f"the newest backup is {age / 3600:.0f} hours old")
    return {"age_hours": round(age / 3600, 1)} if newest else {}
