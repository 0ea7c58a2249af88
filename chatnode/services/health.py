"""The health of the node, by part. Reasons name parts and jobs, never users."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from chatnode.certificates.node_certificate import NodeCertificate
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import JobRunner
from chatnode.hooks.consumers import Consumers
from chatnode.hooks.manager import Manager, Probe
from chatnode.model.times import now_ms, rfc3339
from chatnode.protocol import codec
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage.log import log
from chatnode.storage.search import index as search_index
from chatnode.storage.upkeep import backups, rotation
from chatnode.storage.work import work

PROBE_SECONDS = 5.0
LONGEST_JOB_SECONDS = 6 * 3600.0
CLOCK_SECONDS = 60.0
"""How far the clock may be behind the newest row of the log."""
BACKUP_CLOCK_SECONDS = 3_600.0
"""How far a backup may be dated ahead of the clock, which is corrected from time to time."""
SERVING = ("writing", "reading")
"""The parts without which the node cannot serve."""

Part = dict[str, Any]


class Unwell(Exception):
    """A part is failing; the message says why."""


class Health:
    """Checks each part. Concurrent requests wait for the same report."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._asking: trio.Event | None = None
        self._parts: dict[str, Part] = {}

    async def report(self) -> dict[str, Part]:
        """The `status` of every part, ok or failing; tries a write and a read."""
        while self._asking is not None:
            await self._asking.wait()
            if self._parts:
                return self._parts
        self._asking = trio.Event()
        self._parts = {}
        try:
            self._parts = await self._ask()
            return self._parts
        finally:
            self._asking.set()
            self._asking = None

    async def _ask(self) -> dict[str, Part]:
        core = self._core
        probes: dict[str, Callable[[Core], Awaitable[Part | None]]] = {
            "writing": _writing, "reading": _reading, "disk": _disk, "clock": _clock, "jobs": _jobs,
            "sessions": _sessions, "plugins": _plugins, "work": _work,
        }  # fmt: skip
        if core.config.search.enabled:
            probes["search"] = _search
        if core.config.backup.every_hours:
            probes["backup"] = _backup
        if core.part(NodeCertificate).in_use.context is not None:
            probes["certificate"] = _certificate
        for name, probe in core.part(Manager).probes().items():
            probes[f"plugin.{name}"] = partial(_of_plugin, probe)
        parts: dict[str, Part] = {name: {} for name in probes}

        async def ask(name: str) -> None:
            parts[name] = await _probed(probes[name], core)

        async with trio.open_nursery() as nursery:
            for name in probes:
                nursery.start_soon(ask, name)
        return parts


def is_well(parts: dict[str, Part]) -> bool:
    return all(part["status"] == "ok" for part in parts.values())


async def _probed(probe: Callable[[Core], Awaitable[Part | None]], core: Core) -> Part:
    try:
        with trio.fail_after(PROBE_SECONDS):
            found = await probe(core)
        return {**(found or {}), "status": "ok"}
    except trio.TooSlowError:
        return {"status": "failing", "reason": f"no answer within {PROBE_SECONDS:.0f} s"}
    except (Exception, SystemExit) as error:
        return {"status": "failing", "reason": str(error) or type(error).__name__}


async def _writing(core: Core) -> None:
    """An empty write; after the disk was full, one that needs space, because no other write may be trying."""
    await core.db.write(log.rewrite_epoch if core.db.full else lambda tx: None)


async def _reading(core: Core) -> None:
    await core.db.read(log.head)


async def _clock(core: Core) -> None:
    written = await core.db.read(log.newest_at)
    behind = (written - now_ms()) / 1000
    if behind > CLOCK_SECONDS:
        raise Unwell(f"the clock is {behind:.0f} s behind the last write")


async def _disk(core: Core) -> Part:
    directory = core.db.path.parent
    try:
        free = (await trio.to_thread.run_sync(shutil.disk_usage, directory)).free >> 20
    except FileNotFoundError:
        raise Unwell(f"{directory} was moved or deleted while the node runs: stop the node, and put it back") from None
    if free < core.config.storage.least_free_mib:
        raise Unwell(f"{free} MiB are free, less than storage.least_free_mib")
    return {"free_mib": free}


async def _jobs(core: Core) -> None:
    runner = core.part(JobRunner)
    long = [name for name, since in runner.running.items() if trio.current_time() - since > LONGEST_JOB_SECONDS]
    if long:
        raise Unwell(f"{', '.join(long)} has been running for more than {LONGEST_JOB_SECONDS / 3600:.0f} hours")
    failed = sorted(name for name, last in runner.last.items() if not last.ok)
    if failed:
        raise Unwell(f"last run failed: {', '.join(failed)}; see chatnode call jobs.list")


async def _sessions(core: Core) -> Part:
    return {"live": len(core.part(SessionRegistry))}


async def _plugins(core: Core) -> Part:
    statuses = core.part(Manager).statuses()
    broken = [each.name for each in statuses if each.state == "broken"]
    consumers = core.part(Consumers).statuses()
    without = [f"{each.plugin}.{each.consumer} ({each.set_aside})" for each in consumers if each.set_aside]
    reasons = [f"not running: {', '.join(broken)}; see chatnode call plugins.list"] if broken else []
    if without:
        reasons.append(f"have set rows aside: {', '.join(without)}; see chatnode call plugins.set_aside")
    if reasons:
        raise Unwell("; ".join(reasons))
    return {"running": sum(each.state == "running" for each in statuses)}


async def _work(core: Core) -> Part:
    """Fails when work of a plugin's own has failed; a user's is for the user to look at."""
    counts, failed = await core.db.read(lambda reader: (work.counts(reader), work.failed_of_nobody(reader)))
    if failed:
        raise Unwell(f"failed: {', '.join(failed)}; see chatnode work list --status failed")
    return {status: counts.get(status, 0) for status in ("waiting", "running", "failed")}


async def _of_plugin(probe: Probe, core: Core) -> Part:
    """A plugin's own report. A value that is not JSON is the plugin's failure, not the request's."""
    found = dict(await probe() or {})
    codec.encode(found)
    return found


async def _search(core: Core) -> Part:
    """About how many messages are not indexed yet; searches must scan these."""
    return {"waiting": await core.db.read(search_index.waiting)}


async def _backup(core: Core) -> Part:
    """Fails when the newest backup (or the node's start, if there is none) is older than twice the interval, and when
    one is dated ahead of the clock, as then either of them is wrong."""
    settings = core.config.backup
    directory = backups.directory_of(core.directory, settings)
    times = await trio.to_thread.run_sync(rotation.times, directory)
    ages = [time.time() - each.timestamp() for each in times]
    if ages and ages[-1] < -BACKUP_CLOCK_SECONDS:
        raise Unwell(
            f"a backup in {directory} is dated {-ages[-1] / 3600:.0f} hours ahead of the clock: set the clock, or move "
            "that backup away"
        )
    age = ages[-1] if ages else trio.current_time() - core.started_at
    if age > 2 * settings.every_hours * 3600:
        raise Unwell(f"the newest backup is {age / 3600:.0f} hours old")
    return {"age_hours": round(max(age, 0.0) / 3600, 1)} if ages else {}


async def _certificate(core: Core) -> Part:
    """Fails while there is only a self-signed one, and when the one in use was not renewed in time."""
    report = await core.part(NodeCertificate).report()
    if report is None:
        return {}
    facts, problem = report
    if problem is not None:
        raise Unwell(problem)
    return {"names": list(facts.names), "issuer": facts.issuer, "expires_at": rfc3339(int(facts.not_after) * 1000)}
